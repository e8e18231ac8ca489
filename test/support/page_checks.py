"""What is true of every page of a site, read from its templates and from its examples."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from html.parser import HTMLParser
from typing import Any

import msgspec
from jinja2 import meta, nodes

from bookshelf.http.message import request
from bookshelf.site.page import Page, PageRoute
from bookshelf.site.page_response import PageRenderer
from bookshelf.site.preferences import known_zones
from bookshelf.site.routes import Site
from bookshelf.site.templates import LOCALES

#: The attributes of htmx that templates may use; the others evaluate text, or replace the browser's own ways.
HTMX = {
    *("hx-get", "hx-post", "hx-target", "hx-select", "hx-select-oob", "hx-swap", "hx-trigger", "hx-sync"),
    *("hx-push-url", "hx-replace-url", "hx-indicator"),
}
_HTMX = re.compile(r"\bhx-[a-z-]+")
_FORBIDDEN = re.compile(r"\s(style|on[a-z]+)=|javascript:|\bjs:|<style\b|<script(?![^>]*\bsrc=)")
_EXPRESSION = re.compile(r"\{[{%#].*?[}%#]\}", re.DOTALL)
_FRAME_NAMES = {"frame", "form"}
_FILTER = re.compile(r"hx-trigger=\"[^\"]*\[")
#: Attributes whose values are shown to a reader or read aloud.
_READ = {
    "aria-label",
    "title",
    "placeholder",
    "alt",
    "data-busy",
    "data-fresh",
    "data-no-row",
    "data-no-x",
    "data-no-u",
}
_LETTERS = re.compile(r"[^\W\d_]{2,}")
#: Words that are the same in all languages: units, names of languages, names of things of the program.
_SAME = {"KB", "MB", "min", "English", "Deutsch", "Bookshelf"}
_VOID = {"br", "hr", "img", "input", "link", "meta"}
OPEN, CLOSE = "\u2983", "\u2984"


def examples(site: Site) -> list[tuple[PageRoute, str, Page]]:
    """Return each state of each page."""
    return [(route, name, page) for route in site.parts.pages for name, page in route.examples().items()]


def model_faults(site: Site) -> list[str]:
    """Name each variable that a template uses and its model lacks, and each field that no template uses."""
    templates = site.endpoint.renderer.templates["en"]
    faults = set()
    for _, _, page in examples(site):
        tree = templates.environment.parse(templates.source(page.template))
        used = meta.find_undeclared_variables(tree) - _FRAME_NAMES - set(templates.environment.globals)
        used -= set(_imported(tree))
        fields = set(page.model.__struct_fields__)
        faults |= {f"{page.template} uses {name}, which its model lacks" for name in used - fields}
        faults |= {f"{page.template} does not use {name} of its model" for name in fields - used}
    return sorted(faults)


def _imported(tree: nodes.Template) -> Iterator[str]:
    """Yield the names of macros that a template imports or has."""
    for found in tree.find_all(nodes.FromImport):
        yield from (name if isinstance(name, str) else name[1] for name in found.names)
    yield from (found.name for found in tree.find_all(nodes.Macro))


def shown_templates(site: Site) -> set[str]:
    """Return the templates that the examples show, with those that they include, import or extend."""
    templates = site.endpoint.renderer.templates["en"]
    found: set[str] = set()
    waiting = {page.template for _, _, page in examples(site)}
    while waiting:
        name = waiting.pop()
        found.add(name)
        tree = templates.environment.parse(templates.source(name))
        waiting |= {str(other) for other in meta.find_referenced_templates(tree)} - found
    return found


def attribute_faults(site: Site) -> list[str]:
    """Name each attribute in a template that the policy forbids or that needs eval."""
    templates = site.endpoint.renderer.templates["en"]
    faults = []
    for name in templates.names:
        text = templates.source(name)
        faults += [f"{name} uses {used}" for used in set(_HTMX.findall(text)) - HTMX]
        html = _EXPRESSION.sub("", text)
        faults += [f"{name} has {found[0].strip()}" for found in _FORBIDDEN.finditer(html)]
        faults += [f"{name} filters a trigger" for _ in _FILTER.finditer(text)]
    return faults


class Outline(HTMLParser):
    """The ids, headings and texts of one page; texts in an element with `translate="no"` are left out."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.nameless_rows = 0
        self.headings: list[int] = []
        self._open: list[bool] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        elif "data-row" in given:
            self.nameless_rows += 1
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in _VOID:
            self._open.append(tag in {"script", "style"} or given.get("translate") == "no")
        if not any(self._open):
            self.texts += [str(value) for name, value in attrs if name in _READ and value]

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._open) and data.strip():
            self.texts.append(data.strip())


def outline_faults(html: str) -> list[str]:
    """Name what is wrong with the ids and headings of a page."""
    outline = Outline(html)
    faults = [f"the id {name} is used twice" for name in {n for n in outline.ids if outline.ids.count(n) > 1}]
    if outline.nameless_rows:
        faults.append(f"{outline.nameless_rows} rows have no id, so the focus cannot return to them")
    if outline.headings.count(1) != 1:
        faults.append(f"{outline.headings.count(1)} h1")
    faults += [
        f"h{level} follows h{before}"
        for before, level in zip(outline.headings, outline.headings[1:], strict=False)
        if level > before + 1
    ]
    return faults


def render(site: Site, page: Page, title: str, language: str = "en") -> str:
    """Return the HTML of a page."""
    asked = request("GET", "/", Accept_Language=language)
    renderer = site.endpoint.renderer
    response = renderer.page(titled(page, title), renderer.visit(asked))
    assert isinstance(response.body, bytes)
    return response.body.decode()


def dialog_faults(site: Site) -> list[str]:
    """Name each id that a page has and so has the page of a dialog that opens above it."""
    shown = [(route, render(site, page, route.title)) for route, _, page in examples(site)]
    dialogs: dict[str, set[str]] = {}
    for route, html in shown:
        content = html[html.index("<main") : html.index("</main>")]
        dialogs[route.path] = dialogs.get(route.path, set()) | set(Outline(content).ids) - {"main", "notice"}
    faults = set()
    for route, html in shown:
        links = re.findall(r'<a\b[^>]*href="([^"?#]*)[^>]*data-dialog', html)
        for path in {path for link in links for path in dialogs if _is_at(path, link)} - {route.path}:
            faults |= {
                f"{route.path} has the id {name}, and so has {path}"
                for name in dialogs[path] & set(Outline(html).ids)
            }
    return sorted(faults)


def _is_at(path: str, address: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), address) is not None


def titled(page: Page, title: str) -> Page:
    """Return a page with the title of its route, if it has none of its own."""
    return Page(page.template, page.model, page.title or title, page.live, page.form, page.version, page.sent)


class MarkedTexts:
    """Translations that put each text between two signs, so that a text without them is seen."""

    def gettext(self, text: str) -> str:
        return f"{OPEN}{text}{CLOSE}"

    def ngettext(self, one: str, many: str, count: int) -> str:
        return f"{OPEN}{one if count == 1 else many}{CLOSE}"


def marked(site: Site) -> PageRenderer:
    """Return a renderer whose texts are marked."""
    renderer = PageRenderer(site.parts)
    for templates in renderer.templates.values():
        templates.translations = MarkedTexts()  # type: ignore[assignment]  # what is used of them
        install = templates.environment.install_gettext_translations  # type: ignore[attr-defined]  # an extension's
        install(templates.translations, newstyle=True)
    return renderer


def untranslated(renderer: PageRenderer, page: Page, title: str) -> list[str]:
    """Return the words of a page that come neither from a catalogue nor from its model."""
    visit = renderer.visit(request("GET", "/"))
    response = renderer.page(titled(page, f"{OPEN}{title}{CLOSE}"), visit)
    assert isinstance(response.body, bytes)
    data = " ".join([*_strings(msgspec.to_builtins(page.model, enc_hook=str)), *_form_texts(page)])
    known = set(_LETTERS.findall(data)) | _SAME | _known_words()
    found = []
    for text in Outline(response.body.decode()).texts:
        found += [word for word in _LETTERS.findall(_unmarked(text)) if word not in known]
    return found


def _unmarked(text: str) -> str:
    """Return a text without what is marked; a marked text may have another one inside."""
    bare, count = text, 1
    while count:
        bare, count = re.subn(f"{OPEN}[^{OPEN}{CLOSE}]*{CLOSE}", " ", bare)
    return bare


@cache
def _known_words() -> set[str]:
    """Return the words that Babel and the system translate: months, days, time zones."""
    locale = LOCALES["en"]
    names = [
        name for kinds in (locale.months, locale.days) for form in kinds.values() for name in _words(form)
    ]
    return set(_LETTERS.findall(" ".join([*names, *known_zones()])))


def _words(form: Mapping[str, Mapping[int, str]]) -> Iterator[str]:
    for width in form.values():
        yield from width.values()


def _form_texts(page: Page) -> Iterator[str]:
    yield from _strings({} if page.form is None else msgspec.to_builtins(page.form, enc_hook=str))
    if page.sent is not None:
        yield from (text for texts in page.sent.values.values() for text in texts)
        yield from (fault.detail for fault in page.sent.faults)


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401 (any JSON)
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)

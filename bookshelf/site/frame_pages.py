"""The pages of the frame itself: preferences, the table of keys, and the gallery of all parts and states."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

from bookshelf.cqrs.handler import READ
from bookshelf.site import charts, error_pages
from bookshelf.site.api_adapters import FieldFault
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest, Submission

#: The code and the text of the notice after a change of the preferences.
SAVED = {"saved": _("Saved.")}


class SettingsForm(Form):
    """The preferences of the frame; those of the site are read by their names."""

    theme: str = "system"
    language: str = ""
    zone: str = ""
    keys: str = "on"


class SettingsModel(Model):
    """What the page of preferences shows: the site's own choices by name."""

    chosen: Mapping[str, str]


async def show_settings(request: PageRequest) -> Page:
    """Show the preferences."""
    now = request.preferences
    form = SettingsForm(theme=now.theme, language=now.language, zone=now.zone, keys=now.keys)
    return Page("settings.html", SettingsModel(chosen=now.more), form=form)


async def save_settings(request: PageRequest, form: SettingsForm) -> Redirect:
    """Keep the preferences in the browser."""
    sent = request.submission or Submission()
    more = {name: ".".join(sent.values.get(name, ())) or "-" for name in request.preferences.more}
    kept = replace(
        request.preferences,
        theme=form.theme,
        language=form.language,
        zone=form.zone,
        keys=form.keys,
        more=more,
    )
    return Redirect(request.back(request.address), notice="saved", preferences=kept)


def _settings_examples() -> Mapping[str, Page]:
    return {"usual": Page("settings.html", SettingsModel(chosen={}), form=SettingsForm())}


class KeysModel(Model):
    """The table of keys: those of the frame and of the site, with what they do."""

    frame_keys: tuple[tuple[str, str], ...] = (
        ("/", _("search")),
        ("a", _("add")),
        ("g h", _("home")),
        ("j", _("next row")),
        ("k", _("previous row")),
        ("Enter", _("open")),
        ("x", _("select a row")),
        ("Shift x", _("select all rows since the last one")),
        ("u", _("undo")),
        ("Esc", _("leave a field or a dialog, else back")),
        ("?", _("this table")),
    )


async def show_keys(_request: PageRequest) -> Page:
    """Show the table of keys."""
    return Page("keys.html", KeysModel())


def _keys_examples() -> Mapping[str, Page]:
    return {"usual": Page("keys.html", KeysModel())}


class GalleryForm(Form):
    """The fields that the gallery shows."""

    title: str = ""
    text: str = ""
    day: str = ""
    kind: str = "one"
    flag: bool = False


class GalleryModel(Model):
    """The values that the gallery of parts shows."""

    bars: charts.Bars
    line: charts.Line
    heat: charts.HeatMap
    today: date


def _gallery(today: date) -> GalleryModel:
    months = [(str(n), float((n * 7) % 11 + n % 3)) for n in range(1, 13)]
    first = today - timedelta(days=364)
    days = {first + timedelta(days=n): float((n * n) % 17) for n in range(0, 365, 2)}
    return GalleryModel(
        bars=charts.bars(months),
        line=charts.line(months),
        heat=charts.heat_map(days, first, today),
        today=today,
    )


async def show_gallery(request: PageRequest) -> Page:
    """Show all parts, and links to all states of all pages."""
    return Page("design.html", _gallery(request.today), form=GalleryForm(title="Middlemarch", flag=True))


def _gallery_examples() -> Mapping[str, Page]:
    form = GalleryForm(title="Middlemarch")
    usual = Page("design.html", _gallery(date(2026, 1, 31)), form=form)
    typed = {"title": ("Middlemarch, a study",), "day": ("yesterday",)}
    faults = (FieldFault("day", _("Write a date like %(example)s.") % {"example": "2024-03-14"}),)
    return {
        "usual": usual,
        "wrong": replace(usual, sent=Submission(values=typed, faults=faults, kind="invalid")),
        "conflict": replace(usual, sent=Submission(values=typed, kind="changed")),
        **error_pages.examples(),
    }


def preference_pages(
    root: str, requires: tuple[str, ...] | None = None, preferences: str = "/settings"
) -> tuple[PageRoute, ...]:
    """Return the pages of preferences and keys of a site below a root, which may be all that there is."""
    shown = not root  # /design has their states once
    return (
        PageRoute(
            f"{root}{preferences}",
            get=show_settings,
            post=save_settings,
            form=SettingsForm,
            title=_("Settings"),
            examples=_settings_examples if shown else dict,
            requires=requires,
        ),
        PageRoute(
            f"{root}/help/keys",
            get=show_keys,
            title=_("Keys"),
            examples=_keys_examples if shown else dict,
            requires=requires,
        ),
    )


DESIGN = PageRoute("/design", get=show_gallery, title=_("Design"), examples=_gallery_examples)
FRAME_PAGES = (*preference_pages("", READ), DESIGN)

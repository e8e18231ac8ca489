"""Every site: its templates fit their models, all states render, all texts are in the catalogues."""

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from support.page_checks import (
    attribute_faults,
    dialog_faults,
    examples,
    marked,
    model_faults,
    outline_faults,
    render,
    shown_templates,
    untranslated,
)
from write_messages import LANGUAGES, PACKAGES, ROOT, catalogue

from bookshelf.accounts.pages.site import SITE as ACCOUNT_SITE
from bookshelf.cluster.pages.node_site import NODE_SITE
from bookshelf.cluster.pages.site import SITE as CONSOLE_SITE
from bookshelf.photos.pages.site import SITE as GALLERY_SITE
from bookshelf.shelf.pages.site import SITE
from bookshelf.shop.pages.customer.site import SITE as SHOP_SITE
from bookshelf.shop.pages.managing.site import SITE as MANAGER_SITE
from bookshelf.site.assets import Assets
from bookshelf.site.page import Page
from bookshelf.site.page_response import PageRenderer
from bookshelf.site.routes import Site

SITES = (SITE, ACCOUNT_SITE, SHOP_SITE, MANAGER_SITE, GALLERY_SITE, CONSOLE_SITE, NODE_SITE)
STATES = [
    pytest.param(site, page, route.title, id=f"{page.template}-{name}")
    for site in SITES
    for route, name, page in examples(site)
]


@pytest.fixture(scope="module")
def renderers() -> dict[str, PageRenderer]:
    return {site.parts.package: marked(site) for site in SITES}


@pytest.mark.parametrize("site", SITES)
def test_a_template_uses_the_fields_of_its_model(site: Site) -> None:
    assert model_faults(site) == []


@pytest.mark.parametrize("site", SITES)
def test_templates_have_only_attributes_that_the_policy_allows(site: Site) -> None:
    assert attribute_faults(site) == []


def test_the_examples_show_every_template() -> None:
    names = {name for site in SITES for name in site.endpoint.renderer.templates["en"].names}
    assert names - {name for site in SITES for name in shown_templates(site)} == set()


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize(("site", "page", "title"), STATES)
def test_a_page_has_one_h1_and_unique_ids(site: Site, page: Page, title: str, language: str) -> None:
    assert outline_faults(render(site, page, title, language)) == []


@pytest.mark.parametrize("site", SITES)
def test_a_dialog_repeats_no_id_of_the_page_below_it(site: Site) -> None:
    assert dialog_faults(site) == []


@pytest.mark.parametrize(("site", "page", "title"), STATES)
def test_each_text_of_a_page_comes_from_a_catalogue(
    site: Site, page: Page, title: str, renderers: dict[str, PageRenderer]
) -> None:
    assert untranslated(renderers[site.parts.package], page, title) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("package", PACKAGES)
def test_a_catalogue_has_all_texts_and_their_translations(package: str, language: str) -> None:
    text = catalogue(package, language)
    assert Path(ROOT / package / "locale" / language / "messages.po").read_bytes() == text, (
        "run make messages"
    )
    missing = [
        message.id
        for message in read_po(BytesIO(text))
        if message.id
        and not all([message.string] if isinstance(message.string, str) else message.string or [""])
    ]
    assert missing == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("package", PACKAGES)
def test_a_translated_phrase_has_the_places_of_its_template(package: str, language: str) -> None:
    translations = read_po(BytesIO(catalogue(package, language)))
    phrases = [message for message in translations if isinstance(message.id, str) and message.id]
    assert [each.id for each in phrases if places(str(each.id)) != places(str(each.string))] == []


def places(template: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", template))


def test_the_template_of_a_phrase_is_a_literal_with_a_value_for_each_place() -> None:
    assert [fault for path in (ROOT / "bookshelf").rglob("*.py") for fault in phrase_faults(path)] == []


def phrase_faults(path: Path) -> Iterator[str]:
    calls = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)]
    completed = [call for call in calls if ast.unparse(call.func).endswith("with_values")]
    later = {value.arg for call in completed for value in call.keywords}
    for call in calls:
        given = {value.arg for value in call.keywords}
        match call:
            case ast.Call(ast.Name("phrase"), [ast.Constant(str(template))]):
                if not given <= set(places(template)) <= given | later:
                    yield f"{path}:{call.lineno} has other values than places"
            case ast.Call(ast.Name("phrase")):
                yield f"{path}:{call.lineno} has no literal"


def test_bars_and_scripts_stay_small() -> None:
    assets = SITE.endpoint.renderer.assets
    assert len(Assets(["bookshelf.site"]).content("site.css")) <= 20 << 10
    library = (files("bookshelf.site") / "static" / "vendor" / "htmx.min.js").read_bytes()
    assert len(assets.content("site.js")) - len(library) <= 10 << 10
    assert sum(map(assets.size, ("site.css", "site.js", "icons.svg", "literata-latin.woff2"))) < 60_000

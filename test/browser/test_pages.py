"""Every page in all its states, in a real browser: policy, layout, accessibility, size."""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, Route
from support.browser import Visit
from support.page_checks import examples
from support.program import Program

from bookshelf.accounts.pages.site import SITE as ACCOUNT_SITE
from bookshelf.cluster.pages.node_site import NODE_SITE
from bookshelf.cluster.pages.site import SITE as CONSOLE_SITE
from bookshelf.photos.pages.site import SITE as GALLERY_SITE
from bookshelf.shelf.pages.site import SITE
from bookshelf.shop.pages.customer.site import SITE as SHOP_SITE
from bookshelf.shop.pages.managing.site import SITE as MANAGER_SITE

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

#: Each state of each page: below which address it is shown, the template, the state.
STATES = [
    (site.parts.root.rstrip("/"), page.template.removesuffix(".html"), state)
    for site in (SITE, ACCOUNT_SITE, SHOP_SITE, MANAGER_SITE, GALLERY_SITE, CONSOLE_SITE, NODE_SITE)
    for _, state, page in examples(site)
]
#: axe looks at the fullest state of each page.
FULLEST = {template: state for _, template, state in STATES if state in {"usual", "long"}}
MOST_REQUESTS = 6
MOST_BYTES = 75_000
LATER_BYTES = 10_000


class ShownShelf(NamedTuple):
    """The address of a running shelf that shows the gallery, and of its admin API, with its token."""

    origin: str
    node: str
    token: str

    def of(self, root: str) -> str:
        """Return the address that has the pages below a root."""
        return self.node if root == NODE_SITE.parts.root else self.origin


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShownShelf]:
    """A running shelf, a node of a domain."""
    data = tmp_path_factory.mktemp("shelf") / "data"
    with Program(data, env={"BOOKSHELF_SITE_DESIGN": "on", "BOOKSHELF_CLUSTER_DOMAIN": "blue"}).ready() as up:
        note = up.note
        yield ShownShelf(note.url, f"http://{note.control_host}:{note.control_port}", note.token)
        assert up.stop().well


@pytest.fixture(scope="module")
def origin(shown: ShownShelf) -> str:
    """The address of the gateway of the shelf."""
    return shown.origin


def _draw(route: Route) -> None:
    route.fulfill(status=200, content_type="image/svg+xml", body='<svg xmlns="http://www.w3.org/2000/svg"/>')


def _answer_quietly(route: Route) -> None:
    route.fulfill(status=200, content_type="text/event-stream", body="retry: 600000\n\n")


def _visit(running: Browser) -> Visit:
    visit = Visit(running.new_page(viewport={"width": 1280, "height": 900}))
    # an order of an example does not exist: its stream is refused after a while, which the console shows
    visit.page.route("**/live?of=*", _answer_quietly)
    visit.page.route("**/bookshelf/photos/*/image?*", _draw)  # so do the photos of examples
    return visit


@pytest.fixture(scope="module")
def visits(running: Browser, shown: ShownShelf) -> dict[str, Visit]:
    """One page for all states of an address: a browser's start takes longer than a visit.

    Each address has its own, as a page may still ask for its icon when the next one is opened.
    """
    visits = {origin: _visit(running) for origin in (shown.origin, shown.node)}
    sign_in(visits[shown.node].page, shown)
    return visits


def sign_in(page: Page, shown: ShownShelf) -> None:
    """Show the page of the node to a browser; without a visit, whose transition the next one would abort."""
    answer = page.context.request.post(f"{shown.node}/console/token", form={"secret": shown.token})
    assert answer.ok


@pytest.mark.parametrize(("root", "template", "state"), STATES)
def test_a_page_keeps_the_policy_and_fits_every_window(
    visits: dict[str, Visit], shown: ShownShelf, root: str, template: str, state: str
) -> None:
    origin = shown.of(root)
    visit = visits[origin]
    visit.requests.clear()
    visit.complaints.clear()
    visit.page.goto(f"{origin}{root}/design/{template}/{quote(state)}")
    assert visit.layout_faults() == []
    if FULLEST.get(template, state) == state:
        for width in (390, 1280):
            visit.page.set_viewport_size({"width": width, "height": 900})
            assert visit.access_faults() == []
    assert visit.abroad(origin) == []
    assert visit.complaints == []


def test_the_pages_of_a_node_fit_in_german_and_without_scripts(running: Browser, shown: ShownShelf) -> None:
    visit = Visit(running.new_context(locale="de-DE", java_script_enabled=False).new_page())
    sign_in(visit.page, shown)
    for root, template, state in STATES:
        if root == NODE_SITE.parts.root:
            visit.page.goto(f"{shown.node}{root}/design/{template}/{quote(state)}")
            assert visit.page.locator("html").get_attribute("lang") == "de"
            assert (template, state, visit.layout_faults()) == (template, state, [])
    assert visit.abroad(shown.node) == []


def test_a_first_visit_is_small(running: Browser, origin: str) -> None:
    page = running.new_context().new_page()
    sizes: list[int] = []
    page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    page.goto(f"{origin}/design/books/usual", wait_until="networkidle")
    assert len(sizes) <= MOST_REQUESTS
    assert sum(sizes) <= MOST_BYTES


def test_a_later_visit_is_one_small_request_and_nothing_if_nothing_has_changed(
    running: Browser, origin: str
) -> None:
    context = running.new_context()
    for _ in range(2):  # the first one sets the zone in a cookie
        context.new_page().goto(f"{origin}/books", wait_until="networkidle")
    page = context.new_page()
    session = context.new_cdp_session(page)
    cached: set[str] = set()
    sizes: dict[str, int] = {}
    session.on("Network.requestServedFromCache", lambda event: cached.add(event["requestId"]))
    session.on(
        "Network.loadingFinished",
        lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}),
    )
    session.send("Network.enable")
    statuses: list[int] = []
    session.on("Network.responseReceivedExtraInfo", lambda event: statuses.append(event["statusCode"]))
    page.goto(f"{origin}/books", wait_until="networkidle")
    assert statuses[0] == 304
    over_network = [size for name, size in sizes.items() if name not in cached and size]
    assert len(over_network) == 1
    assert over_network[0] <= LATER_BYTES
    context.close()


def test_settings_are_saved_without_javascript(running: Browser, origin: str) -> None:
    page = running.new_context(java_script_enabled=False).new_page()
    page.goto(f"{origin}/settings")
    page.get_by_label("Dark").check()
    page.get_by_label("Language").select_option("de")
    page.get_by_role("button", name="Save").click()
    assert page.locator("#notice").inner_text() == "Gespeichert."
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_the_printed_page_has_no_bars(running: Browser, origin: str) -> None:
    page = running.new_page()
    page.goto(f"{origin}/design/books/usual")
    page.emulate_media(media="print")
    assert not page.locator(".top").is_visible()
    assert page.get_by_role("heading", name="Dune").is_visible()
    assert page.pdf().startswith(b"%PDF")

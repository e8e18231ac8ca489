"""An administrator in a real browser: a rollout is seen, committed, and another one rolled back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browser import Visit
from support.program import Program
from support.reader import WAIT_MS
from support.until import until

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

expect.set_options(timeout=WAIT_MS)
#: Long enough for an administrator that looks at the page: a commit has no time limit that matters here.
SETTINGS = {"BOOKSHELF_CLUSTER_DOMAIN": "blue", "BOOKSHELF_CLUSTER_COMMIT_TIMEOUT_MS": "120000"}


@pytest.fixture
def domain(tmp_path: Path) -> Iterator[Program]:
    """A running shelf that is the only node of its domain."""
    with Program(tmp_path / "data", env=SETTINGS).ready() as up:
        until(lambda: up.client.get("/cluster/members").json, "the node has joined")
        yield up
        assert up.stop().well


def proposed(up: Program, deadline_s: int) -> str:
    """Propose a policy; return the id of the rollout once it is prepared and shown."""
    change = {"kind": "policy", "name": "newbook", "content": f"deadline_s = {deadline_s}\n"}
    answer = up.client.ask("POST", "/cluster/rollouts", {"changes": [change]})
    assert answer.status == 200, answer.json
    rollout = str(answer.json["rollout"])
    until(lambda: phase(up, rollout) == ("prepared", ""), "the view has it")
    return rollout


def phase(up: Program, rollout: str) -> tuple[str, str]:
    answer = up.client.get(f"/cluster/rollouts/{rollout}")
    return ("", "") if answer.status != 200 else tuple(answer.json["rollout"][k] for k in ("phase", "result"))


def opened(running: Browser, up: Program, *, scripts: bool = True) -> Page:
    context = running.new_context(
        viewport={"width": 1280, "height": 900}, locale="en-GB", java_script_enabled=scripts
    )
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{up.note.url}/cluster")
    return page


def test_a_rollout_is_committed_and_another_rolled_back(running: Browser, domain: Program) -> None:
    page = opened(running, domain)
    expect(page.get_by_role("heading", level=1)).to_contain_text("One node")
    expect(page.get_by_text("All nodes are alike.")).to_be_visible()

    proposed(domain, 7)
    page.reload()
    card = page.locator("section.card")
    expect(card).to_contain_text("policy newbook")
    expect(card.locator("[aria-current=step]")).to_have_text("Prepared")
    card.get_by_role("link", name="Commit").click()
    page.get_by_role("dialog").get_by_role("button", name="Commit").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Rollout of")
    expect(page.get_by_text("All nodes have it.")).to_be_visible()  # it has waited for the end
    expect(page.get_by_text("Committed", exact=True)).to_be_visible()  # the page follows the rollout
    page.get_by_role("link", name="Overview", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("revision 1")

    second = proposed(domain, 9)
    plain = opened(running, domain, scripts=False)
    plain.get_by_role("link", name="Roll back").click()
    plain.get_by_role("button", name="Roll back").click()
    expect(plain.locator("#notice")).to_contain_text("The rollout is ended without its changes.")
    until(lambda: phase(domain, second)[1] == "aborted", "it has ended")
    plain.goto(f"{domain.note.url}/cluster/rollouts")
    expect(plain.get_by_role("row").nth(1)).to_contain_text("Aborted")
    expect(plain.get_by_role("row").nth(2)).to_contain_text("Committed")

    page.goto(f"{domain.note.url}/cluster")
    page.locator("tbody a").first.click()
    page.get_by_text("policy newbook").click()
    expect(page.get_by_text("deadline_s = 7")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="yes").first).to_be_visible()


def test_a_node_shows_its_own_page_to_a_browser_with_its_token(running: Browser, domain: Program) -> None:
    note = domain.note
    node = f"http://{note.control_host}:{note.control_port}"
    context = running.new_context(locale="de-DE", java_script_enabled=False)
    plain = context.new_page()
    plain.set_default_timeout(WAIT_MS)
    plain.goto(f"{node}/console")
    plain.get_by_label("Token des Knotens").fill(note.token)
    plain.get_by_role("main").get_by_role("button", name="Anmelden").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("shelf")
    expect(plain.get_by_text("Er ist wie die Revision und wie die meisten anderen Knoten.")).to_be_visible()
    plain.get_by_role("button", name="Abmelden").click()
    expect(plain.get_by_label("Token des Knotens")).to_be_visible()

    visit = Visit(running.new_page(locale="en-GB"))
    visit.page.goto(f"{node}/console")
    assert visit.layout_faults() == []
    visit.page.get_by_label("Token of the node").fill(note.token)
    visit.page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("shelf")
    visit.page.locator("summary").filter(has_text="newbook").first.click()
    expect(visit.page.get_by_text("POST /books").first).to_be_visible()
    assert visit.layout_faults() == []
    assert visit.access_faults() == []
    assert visit.abroad(node) == []
    assert visit.complaints == []

"""The gallery in a browser: Ann uploads, votes, comments; a moderator without scripts removes; Ann leaves."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from support.client import Client
from support.pictures import encoded, gradient
from support.process import bookshelf
from support.program import Program
from support.reader import WAIT_MS
from support.until import until

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

PASSWORD = "correct horse battery staple"  # noqa: S105 (of people of this test)
MODERATOR = {"handle": "moss", "name": "Mo Derator", "email": "mo@example.org", "password": PASSWORD}

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A gallery with accounts, one of which is a moderator's."""
    data = tmp_path_factory.mktemp("gallery") / "data"
    with Program(data, env={"BOOKSHELF_ACCOUNTS": "on"}).ready() as up:
        assert Client(up.note.url).ask("POST", "/bookshelf/accounts", MODERATOR).status == 201
        assert (
            "moderator" in bookshelf("accounts", "groups", "moss", "--join", "moderator", "--data", data).well
        )
        yield up
        assert up.stop().well


def open_page(running: Browser, *, scripted: bool = True) -> Page:
    context = running.new_context(
        viewport={"width": 1280, "height": 900}, locale="en-GB", java_script_enabled=scripted
    )
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    return page


def register(page: Page, url: str) -> None:
    """Make an account for Ann, from the page that asks guests to sign in."""
    page.goto(f"{url}/gallery/sign-in?next=/gallery/upload")
    page.get_by_role("main").get_by_role("link", name="Register").click()
    page.get_by_label("Handle").fill("ann")
    page.get_by_label("Name", exact=True).fill("Ann Reader")
    page.get_by_label("E-mail address").fill("ann@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Publish photos")).to_be_visible()


def upload_two(page: Page, folder: Path) -> None:
    """Choose two pictures at once; one has no title at first."""
    for name, size in (("wide", (900, 600)), ("tall", (600, 900))):
        (folder / f"{name}.jpg").write_bytes(encoded(gradient(*size), "JPEG"))
    page.locator("[type=file]").set_input_files([folder / "wide.jpg", folder / "tall.jpg"])
    forms = page.locator("[data-uploads] form")
    expect(forms).to_have_count(2)
    expect(forms.nth(1).get_by_role("img", name="The chosen picture")).to_have_attribute(
        "src", blob_address()
    )
    forms.nth(0).get_by_label("Title").fill("Low tide")
    forms.nth(0).get_by_role("button", name="Publish").click()
    forms.nth(1).get_by_role("button", name="Publish").click()
    expect(forms.nth(0)).to_contain_text("Published:\N{NO-BREAK SPACE}Low tide")
    expect(forms.nth(1)).to_contain_text("Write a title.")
    forms.nth(1).get_by_label("Title").fill("A pier")
    forms.nth(1).get_by_role("button", name="Publish").click()
    expect(forms.nth(1)).to_contain_text("Published:\N{NO-BREAK SPACE}A pier")


def blob_address() -> re.Pattern[str]:
    return re.compile(r"^blob:")


def card(page: Page, title: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=title, exact=True))


def see(page: Page, address: str, title: str) -> Locator:
    """Return the card of a photo once the list has it."""

    def shown() -> bool:
        page.goto(address)
        return card(page, title).count() == 1

    until(shown, f"{title} is in the list")
    return card(page, title)


def late_second_click(page: Page, button: Locator) -> None:
    """Click as the second part of a double click whose first part has been answered."""
    button.hover()
    page.mouse.down(click_count=2)
    page.mouse.up(click_count=2)


def vote_and_comment(page: Page, url: str) -> None:
    """Vote, change and withdraw the vote, and comment in place; all counts are there after a reload."""
    page.goto(f"{url}/gallery")
    low_tide = card(page, "Low tide")
    up, down = (
        low_tide.get_by_role("button", name="Vote for it"),
        low_tide.get_by_role("button", name="Vote against it"),
    )
    up.dblclick()
    expect(up).to_have_attribute("aria-pressed", "true")
    expect(up).to_contain_text("1")
    expect(low_tide.locator("form[data-vote='1']")).to_be_visible()  # the answer is there
    late_second_click(page, up)
    expect(up).to_have_attribute("aria-pressed", "true")
    down.click()
    expect(down).to_have_attribute("aria-pressed", "true")
    expect(up).to_contain_text("0")
    expect(down).to_be_focused()
    expect(low_tide.locator("form[data-vote='-1']")).to_be_visible()  # the answer is there
    down.click()
    expect(low_tide.locator("form[data-vote='0']")).to_be_visible()
    up.click()
    expect(up).to_contain_text("1")
    low_tide.locator("summary").click()
    box = low_tide.get_by_label("Your comment")
    box.fill("x" * 256)
    expect(low_tide.locator("[data-left]")).to_have_text("-1")
    low_tide.get_by_role("button", name="Send").click()
    expect(page.locator("#notice")).to_contain_text("Write 1 to 255 characters.")
    box.fill("Where is this?")
    low_tide.get_by_role("button", name="Send").click()
    expect(low_tide.get_by_text("Where is this?")).to_be_visible()
    expect(box).to_have_value("")
    expect(low_tide.locator("summary")).to_contain_text("1")
    page.reload()
    expect(up).to_have_attribute("aria-pressed", "true")


def moderate(page: Page, url: str) -> None:
    """Sign in without scripts, vote on Ann's photo, remove her comment and her other photo with a reason."""
    page.goto(f"{url}/gallery")
    see(page, f"{url}/gallery", "Low tide").get_by_role("link", name="Vote for it").click()
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    page.locator("input[name=login]").fill("moss")
    page.locator("input[type=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/gallery#photo-"))
    card(page, "Low tide").get_by_role("button", name="Vote for it").click()
    expect(card(page, "Low tide").get_by_role("button", name="Vote for it")).to_contain_text("2")
    card(page, "Low tide").get_by_role("link", name="Low tide").first.click()
    page.get_by_role("link", name="Remove the comment of Ann Reader").click()
    page.get_by_role("button", name="Remove the comment").click()
    expect(page.locator("#errors")).to_contain_text("Write the reason")
    page.get_by_label("Reason").fill("Not here")
    page.get_by_role("button", name="Remove the comment").click()
    expect(page.get_by_role("heading", name="No comments yet")).to_be_visible()
    see(page, f"{url}/gallery", "A pier").get_by_role("link", name="A pier").last.click()
    page.get_by_role("link", name="Remove as a moderator").click()
    page.get_by_label("Reason").fill("It shows a person who has not agreed")
    page.get_by_role("button", name="Remove the photo").click()
    expect(page.locator("#notice")).to_have_text("The photo is removed.")
    expect(card(page, "A pier")).to_have_count(0)


def leave(page: Page, url: str) -> None:
    """Delete the profile: what it has published goes, too."""
    page.goto(f"{url}/gallery/settings")
    page.get_by_role("link", name="Delete my profile").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete my profile").click()
    expect(page.locator("#notice")).to_contain_text("is being deleted")

    def gone() -> bool:
        page.goto(f"{url}/gallery")
        return page.get_by_text("No photos yet").is_visible()

    until(gone, "the photos of a deleted profile are gone")


def test_people_publish_vote_comment_moderate_and_leave(
    running: Browser, gallery: Program, tmp_path: Path
) -> None:
    url = gallery.note.url
    ann = open_page(running)
    register(ann, url)
    upload_two(ann, tmp_path)
    see(ann, f"{url}/gallery", "Low tide")
    vote_and_comment(ann, url)
    moderate(open_page(running, scripted=False), url)
    leave(ann, url)

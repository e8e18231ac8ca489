"""Makes the pictures of docs/photos.md in chromium, of a gallery that `bookshelf demo photos` fills.

`make pictures` runs it. Look at each picture before it is committed.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
from make_pictures import FOLDER, MOST, write_picture
from playwright.sync_api import Browser, Page, sync_playwright

from bookshelf.photos.demo.scenes import draw_scene

_PROGRAM = (sys.executable, "-m", "bookshelf")
_WIDE, _PHONE = (1280, 900), (390, 844)
_LOADED = """() => Promise.all([...document.images].map((image) => {
  image.loading = "eager";
  return image.decode().catch(() => 0);
}))"""


class Gallery(NamedTuple):
    """A running gallery: its address, and the people that can sign in."""

    url: str
    people: Mapping[str, Mapping[str, str]]


@contextmanager
def _gallery(data: Path) -> Iterator[Gallery]:
    made = subprocess.run(  # noqa: S603 (our own program)
        [*_PROGRAM, "demo", "photos", "--json", "--data", data], check=True, capture_output=True
    )
    people: dict[str, Any] = msgspec.json.decode(made.stdout)
    command = [*_PROGRAM, "up", "--data", str(data), "--port", "0", "--service-ports", "auto"]
    env = {**os.environ, "BOOKSHELF_ACCOUNTS": "on"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as up:  # noqa: S603 (as above)
        assert up.stdout is not None  # noqa: S101 (it is a pipe)
        url = up.stdout.readline().split()[-1].rstrip("/")
        try:
            yield Gallery(url, people)
        finally:
            up.terminate()


def _open(browser: Browser, size: tuple[int, int], theme: str = "light") -> Page:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        device_scale_factor=2 if size == _PHONE else 1,
        locale="en-GB",
        reduced_motion="reduce",
    )
    return context.new_page()


def _signed_in(
    browser: Browser, gallery: Gallery, person: str, size: tuple[int, int], theme: str = "light"
) -> Page:
    """Return a page of a person that has signed in."""
    page = _open(browser, size, theme)
    page.goto(f"{gallery.url}/account/sign-in?next=/gallery")
    page.locator("input[name=login]").fill(gallery.people[person]["login"])
    page.locator("input[type=password]").fill(gallery.people[person]["password"])
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Fresh").wait_for()
    return page


def _take(page: Page, name: str) -> None:
    page.evaluate("document.activeElement?.blur(), document.fonts.ready")
    page.evaluate(_LOADED)
    write_picture(name, [(page.screenshot(), 0)], MOST)


def _take_lists(browser: Browser, gallery: Gallery) -> None:
    """Take the lists as a guest sees them, and on a phone in the dark."""
    guest = _open(browser, _WIDE)
    guest.goto(f"{gallery.url}/gallery/trending")
    _take(guest, "gallery")
    guest.goto(f"{gallery.url}/gallery/hot")
    guest.get_by_role("link", name="Vote for it").first.click()
    guest.get_by_role("dialog").get_by_role("link", name="Sign in").wait_for()
    _take(guest, "gallery-sign-in")
    phone = _open(browser, _PHONE, "dark")
    phone.goto(f"{gallery.url}/gallery/trending")
    _take(phone, "gallery-phone-dark")


def _take_member(browser: Browser, gallery: Gallery, folder: Path) -> None:
    """Take what a member does: votes, comments, uploads, looks at what is one's own."""
    page = _signed_in(browser, gallery, "member", _WIDE)
    page.goto(f"{gallery.url}/gallery/trending")
    page.locator(".vote").first.click()
    page.locator("form[data-vote='1']").first.wait_for()
    page.locator(".talk summary").first.click()
    page.locator(".comment").first.wait_for()
    _take(page, "gallery-comments")
    page.get_by_role("heading", level=2).first.get_by_role("link").click()
    page.get_by_label("Your comment").wait_for()
    _take(page, "gallery-photo")
    page.goto(f"{gallery.url}/gallery/me/photos")
    _take(page, "gallery-own")
    page.goto(f"{gallery.url}/gallery/upload")
    for name, scene, light in (("one", "dunes", "gold"), ("two", "aurora", "night")):
        (folder / f"{name}.jpg").write_bytes(draw_scene(scene, light, (1200, 800), 7))
    page.locator("[type=file]").set_input_files([folder / "one.jpg", folder / "two.jpg"])
    page.get_by_label("Title").first.fill("Noon in the dunes")
    page.get_by_role("button", name="Publish").first.click()
    page.locator(".upload-done").wait_for()
    page.get_by_label("Title").last.fill("Green night")
    _take(page, "gallery-upload")


def _take_moderator(browser: Browser, gallery: Gallery) -> None:
    page = _signed_in(browser, gallery, "moderator", _WIDE)
    page.get_by_role("heading", level=2).first.get_by_role("link").click()
    page.get_by_role("link", name="Remove as a moderator").click()
    page.get_by_label("Reason").wait_for()
    _take(page, "gallery-moderation")


def main() -> None:
    """Make all pictures of the gallery."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory() as folder,
        _gallery(Path(folder) / "data") as gallery,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        _take_lists(browser, gallery)
        _take_member(browser, gallery, Path(folder))
        _take_moderator(browser, gallery)
        browser.close()


if __name__ == "__main__":
    main()

"""Makes the pictures of docs/photos.md in chromium, of a gallery that `bookshelf demo photos` fills.

`make pictures` runs it. Look at each picture before it is committed.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from demo_site import PHONE, WIDE, DemoSite, chromium, demo_site, new_page
from make_pictures import MOST, write_picture
from playwright.sync_api import Browser, Page

from bookshelf.photos.demo.scenes import draw_scene

_LOADED = """() => Promise.all([...document.images].map((image) => {
  image.loading = "eager";
  return image.decode().catch(() => 0);
}))"""


def _take(page: Page, name: str) -> None:
    page.evaluate("document.activeElement?.blur(), document.fonts.ready")
    page.evaluate(_LOADED)
    write_picture(name, [(page.screenshot(), 0)], MOST)


def _take_lists(browser: Browser, gallery: DemoSite) -> None:
    """Take the lists as a guest sees them, and on a phone in the dark."""
    guest = new_page(browser, WIDE)
    guest.goto(f"{gallery.url}/gallery/trending")
    _take(guest, "gallery")
    guest.goto(f"{gallery.url}/gallery/hot")
    guest.get_by_role("link", name="Vote for it").first.click()
    guest.get_by_role("dialog").get_by_role("link", name="Sign in").wait_for()
    _take(guest, "gallery-sign-in")
    phone = new_page(browser, PHONE, "dark")
    phone.goto(f"{gallery.url}/gallery/trending")
    _take(phone, "gallery-phone-dark")


def _take_member(browser: Browser, gallery: DemoSite, folder: Path) -> None:
    """Take what a member does: votes, comments, uploads, looks at what is one's own."""
    page = gallery.signed_in(browser, "member")
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


def _take_moderator(browser: Browser, gallery: DemoSite) -> None:
    page = gallery.signed_in(browser, "moderator")
    page.get_by_role("heading", level=2).first.get_by_role("link").click()
    page.get_by_role("link", name="Remove as a moderator").click()
    page.get_by_label("Reason").wait_for()
    _take(page, "gallery-moderation")


def main() -> None:
    """Make all pictures of the gallery."""
    with (
        TemporaryDirectory() as folder,
        demo_site("photos", "/gallery", Path(folder) / "data") as gallery,
        chromium() as browser,
    ):
        _take_lists(browser, gallery)
        _take_member(browser, gallery, Path(folder))
        _take_moderator(browser, gallery)


if __name__ == "__main__":
    main()

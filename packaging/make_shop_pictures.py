"""Makes the pictures of docs/shop.md in chromium, of a shop that `bookshelf demo shop` fills: make pictures.

Look at each before it is committed.
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

_PROGRAM = (sys.executable, "-m", "bookshelf")
_WIDE, _PHONE = (1280, 900), (390, 844)


class Shop(NamedTuple):
    """A running shop: its address, and the people that can sign in."""

    url: str
    people: Mapping[str, Mapping[str, str]]


@contextmanager
def _shop(data: Path) -> Iterator[Shop]:
    made = subprocess.run(  # noqa: S603 (our own program)
        [*_PROGRAM, "demo", "shop", "--json", "--data", data], check=True, capture_output=True
    )
    people: dict[str, Any] = msgspec.json.decode(made.stdout)
    command = [*_PROGRAM, "up", "--data", str(data), "--port", "0", "--service-ports", "auto"]
    env = {**os.environ, "BOOKSHELF_ACCOUNTS": "on"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as up:  # noqa: S603 (as above)
        assert up.stdout is not None  # noqa: S101 (it is a pipe)
        url = up.stdout.readline().split()[-1].rstrip("/")
        try:
            yield Shop(url, people)
        finally:
            up.terminate()


def _signed_in(
    browser: Browser, shop: Shop, person: str, size: tuple[int, int], theme: str = "light"
) -> Page:
    """Return a page of a person that has signed in."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        device_scale_factor=2 if size == _PHONE else 1,
        locale="en-GB",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(f"{shop.url}/account/sign-in?next=/shop")
    page.locator("input[name=login]").fill(shop.people[person]["login"])
    page.locator("input[type=password]").fill(shop.people[person]["password"])
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="The bookshop.").wait_for()
    return page


def _take(page: Page, name: str) -> None:
    page.evaluate("document.activeElement?.blur(), document.fonts.ready")
    write_picture(name, [(page.screenshot(), 0)], MOST)


def _answer(page: Page, card: str) -> None:
    """Answer the questions of a checkout, up to its summary."""
    page.get_by_label("Name and address").fill("Ada Thornton\n12 Mill Lane\nHebden Bridge")
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Card", exact=False).and_(page.get_by_role("radio")).check()
    page.get_by_label("Card number").fill(card)
    page.get_by_label("Name on the card").fill("Ada Thornton")
    page.get_by_label("Valid until").fill("09/49")
    page.get_by_label("Security code").fill("123")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("heading", name="Is everything right?").wait_for()


def _take_customer(browser: Browser, shop: Shop) -> None:
    """Take a purchase: the shop, a book, the cart, the summary, the order, its invoice."""
    page = _signed_in(browser, shop, "customer", _WIDE)
    _take(page, "shop")
    page.goto(f"{shop.url}/shop/search?q=dune")
    page.get_by_role("link", name="Dune").first.click()
    page.get_by_role("heading", level=1, name="Dune").wait_for()
    _take(page, "shop-book")
    page.get_by_role("button", name="Add to cart").click()
    page.locator("#notice").wait_for()
    page.goto(f"{shop.url}/shop/search?q=lighthouse")
    page.get_by_role("link", name="To the Lighthouse").first.click()
    page.get_by_role("button", name="Add to cart").click()
    page.locator("#notice").wait_for()
    page.goto(f"{shop.url}/shop/cart")
    _take(page, "shop-cart")
    page.get_by_role("link", name="Go on to the order").click()
    _answer(page, "4242 4242 4242 4242")
    _take(page, "shop-summary")
    page.locator("#order").click()
    page.get_by_role("link", name="Invoice").wait_for()
    _take(page, "shop-order")
    page.get_by_role("link", name="Invoice").click()
    _take(page, "shop-invoice")
    page.goto(f"{shop.url}/shop/search?q=dune")
    page.get_by_role("link", name="Dune").first.click()
    page.get_by_role("button", name="Order now").click()
    _answer(page, "4000 0000 0000 0341")
    page.locator("#order").click()
    page.get_by_text("Something holds it up").wait_for()
    page.goto(f"{shop.url}/shop/orders?state=CANCELED")
    if (canceled := page.locator("main a[href*='/shop/orders/o-']")).count():
        canceled.first.click()
        page.get_by_role("heading", name="Why it was canceled").wait_for()
        _take(page, "shop-canceled")
    phone = _signed_in(browser, shop, "customer", _PHONE, "dark")
    _take(phone, "shop-phone-dark")


def _prepare(page: Page, shop: Shop) -> None:
    """Take what a manager does before a purchase: products, and the credit of a customer."""
    for name, address in (("manage", "/manage"), ("manage-products", "/manage/products")):
        page.goto(f"{shop.url}{address}")
        _take(page, name)
    page.locator("main tbody a").first.click()
    page.get_by_role("button", name="Save").wait_for()
    _take(page, "manage-product")
    page.goto(f"{shop.url}/manage/customers?q={shop.people['customer']['login']}")
    page.locator("main tbody a").first.click()
    page.get_by_role("heading", name="Changes of the credit").wait_for()
    _take(page, "manage-customer")


def _look_after(page: Page, shop: Shop) -> None:
    """Take what a manager does after a purchase: a stalled order, one that is shipped, the revenue."""
    page.goto(f"{shop.url}/manage/orders?stalled=on")
    page.locator("#orders a").first.click()
    page.get_by_role("button", name="Try the payment again").wait_for()
    _take(page, "manage-stalled")
    page.goto(f"{shop.url}/manage/orders?to-ship=on")
    page.locator("#orders a").first.click()
    page.get_by_label("Number of the parcel").fill("JD0123456789")
    page.get_by_role("button", name="It is on its way").click()
    page.locator("#notice").wait_for()
    page.reload()
    _take(page, "manage-order")
    page.goto(f"{shop.url}/manage/revenue?by=month")
    _take(page, "manage-revenue")


def main() -> None:
    """Make all pictures of the shop."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory() as folder,
        _shop(Path(folder) / "data") as shop,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        manager = _signed_in(browser, shop, "manager", _WIDE)
        _prepare(manager, shop)
        _take_customer(browser, shop)
        _look_after(manager, shop)
        browser.close()


if __name__ == "__main__":
    main()

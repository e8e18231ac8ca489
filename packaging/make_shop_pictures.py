"""Makes the pictures of docs/shop.md in chromium, of a shop that `bookshelf demo shop` fills: make pictures.

Look at each before it is committed.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from demo_site import PHONE, DemoSite, chromium, demo_site
from make_pictures import MOST, write_picture
from playwright.sync_api import Browser, Page


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


def _take_customer(browser: Browser, shop: DemoSite) -> None:
    """Take a purchase: the shop, a book, the cart, the summary, the order, its invoice."""
    page = shop.signed_in(browser, "customer")
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
    phone = shop.signed_in(browser, "customer", PHONE, "dark")
    _take(phone, "shop-phone-dark")


def _prepare(page: Page, shop: DemoSite) -> None:
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


def _look_after(page: Page, shop: DemoSite) -> None:
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
    with (
        TemporaryDirectory() as folder,
        demo_site("shop", "/shop", Path(folder) / "data") as shop,
        chromium() as browser,
    ):
        manager = shop.signed_in(browser, "manager")
        _prepare(manager, shop)
        _take_customer(browser, shop)
        _look_after(manager, shop)


if __name__ == "__main__":
    main()

"""A customer in a real browser: looks, fills the cart, orders on credit, runs out of it, pays by card."""

import pytest
from playwright.sync_api import Browser, Page, expect
from support.client import Client
from support.program import Program
from support.reader import WAIT_MS

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

expect.set_options(timeout=WAIT_MS)


def add_products(client: Client) -> None:
    """Add a category with two books."""
    category = client.post("/shop/categories", {"name": "Novels"}).json["id"]
    for name, amount, units in (("Middlemarch", 3000, 9), ("Dune", 2500, 9)):
        price = {"amount": amount, "currency": "EUR"}
        product = {"name": name, "price": price, "units": units, "category": category, "vat_permille": 70}
        client.post("/shop/products", {**product, "supplier": "Harbour Books"})


def add_to_cart(page: Page, name: str, quantity: int) -> None:
    page.get_by_role("link", name=name, exact=True).first.click()
    page.get_by_label("Quantity").fill(str(quantity))
    page.get_by_role("button", name="Add to cart").click()
    expect(page.locator("#notice")).to_contain_text("in your cart")


def check_out(page: Page) -> None:
    """Go from the cart to the question of how to pay."""
    page.get_by_role("link", name="Cart").first.click()
    page.get_by_role("link", name="Go on to the order").click()
    page.get_by_label("Name and address").fill("Ann Reader\n12 Shelf Lane")
    page.get_by_role("button", name="Go on").click()


def test_the_cart_is_counted_in_each_tab_and_the_shop_is_searched_as_one_types(
    running: Browser, shelf: Program
) -> None:
    price = {"amount": 700, "currency": "EUR"}
    for name in ("Emma", "Persuasion"):
        shelf.client.post("/shop/products", {"name": name, "price": price, "units": 9})
    assert shelf.client.get("/shop/products?q=persuasion").json
    context = running.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    page, other = context.new_page(), context.new_page()
    for tab in (page, other):
        tab.set_default_timeout(WAIT_MS)
        tab.goto(f"{shelf.note.url}/shop")
        expect(tab.get_by_role("heading", name="Emma")).to_be_visible()
    page.get_by_role("searchbox").press_sequentially("persu")
    expect(page.get_by_role("heading", name="Emma")).to_have_count(0)
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_role("link", name="Persuasion", exact=True).first.click()
    page.get_by_label("Quantity").fill("3")
    page.get_by_role("button", name="Add to cart").click()
    expect(other.locator("header .count")).to_have_text("3")
    page.get_by_role("link", name="Cart").first.click()
    page.get_by_role("button", name="Remove Persuasion").click()
    expect(other.locator("header .count")).to_have_count(0)
    context.close()


def test_a_customer_orders_on_credit_then_by_card_and_prints_the_invoice(
    running: Browser, shelf: Program
) -> None:
    add_products(shelf.client)
    page = running.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB").new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{shelf.note.url}/shop")
    add_to_cart(page, "Middlemarch", 2)
    check_out(page)
    expect(page.get_by_text("€40.00 after this order")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Order for €60.00").click()
    expect(page.get_by_text("Paid, and being packed")).to_be_visible()  # live

    page.goto(f"{shelf.note.url}/shop/search?q=dun")
    add_to_cart(page, "Dune", 3)
    check_out(page)
    page.get_by_label("My credit").check()
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Order for €75.00").click()
    reason = page.get_by_text("Your credit is not enough: €75.00 is needed, €40.00 is left")
    expect(reason).to_be_visible()
    page.get_by_role("link", name="To the cart").click()

    check_out(page)
    page.get_by_label("Card", exact=False).and_(page.get_by_role("radio")).check()
    page.get_by_label("Card number").fill("4242 4242 4242 4242")
    page.get_by_label("Name on the card").fill("Ann Reader")
    page.get_by_label("Valid until").fill("09/29")
    page.get_by_label("Security code").fill("123")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("Visa •••• 4242")).to_be_visible()
    page.get_by_role("button", name="Order for €75.00").click()
    expect(page.get_by_text("Paid, and being packed")).to_be_visible()
    page.reload()
    page.get_by_role("link", name="Invoice").click()
    expect(page.get_by_text("Dune")).to_be_visible()
    assert page.pdf().startswith(b"%PDF")

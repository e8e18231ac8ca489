"""A manager in a real browser: a product with a picture, units, an order that is sent, credit, revenue."""

from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from support.program import Program
from support.reader import WAIT_MS
from support.until import until

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

expect.set_options(timeout=WAIT_MS)


def picture() -> bytes:
    """Return a JPEG of one colour."""
    written = BytesIO()
    Image.new("RGB", (300, 450), (20, 60, 120)).save(written, "JPEG")
    return written.getvalue()


def test_a_manager_sells_a_product_and_sends_an_order(running: Browser, shelf: Program) -> None:
    page = running.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB").new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{shelf.note.url}/manage/categories/add")
    page.get_by_label("Name").fill("Novels")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="Novels", exact=True)).to_be_visible()

    page.goto(f"{shelf.note.url}/manage/products/add")
    page.get_by_label("Name").fill("Middlemarch")
    page.get_by_label("Price in EUR").fill("19.99")
    page.get_by_label("Category").select_option(label="Novels")
    page.get_by_label("Units").fill("3")
    page.get_by_label("Picture", exact=True).set_input_files(
        {"name": "cover.jpg", "mimeType": "image/jpeg", "buffer": picture()}
    )
    expect(page.get_by_alt_text("The chosen picture")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Middlemarch").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Middlemarch")
    product = page.url.rpartition("/")[2]
    image = page.locator(".form-picture img")
    expect(image).to_have_js_property("complete", value=True)
    expect(image).to_have_js_property("naturalWidth", value=200)

    page.get_by_role("link", name="Units").click()
    page.get_by_label("Number").fill("7")
    page.get_by_label("Why").fill("a parcel of the publisher")
    page.get_by_role("button", name="Add so many").click()
    expect(page.locator("#notice")).to_be_visible()
    lines = [{"product": product, "quantity": 2}]
    order = {"lines": lines, "pay": "credit", "address": "Ann Reader"}
    wait = {"Idempotency_Key": "one", "Prefer": "wait=10"}
    client = shelf.client
    made = client.ask("POST", "/shop/orders", order, **wait).json
    assert made["state"] == "FINALIZED"
    until(lambda: client.get(f"/shop/orders/{made['id']}").json["invoice"], "views have the order")

    page.goto(f"{shelf.note.url}/manage/orders")
    page.get_by_role("row").filter(has_text="Middlemarch").get_by_role("link").first.click()
    expect(page.get_by_text("Finalized: paid, and taken from the stock")).to_be_visible()
    page.get_by_label("Number of the parcel").fill("JD0123")
    page.get_by_role("button", name="It is on its way").click()
    expect(page.locator("#notice")).to_contain_text("on its way")
    until(lambda: client.get("/shop/revenue?by=product").json, "so has the revenue")
    page.goto(f"{shelf.note.url}/manage/revenue?by=product")
    expect(page.get_by_role("row").filter(has_text="Middlemarch")).to_contain_text("€39.98")
    page.goto(f"{shelf.note.url}/manage")
    expect(page.get_by_role("heading", level=1)).to_contain_text("One order today")


def test_a_pending_order_is_canceled_after_a_question(running: Browser, shelf: Program) -> None:
    page = running.new_context(viewport={"width": 390, "height": 844}, locale="en-GB").new_page()
    page.set_default_timeout(WAIT_MS)
    price = {"amount": 500, "currency": "EUR"}
    product = shelf.client.post("/shop/products", {"name": "Emma", "price": price, "units": 9}).json["id"]
    card = {"number": "4000000000000341", "holder": "Ann", "expiry": "12/49", "cvc": "123"}
    token = shelf.client.ask("POST", "/shop/cards", card).json["token"]
    order = {"lines": [{"product": product, "quantity": 1}], "pay": {"card": token}}
    wait = {"Idempotency_Key": "two", "Prefer": "wait=10"}
    client = shelf.client
    made = client.ask("POST", "/shop/orders", order, **wait).json
    assert made["state"] == "APPROVED"  # its payment was declined after the approval
    until(lambda: client.get(f"/shop/orders/{made['id']}").json["stalled"], "views have the order")
    page.goto(f"{shelf.note.url}/manage/orders/{made['id']}")
    expect(page.get_by_text("The payment was declined after the order was approved")).to_be_visible()
    page.get_by_role("link", name="Cancel the order").click()
    expect(page.get_by_role("heading", name="Cancel the order?")).to_be_visible()
    page.get_by_role("button", name="Cancel the order").click()
    expect(page.locator("#notice")).to_contain_text("The order is canceled")

"""Invoices by HTTP: one's own, for managers everyone's; and as a printable page, the same bytes each time."""

from collections.abc import AsyncIterator

import pytest
from support.shop import PRICE, Shop

from bookshelf.cqrs.handler import GUEST
from bookshelf.http.message import request
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.identity import SignedCallers, signed_in
from bookshelf.shop.credit import CREDIT, OpenCredit
from bookshelf.shop.invoice import INVOICE
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER
from bookshelf.shop.order_commands import PlaceOrder
from bookshelf.shop.order_events import Terms
from bookshelf.shop.product import PRODUCT, AddProduct
from bookshelf.shop.values import OrderLine, ProductDetails

CUSTOMER = frozenset({"shop:buy"})
ANN, BOB = (signed_in(name, CUSTOMER, None) for name in ("a-ann", "a-bob"))
MANAGER = signed_in("a-manager", CUSTOMER | {"shop:manage"}, None)
NUMBER = "/shop/invoices/2026-000001"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    """A shop with an invoice of Ann, of two lines."""
    async with Shop(callers=SignedCallers(b"the secret of this test")) as shop:
        await shop.stock()
        details = ProductDetails(name="<script>alert(1)</script> & Söhne", vat_permille=190)
        await shop.ask(PRODUCT, "p-2", AddProduct(details=details, price=Money(999, "EUR"), units=9))
        await shop.ask(CREDIT, "a-ann", OpenCredit(amount=Money(10_000, "EUR")))
        lines = (OrderLine("p-1", 2, PRICE), OrderLine("p-2", 3))
        place = PlaceOrder(terms=Terms(customer="a-ann"), lines=lines, at=shop.clock.now())
        await shop.ask(ORDER, "o-1", place)
        await shop.state(INVOICE, "o-1", number="2026-000001")
        yield shop


async def test_an_invoice_is_a_page_for_a_browser(shop: Shop) -> None:
    await shop.get("accounting", "/shop/invoices", ANN)
    page = await shop.send("accounting", "GET", NUMBER, by=ANN, Accept=BROWSER)
    assert page.status == 200, page.body
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Vary"] == "Accept"
    assert "script-src" not in page.headers["Content-Security-Policy"]
    text = page.body.decode()
    for shown in ("Invoice 2026-000001", "1 March 2026", "1 Shelf Street", "€30.00", "€29.97", "€59.97"):
        assert shown in text, shown
    for shown in ("7 %", "19 %", "€1.96", "€28.04", "€4.79", "€25.18"):  # VAT and net of each rate
        assert shown in text, shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Söhne" in text
    again = await shop.send("accounting", "GET", NUMBER, by=MANAGER, Accept=BROWSER, Accept_Language="de")
    assert again.body == page.body
    as_json = await shop.send("accounting", "GET", NUMBER, by=ANN, Accept="application/json")
    assert as_json.json["total"]["amount"] == 5997
    assert (await shop.send("accounting", "GET", NUMBER, by=ANN)).body == as_json.body


async def test_a_customer_sees_own_invoices_and_a_manager_all(shop: Shop) -> None:
    for by, query, count in (
        (ANN, "", 1),
        (ANN, "?customer=me", 1),
        (BOB, "", 0),
        (BOB, "?customer=a-ann", 0),
        (MANAGER, "", 1),
        (MANAGER, "?customer=a-ann", 1),
        (MANAGER, "?customer=me", 0),
    ):
        listed = await shop.get("accounting", f"/shop/invoices{query}", by)
        assert (len(listed.json), listed.headers["Bookshelf-Count"]) == (count, str(count)), query
    seen = await shop.send("accounting", "GET", NUMBER, by=BOB, Accept=BROWSER)
    missing = await shop.send("accounting", "GET", f"{NUMBER}9", by=BOB, Accept=BROWSER)
    assert (seen.status, seen.body) == (404, missing.body)
    assert (await shop.get("accounting", NUMBER, GUEST)).status == 401


@pytest.mark.parametrize(
    ("accept", "prefers"),
    [
        (BROWSER, True),
        ("text/html;q=0.5, application/json;q=0.4", True),
        ("text/html;q=0.4, application/json", False),
        ("application/*, text/html;q=0.9", False),
        ("text/html;q=high", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_accept_ranks_what_is_answered(accept: str, prefers: bool) -> None:  # noqa: FBT001 (a row)
    accepted = request("GET", "/", b"", Accept=accept).headers
    assert header_fields.prefers(accepted, "text/html") == prefers

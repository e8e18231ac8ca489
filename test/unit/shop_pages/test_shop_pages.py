"""The pages of the shop for customers, over scripted answers: what they send, and what they show."""

import base64
import re
from typing import Any

import pytest
from support.pages import Pages, ScriptedApi, ShownPage

from bookshelf.cqrs.handler import GUEST, LOCAL, Caller
from bookshelf.shop.pages.customer.checkout_state import Checkout, read_checkout
from bookshelf.shop.pages.customer.site import SITE
from bookshelf.site.preferences import CHECKOUT_COOKIE as COOKIE

DUNE = {"id": "p-1", "name": "Dune", "price": {"amount": 1099, "currency": "EUR"}, "availability": "in"}
CUSTOMER = Caller(actor="ann", account="a-1", owner="a-1", scopes=frozenset({"shop:buy"}))
_RANGE = "Write a number from 0 to 999."
CARD = {
    "pay": "card",
    "number_secret": "5555 5555 5555 4444",
    "holder": "Ann",
    "expiry": "09/29",
    "code_secret": "123",
}


def money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


def line(quantity: int = 1, **changes: object) -> dict[str, Any]:
    usual = {
        "product": "p-1",
        "name": "Dune",
        "image": "",
        "quantity": quantity,
        "unique": False,
        "price": money(1099),
        "now": money(1099),
        "availability": "in",
        "removed": False,
        "subtotal": money(1099 * quantity),
    }
    return usual | changes


def put_into_cart(api: ScriptedApi, *lines: dict[str, Any]) -> None:
    total = sum(one["subtotal"]["amount"] for one in lines)
    count = sum(one["quantity"] for one in lines)
    api.answer("GET", "/shop/cart", 200, {"lines": lines, "total": money(total), "count": count})


@pytest.fixture
def api() -> ScriptedApi:
    scripted = ScriptedApi()
    scripted.answer("GET", "/shop/products/p-1", 200, DUNE)
    scripted.answer("PUT", "/shop/cart/lines/p-1", 200, {"lines": [], "count": 1})
    scripted.answer("POST", "/shop/orders", 201, {"id": "o-1"})
    card = {"token": "t-1", "brand": "Visa", "last4": "4242", "until": "2026-03-01T12:15:00Z"}
    scripted.answer("POST", "/shop/cards", 201, card)
    credit = {
        "customer": "a-1",
        "balance": money(10_000),
        "reserved": money(0),
        "available": money(10_000),
    }
    scripted.answer("GET", "/shop/customers/me/credit", 200, credit)
    put_into_cart(scripted)
    return scripted


@pytest.fixture
def pages(api: ScriptedApi) -> Pages:
    return Pages(SITE, api, caller=CUSTOMER)


async def test_a_guest_sees_a_product_and_signs_in_to_buy_it(api: ScriptedApi) -> None:
    pages = Pages(SITE, api, caller=GUEST)
    shown = await pages.get("/shop/products/p-1")
    assert "Sign in to buy" in shown.words
    answer = await pages.post("/shop/products/p-1", {"_key": "k", "quantity": "1"})
    assert answer.location == "/account/sign-in?next=%2Fshop%2Fproducts%2Fp-1"
    assert api.sent == []


async def test_pages_are_written_as_an_amount_and_other_whole_numbers_as_they_are(
    pages: Pages, api: ScriptedApi
) -> None:
    attributes = {"published": 1965, "pages": 1412, "isbn": 9780140449136, "weight": 1.5}
    api.answer("GET", "/shop/products/p-1", 200, DUNE | {"attributes": attributes})
    shown = await pages.get("/shop/products/p-1", Accept_Language="de")
    assert "Seiten 1.412 ISBN 9780140449136 weight 1,5" in shown.words
    assert "Published 1965 Pages 1,412" in (await pages.get("/shop/products/p-1")).words


@pytest.mark.parametrize(("scope", "offered"), [("shop:buy", False), ("shop:manage", True)])
async def test_an_empty_shop_is_managed_by_its_managers_alone(
    api: ScriptedApi,
    scope: str,
    offered: bool,  # noqa: FBT001 (a parameter of pytest)
) -> None:
    api.answer("GET", "/shop/categories", 200, [])
    api.answer("GET", "/shop/products", 200, [])
    pages = Pages(
        SITE, api, caller=Caller(actor="ann", account="a-1", owner="a-1", scopes=frozenset({scope}))
    )
    assert ("Manage the shop" in (await pages.get("/shop")).words) is offered


async def test_what_is_added_comes_to_what_is_in_the_cart_at_the_price_that_was_shown(
    pages: Pages, api: ScriptedApi
) -> None:
    put_into_cart(api, line(2))
    await pages.post("/shop/products/p-1", {"_key": "k", "quantity": "3"})
    assert api.sent == [("PUT", "/shop/cart/lines/p-1", {"quantity": 5, "price": money(1099)})]


async def test_a_second_click_on_add_is_no_error(pages: Pages, api: ScriptedApi) -> None:
    api.answer("PUT", "/shop/cart/lines/p-1", 422, {"type": "urn:bookshelf:problem:key-reused"})
    answer = await pages.post("/shop/products/p-1", {"_key": "k", "quantity": "1"})
    assert answer.status == 303


async def test_another_problem_of_the_cart_is_shown(pages: Pages, api: ScriptedApi) -> None:
    full = {"type": "urn:bookshelf:problem:conflict", "detail": "a cart has up to 50 lines"}
    api.answer("PUT", "/shop/cart/lines/p-1", 409, full)
    answer = await pages.post("/shop/products/p-1", {"_key": "k", "quantity": "1"})
    assert answer.status == 409
    assert "a cart has up to 50 lines" in answer.words


async def test_the_bar_has_the_number_of_things_in_the_cart(pages: Pages, api: ScriptedApi) -> None:
    put_into_cart(api, line(2), line(7, product="p-2"))
    shown = await pages.get("/shop/products/p-1")
    assert '<b class="count num">9</b>' in shown.html


async def test_a_new_price_is_accepted_with_the_quantity_of_the_line(pages: Pages, api: ScriptedApi) -> None:
    put_into_cart(api, line(3, now=money(1299)))
    shown = await pages.get("/shop/cart")
    assert "The price has changed: €10.99 €12.99" in shown.words
    assert "/shop/checkout" not in shown.html
    await pages.post("/shop/cart/lines/p-1", {"_key": "k", "accept": "on"})
    assert api.sent == [("PUT", "/shop/cart/lines/p-1", {"quantity": 3, "price": money(1299)})]


async def test_what_was_taken_out_of_the_cart_can_be_put_back(pages: Pages, api: ScriptedApi) -> None:
    put_into_cart(api, line(4))
    api.answer("DELETE", "/shop/cart/lines/p-1", 200, {"lines": [], "count": 0})
    answer = await pages.post("/shop/cart/lines/p-1", {"_key": "k", "quantity": "0"})
    put_into_cart(api)
    shown = await pages.get(answer.location)
    assert "Dune is out of the cart." in shown.words
    assert shown.value("quantity") == "4"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("1000", "Write a number from 0 to 999."),
        ("two", "Write a number from 0 to 999."),
        ("", "Fill this in."),
    ],
)
async def test_a_wrong_quantity_changes_nothing_and_is_explained_at_its_line(
    pages: Pages, api: ScriptedApi, typed: str, why: str
) -> None:
    put_into_cart(api, line(4), line(7, product="p-2"))
    answer = await pages.post("/shop/cart/lines/p-1", {"_key": "k", "quantity": typed})
    assert answer.status == 422
    assert api.sent == []
    assert f"Quantity: {why}" in answer.words
    assert 'id="quantity-error"' in answer.html.partition('id="line-p-1"')[2].partition('id="line-p-2"')[0]
    assert re.findall(r'name="quantity"[^>]* value="([^"]*)"', answer.html) == [typed, "0", "7", "0"]


async def until_summary(pages: Pages, payment: dict[str, str]) -> None:
    await pages.get("/shop/checkout")
    await pages.post("/shop/checkout", {"_key": "k", "address": "Ann\n12 Shelf Lane"})
    answer = await pages.post("/shop/checkout/payment", {"_key": "k", **payment})
    assert answer.location == "/shop/checkout/summary"


def order_fields(summary: ShownPage) -> dict[str, str]:
    return {name: summary.value(name) for name in ("_key", "line", "answers")}


async def test_an_order_is_what_the_summary_showed_however_often_it_is_sent(
    pages: Pages, api: ScriptedApi
) -> None:
    put_into_cart(api, line(2))
    await until_summary(pages, {"pay": "credit"})
    summary = await pages.get("/shop/checkout/summary")
    again = await pages.get("/shop/checkout/summary")
    assert "Order for €21.98" in summary.words
    assert "€78.02 is left then" in summary.words
    assert again.html == summary.html
    fields = order_fields(summary)
    kept = dict(pages.cookies)
    first = await pages.post("/shop/checkout/summary", fields)
    pages.cookies = kept  # a second click: the browser has not seen the first answer
    await pages.post("/shop/checkout/summary", fields)
    assert first.location == "/shop/orders/o-1"
    ordered = [one for one in api.requests if one.target == "/bookshelf/shop/orders"]
    assert len({one.headers["Idempotency-Key"] for one in ordered}) == 1
    assert api.sent[-1][2] == {
        "lines": [{"product": "p-1", "quantity": 2, "price": money(1099)}],
        "pay": "credit",
        "cart": True,
        "address": "Ann\n12 Shelf Lane",
    }


async def test_without_accounts_the_first_order_may_use_the_credit_that_it_opens(api: ScriptedApi) -> None:
    api.answer("GET", "/shop/customers/me/credit", 404, {"type": "urn:bookshelf:problem:not-found"})
    put_into_cart(api, line())
    for caller, offered in ((LOCAL, True), (CUSTOMER, False)):
        pages = Pages(SITE, api, caller=caller)
        await pages.post("/shop/checkout", {"_key": "k", "address": "Ann"})
        shown = await pages.get("/shop/checkout/payment")
        assert ("€100.00 now, €89.01 after this order." in shown.words) is offered


async def test_after_an_order_its_summary_leads_to_no_second_one(pages: Pages, api: ScriptedApi) -> None:
    put_into_cart(api, line())
    await until_summary(pages, {"pay": "credit"})
    summary = await pages.get("/shop/checkout/summary")
    fields = order_fields(summary)
    await pages.post("/shop/checkout/summary", fields)
    sent = len(api.sent)
    assert (await pages.get("/shop/checkout/summary")).location == "/shop/checkout"
    assert (await pages.post("/shop/checkout/summary", fields)).location == "/shop/orders"
    assert len(api.sent) == sent
    api.answer("GET", "/shop/orders", 200, [])
    shown = await pages.get("/shop/orders")
    assert "If your order is not in this list, nothing was ordered." in shown.words


async def test_of_a_card_only_the_token_is_kept(pages: Pages, api: ScriptedApi) -> None:
    put_into_cart(api, line())
    await until_summary(pages, CARD)
    given = {"number": "5555 5555 5555 4444", "holder": "Ann", "expiry": "09/29", "cvc": "123"}
    assert api.sent == [("POST", "/shop/cards", given)]
    kept = read_checkout(pages.cookies, "a-1")
    assert kept is not None
    assert (kept.token, kept.brand, kept.last4) == ("t-1", "Visa", "4242")
    assert "5555 5555" not in base64.urlsafe_b64decode(pages.cookies[COOKIE] + "==").decode()
    assert "Visa •••• 4242" in (await pages.get("/shop/checkout/summary")).words


async def test_a_card_that_is_refused_is_not_shown_again(pages: Pages, api: ScriptedApi) -> None:
    put_into_cart(api, line())
    await pages.post("/shop/checkout", {"_key": "k", "address": "Ann"})
    refusal = {
        "type": "urn:bookshelf:problem:invalid",
        "detail": "wrong",
        "errors": [{"pointer": "/number", "detail": "is no number of a card"}],
    }
    api.answer("POST", "/shop/cards", 422, refusal)
    shown = await pages.post("/shop/checkout/payment", {"_key": "k", **CARD})
    assert shown.status == 422
    assert 'value="Ann"' in shown.html
    assert "5555 5555" not in shown.html
    assert 'value="123"' not in shown.html
    assert "Card number: Check the digits of this number." in shown.words
    assert 'href="#number_secret"' in shown.html


async def test_an_incomplete_card_is_not_sent(pages: Pages, api: ScriptedApi) -> None:
    put_into_cart(api, line())
    await pages.post("/shop/checkout", {"_key": "k", "address": "Ann"})
    shown = await pages.post("/shop/checkout/payment", {"_key": "k", **CARD, "holder": " "})
    assert shown.status == 422
    assert "Name on the card: Fill this in." in shown.words
    assert api.sent == []


@pytest.mark.parametrize("changes", [{"now": money(1299)}, {"availability": "out"}, {"removed": True}])
async def test_a_cart_that_cannot_be_ordered_leads_from_the_summary_to_the_cart(
    pages: Pages, api: ScriptedApi, changes: dict[str, Any]
) -> None:
    put_into_cart(api, line())
    await until_summary(pages, {"pay": "credit"})
    put_into_cart(api, line(**changes))
    assert (await pages.get("/shop/checkout/summary")).location == "/shop/cart"


async def test_one_product_is_ordered_at_once_and_leaves_the_cart_alone(
    pages: Pages, api: ScriptedApi
) -> None:
    answer = await pages.post("/shop/products/p-1", {"_key": "k", "quantity": "2", "then": "order"})
    assert answer.location == "/shop/checkout?product=p-1&quantity=2"
    await pages.post(answer.location, {"_key": "k", "address": "Ann"})
    await pages.post("/shop/checkout/payment", {"_key": "k", "pay": "credit"})
    summary = await pages.get("/shop/checkout/summary")
    await pages.post("/shop/checkout/summary", order_fields(summary))
    assert api.sent[-1][2]["cart"] is False
    assert api.sent[-1][2]["lines"] == [{"product": "p-1", "quantity": 2, "price": money(1099)}]


async def test_a_cookie_of_another_program_begins_a_new_checkout(pages: Pages) -> None:
    for text in ("", "%%%", "bm9wZQ", base64.urlsafe_b64encode(b'{"key": 1}').decode()):
        pages.cookies[COOKIE] = text
        assert (await pages.get("/shop/checkout/summary")).location == "/shop/checkout"


def test_a_checkout_that_fits_into_no_cookie_is_refused() -> None:
    assert Checkout(key="k", address="x" * 400, token="t" * 600).cookie() is not None
    assert Checkout(key="k", token="t" * 4000).cookie() is None


ORDER = {
    "id": "o-1",
    "state": "CANCELED",
    "pay": "credit",
    "customer": "a-1",
    "placed": "2026-01-31T20:31:00Z",
    "total": money(2198),
    "lines": [
        {"product": "p-1", "quantity": 2, "name": "Dune", "price": money(1099), "answer": "out-of-stock"}
    ],
    "reasons": [{"code": "out-of-stock", "product": "p-1", "wanted": 2, "available": 1}],
    "stalled": "",
    "shipped": None,
    "tracking": "",
    "invoice": None,
    "address": "forgotten",
}


async def test_an_order_has_its_reasons_in_words_and_follows_its_own_stream(
    pages: Pages, api: ScriptedApi
) -> None:
    api.answer("GET", "/shop/orders/o-1", 200, ORDER)
    history = [{"type": "shop.order-placed.v1", "time": "2026-01-31T20:31:00Z", "actor": "ann"}]
    api.answer("GET", "/shop/orders/o-1/history", 200, history)
    shown = await pages.get("/shop/orders/o-1")
    assert "Dune: only 1 left, and you wanted 2" in shown.words
    assert "The address is forgotten." in shown.words
    assert 'data-live-stream="/shop/live?of=order%3Ao-1"' in shown.html
    german = await pages.get("/shop/orders/o-1", Accept_Language="de")
    assert "Dune: nur noch 1 da, und du wolltest 2" in german.words


async def test_a_customer_is_asked_once_before_an_order_is_canceled(pages: Pages, api: ScriptedApi) -> None:
    api.answer("GET", "/shop/orders/o-1", 200, ORDER | {"state": "PENDING", "reasons": []}, ETag='"1"')
    api.answer("POST", "/shop/orders/o-1/cancel", 200, ORDER)
    shown = await pages.get("/shop/orders/o-1")
    assert 'href="/shop/orders/o-1/cancel" data-dialog' in shown.html
    assert "<form" not in shown.html.partition("<main")[2].partition("</main>")[0]
    asked = await pages.get("/shop/orders/o-1/cancel")
    assert "Cancel the order? Dune" in asked.words
    answer = await pages.post("/shop/orders/o-1/cancel", {"_key": asked.value("_key")})
    assert answer.location == "/shop/orders/o-1"
    assert api.sent == [("POST", "/shop/orders/o-1/cancel", None)]


async def test_an_order_that_is_not_pending_any_more_is_shown_in_place_of_the_question(
    pages: Pages, api: ScriptedApi
) -> None:
    api.answer("GET", "/shop/orders/o-1", 200, ORDER)
    assert (await pages.get("/shop/orders/o-1/cancel")).location == "/shop/orders/o-1"

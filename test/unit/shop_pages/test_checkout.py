"""A checkout belongs to one person, keeps what is ordered, and orders what its summary showed."""

from datetime import timedelta

import pytest
from support.fixed_infrastructure import FixedClock
from support.pages import Pages, ScriptedApi, ShownPage

from bookshelf.accounts.pages.site import SITE as ACCOUNTS
from bookshelf.cqrs.handler import Caller
from bookshelf.shop.pages.customer.site import SITE

PRICE = {"amount": 1099, "currency": "EUR"}
DUNE = {"id": "p-1", "name": "Dune", "price": PRICE, "availability": "in"}
LINE = {
    "product": "p-1",
    "name": "Dune",
    "image": "",
    "quantity": 1,
    "unique": False,
    "price": PRICE,
    "now": PRICE,
    "availability": "in",
    "removed": False,
    "subtotal": PRICE,
}
CARD = {
    "pay": "card",
    "number_secret": "5555 5555 5555 4444",
    "holder": "Ann",
    "expiry": "09/29",
    "code_secret": "123",
}
SUMMARY = "/shop/checkout/summary"


def customer(name: str) -> Caller:
    return Caller(actor=name, account=f"a-{name}", owner=f"a-{name}", scopes=frozenset({"shop:buy"}))


@pytest.fixture
def api() -> ScriptedApi:
    scripted = ScriptedApi()
    scripted.answer("GET", "/shop/products/p-1", 200, DUNE)
    scripted.answer("GET", "/shop/cart", 200, {"lines": [LINE], "total": PRICE, "count": 1})
    scripted.answer("GET", "/shop/orders", 200, [])
    scripted.answer("POST", "/shop/orders", 201, {"id": "o-1"})
    card = {"token": "t-1", "brand": "Visa", "last4": "4242", "until": "2026-03-01T12:15:00Z"}
    scripted.answer("POST", "/shop/cards", 201, card)
    return scripted


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def pages(api: ScriptedApi, clock: FixedClock) -> Pages:
    return Pages(SITE, api, clock, caller=customer("ann"))


def order_fields(summary: ShownPage) -> dict[str, str]:
    return {name: summary.value(name) for name in ("_key", "line", "answers")}


async def answer(pages: Pages, payment: dict[str, str], start: str = "/shop/checkout") -> ShownPage:
    await pages.post(start, {"_key": "k", "address": "Ann, 12 Shelf Lane"})
    await pages.post("/shop/checkout/payment", {"_key": "k", **payment})
    return await pages.get(SUMMARY)


async def test_the_checkout_of_one_person_is_neither_shown_to_nor_paid_for_the_next(
    pages: Pages, api: ScriptedApi
) -> None:
    summary = await answer(pages, CARD)
    other = Pages(SITE, api, caller=customer("bo"))
    other.cookies = dict(pages.cookies)
    sent = len(api.sent)
    assert "12 Shelf Lane" not in (await other.get("/shop/checkout")).words
    assert (await other.get("/shop/checkout/payment")).location == "/shop/checkout"
    assert (await other.get(SUMMARY)).location == "/shop/checkout"
    assert (await other.post(SUMMARY, order_fields(summary))).location == "/shop/orders"
    assert len(api.sent) == sent
    await other.post("/shop/checkout", {"_key": "k", "address": "Bo"})
    assert (await other.get(SUMMARY)).location == "/shop/checkout/payment"


async def test_the_cookie_of_a_checkout_is_sent_over_tls_alone_if_it_was_set_there(pages: Pages) -> None:
    fields = {"_key": "k", "address": "Ann"}
    plain = await pages.post("/shop/checkout", fields)
    assert "Secure" not in plain.headers["Set-Cookie"]
    secure = await pages.post("/shop/checkout", fields, X_Forwarded_Proto="https")
    assert secure.headers["Set-Cookie"].endswith("; Secure")


async def test_a_checkout_ends_at_sign_out(pages: Pages, api: ScriptedApi) -> None:
    await pages.post("/shop/checkout", {"_key": "k", "address": "Ann"})
    api.answer("POST", "/accounts/logout", 204)
    account = Pages(ACCOUNTS, api, caller=customer("ann"))
    account.cookies = pages.cookies
    await account.post("/account/sign-out", {"_key": "k"})
    assert pages.cookies == {"bookshelf-notice": "signed-out"}


async def test_one_product_stays_what_is_ordered_on_the_ways_back(pages: Pages, api: ScriptedApi) -> None:
    start = "/shop/checkout?product=p-1&quantity=2"
    summary = await answer(pages, {"pay": "credit"}, start)
    link = 'href="/shop/checkout?product=p-1&amp;quantity=2"'
    assert summary.html.count(link) == 2
    assert (await pages.get("/shop/checkout/payment")).html.count(link) == 2
    assert 'href="/shop/checkout"' not in summary.html
    again = await answer(pages, {"pay": "credit"}, start)
    await pages.post(SUMMARY, order_fields(again))
    assert api.sent[-1][2]["cart"] is False


async def test_a_card_is_asked_for_again_once_its_token_is_over(
    pages: Pages, api: ScriptedApi, clock: FixedClock
) -> None:
    summary = await answer(pages, CARD)
    clock.move(timedelta(minutes=16))
    sent = len(api.sent)
    for way in (await pages.get(SUMMARY), await pages.post(SUMMARY, order_fields(summary))):
        assert way.location == "/shop/checkout/payment"
    assert "The time of your card is over" in (await pages.get("/shop/checkout/payment")).words
    assert len(api.sent) == sent


async def test_a_summary_with_other_answers_than_those_of_now_orders_nothing(
    pages: Pages, api: ScriptedApi
) -> None:
    first = await answer(pages, {"pay": "credit"})
    await pages.post("/shop/checkout", {"_key": "k", "address": "Bo, 1 Other Street"})
    shown = await pages.submit(SUMMARY, order_fields(first))
    assert "Your answers have changed meanwhile" in shown.words
    assert "1 Other Street" in shown.words
    assert api.sent == []
    await pages.post(SUMMARY, order_fields(shown))
    assert api.sent[-1][2]["address"] == "Bo, 1 Other Street"


async def test_a_shop_that_takes_no_orders_is_explained_in_german(pages: Pages, api: ScriptedApi) -> None:
    summary = await answer(pages, CARD)
    refusal = {"type": "urn:bookshelf:problem:conflict", "detail": "its setting shop_currency is USD"}
    api.answer("POST", "/shop/orders", 409, refusal)
    refused = await pages.post(SUMMARY, order_fields(summary), Accept_Language="de")
    assert "Der Laden nimmt gerade keine Bestellungen an." in refused.words
    assert "shop_currency" not in refused.html

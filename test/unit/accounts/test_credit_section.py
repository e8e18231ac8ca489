"""The credit on the page of an account: while there is a shop."""

import pytest
from support.pages import Pages, ScriptedApi

from bookshelf.accounts.pages.site import SITE
from bookshelf.cqrs.handler import Caller

ANN = Caller(actor="ann", account="a-1", owner="a-1", scopes=frozenset({"read", "shop:buy"}))


def money(amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": "EUR"}


@pytest.fixture
def api() -> ScriptedApi:
    scripted = ScriptedApi()
    account = {"handle": "ann", "name": "Ann", "email": "ann@example.org", "since": "2026-01-31T20:31:00Z"}
    scripted.answer("GET", "/accounts/me", 200, account)
    scripted.answer("GET", "/accounts/sessions", 200, [])
    return scripted


async def test_the_account_has_the_credit_with_its_changes(api: ScriptedApi) -> None:
    credit = {"balance": money(7402), "reserved": money(2598), "available": money(4804)}
    api.answer("GET", "/shop/customers/me/credit", 200, {"customer": "a-1", **credit})
    reserved = {"type": "shop.credit-reserved.v1", "amount": 2598, "order": "o-2"}
    taken = {"type": "shop.credit-taken.v1", "amount": -2598, "order": "o-1"}
    opened = {"type": "shop.credit-opened.v1", "amount": 10_000}
    entries = [{**one, "time": "2026-01-31T20:31:00Z", "actor": "ann"} for one in (reserved, taken, opened)]
    api.answer("GET", "/shop/customers/me/entries", 200, entries)
    shown = await Pages(SITE, api, caller=ANN).get("/account")
    assert "Your credit at the bookshop €48.04 €25.98 more is reserved for orders." in shown.words
    assert "Reserved for an order" in shown.words
    assert "the order €25.98" in shown.words
    assert "the order −€25.98" in shown.words  # noqa: RUF001 (a minus)
    assert "+€100.00" in shown.words
    assert 'href="/shop/orders/o-1"' in shown.html


async def test_without_a_shop_the_account_has_no_credit(api: ScriptedApi) -> None:
    shown = await Pages(SITE, api, caller=ANN).get("/account")
    assert shown.status == 200
    assert "credit" not in shown.words

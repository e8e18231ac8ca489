"""What callers may do in the shop: every route, asked by two customers, a manager, a guest and a reader."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
from support.shelf import Answered
from support.shop import PRICE, SHOP, Shop

from bookshelf.cqrs.handler import GUEST, Caller
from bookshelf.http.message import close_body
from bookshelf.runtime.api.identity import SignedCallers, signed_in
from bookshelf.shop.category import CATEGORY, AddCategory
from bookshelf.shop.credit import CREDIT, OpenCredit
from bookshelf.shop.invoice import INVOICE
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER
from bookshelf.shop.order_commands import PlaceOrder
from bookshelf.shop.order_events import Terms
from bookshelf.shop.values import OrderLine

CUSTOMER = frozenset({"shop:buy"})
ANN, BOB = (signed_in(name, CUSTOMER, None) for name in ("a-ann", "a-bob"))
MANAGER = signed_in("a-manager", CUSTOMER | {"shop:manage"}, None)
READER = signed_in("a-reader-only", frozenset({"read", "write"}), None)
EUROS = {"amount": 1500, "currency": "EUR"}
ANYONE, SELF, MANAGERS = "anyone", "self", "managers"


class Visit(NamedTuple):
    """The callers of a route, and a body for it. `of_ann`: its address names a thing of Ann."""

    may: str
    body: Any = None
    of_ann: bool = False


ORDER_BODY = {"lines": [{"product": "p-1", "quantity": 1}], "pay": "credit"}
CARD = {"number": "4242424242424242", "holder": "Ann", "expiry": "12/30", "cvc": "123"}
#: Every route of the shop; a new one is added here.
WALK: dict[tuple[str, str], Visit] = {
    ("GET", "/shop/products"): Visit(ANYONE),
    ("GET", "/shop/products/{id}"): Visit(ANYONE),
    ("GET", "/shop/products/{id}/history"): Visit(MANAGERS),
    ("POST", "/shop/products"): Visit(MANAGERS, {"name": "Emma", "price": EUROS}),
    ("PATCH", "/shop/products/{id}"): Visit(MANAGERS, {"name": "Dune"}),
    ("POST", "/shop/products/{id}/units"): Visit(MANAGERS, {"add": 1}),
    ("PUT", "/shop/products/{id}/units"): Visit(MANAGERS, {"units": 9}),
    ("DELETE", "/shop/products/{id}"): Visit(MANAGERS),
    ("GET", "/shop/currency"): Visit(ANYONE),
    ("GET", "/shop/categories"): Visit(ANYONE),
    ("GET", "/shop/categories/{id}"): Visit(ANYONE),
    ("POST", "/shop/categories"): Visit(MANAGERS, {"name": "Novels"}),
    ("PATCH", "/shop/categories/{id}"): Visit(MANAGERS, {"name": "Novels"}),
    ("DELETE", "/shop/categories/{id}"): Visit(MANAGERS),
    ("GET", "/shop/cart"): Visit(SELF),
    ("PUT", "/shop/cart/lines/{product}"): Visit(SELF, {"quantity": 2}),
    ("DELETE", "/shop/cart/lines/{product}"): Visit(SELF),
    ("DELETE", "/shop/cart"): Visit(SELF),
    ("GET", "/shop/orders"): Visit(SELF),
    ("POST", "/shop/orders"): Visit(SELF, ORDER_BODY),
    ("GET", "/shop/orders/summary"): Visit(MANAGERS),
    ("GET", "/shop/orders/{id}"): Visit(SELF, of_ann=True),
    ("GET", "/shop/orders/{id}/history"): Visit(SELF, of_ann=True),
    ("GET", "/shop/orders/{id}/events"): Visit(SELF, of_ann=True),
    ("POST", "/shop/orders/{id}/cancel"): Visit(SELF, of_ann=True),
    ("POST", "/shop/orders/{id}/shipped"): Visit(MANAGERS),
    ("POST", "/shop/orders/{id}/capture"): Visit(MANAGERS),
    ("POST", "/shop/cards"): Visit(SELF, CARD),
    ("GET", "/shop/customers"): Visit(MANAGERS),
    ("GET", "/shop/customers/me/credit"): Visit(SELF),
    ("GET", "/shop/customers/me/entries"): Visit(SELF),
    ("GET", "/shop/customers/{id}/credit"): Visit(MANAGERS),
    ("GET", "/shop/customers/{id}/entries"): Visit(MANAGERS),
    ("POST", "/shop/customers/{id}/credit/grants"): Visit(MANAGERS, {"amount": EUROS}),
    ("PUT", "/shop/customers/{id}/credit"): Visit(MANAGERS, {"amount": EUROS}),
    ("GET", "/shop/invoices"): Visit(SELF),
    ("GET", "/shop/invoices/{number}"): Visit(SELF, of_ann=True),
    ("GET", "/shop/revenue"): Visit(MANAGERS),
}
ROUTES = {(route.method, route.path): service.name for service in SHOP for route in service.loaded().serves}
#: The things of Ann by the start of a path, and things that are not there.
HERS = {"/shop/orders": "o-1", "/shop/invoices": "2026-000001", "/shop/customers": "a-ann"}
OTHERS = {"/shop/orders": "o-9", "/shop/invoices": "2026-000009", "/shop/customers": "a-nobody"}


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    """A shop that has sold p-1 to Ann."""
    async with Shop(callers=SignedCallers(b"the secret of this test")) as shop:
        await shop.stock()
        await shop.ask(CATEGORY, "c-1", AddCategory(name="Novels"))
        await shop.ask(CREDIT, "a-ann", OpenCredit(amount=Money(10_000, "EUR")))
        await shop.get("orders", "/shop/cart", ANN)  # the view of carts has the product
        filled = await shop.send("orders", "PUT", "/shop/cart/lines/p-1", {"quantity": 1}, ANN)
        assert filled.status == 200, filled.body
        place = PlaceOrder(
            terms=Terms(customer="a-ann"), lines=(OrderLine("p-1", 1, PRICE),), at=shop.clock.now()
        )
        await shop.ask(ORDER, "o-1", place)
        await shop.ended("o-1", "FINALIZED")
        await shop.state(INVOICE, "o-1", number="2026-000001")
        await shop.get("accounting", "/shop/invoices", ANN)
        yield shop


def address(path: str, things: dict[str, str]) -> str:
    """Return the address of a thing."""
    plain = {"/shop/products": "p-1", "/shop/categories": "c-1", "/shop/cart": "p-1", **things}
    thing = next((thing for start, thing in plain.items() if path.startswith(start)), "")
    for name in ("{id}", "{product}", "{number}"):
        path = path.replace(name, thing)
    return path


async def visit(shop: Shop, key: tuple[str, str], by: Caller, things: dict[str, str]) -> tuple[int, bytes]:
    """Return status and body of the answer to a visit; a stream has no body here."""
    method, path = key
    body = WALK[key].body
    answer = await shop.respond(ROUTES[key], method, address(path, things), body, by, Idempotency_Key="k-1")
    if not isinstance(answer.body, bytes):
        await close_body(answer.body)
        return answer.status, b""
    return answer.status, answer.body


def test_the_walk_has_every_route_of_the_shop() -> None:
    assert WALK.keys() == ROUTES.keys()


async def test_guests_see_the_catalogue_and_nothing_else(shop: Shop) -> None:
    for key, route in WALK.items():
        status, _ = await visit(shop, key, GUEST, HERS)
        assert status == 200 if route.may == ANYONE else status == 401, key
        reader, _ = await visit(shop, key, READER, HERS)
        assert reader == 200 if route.may == ANYONE else reader == 403, key


async def test_customers_reach_their_own_things_only(shop: Shop) -> None:
    before = await everything_of(shop, ANN)
    for key, route in WALK.items():
        if route.may == MANAGERS:
            for things in HERS, OTHERS:
                assert (await visit(shop, key, BOB, things))[0] == 403, key
        elif route.of_ann:
            hers, missing = [await visit(shop, key, BOB, things) for things in (HERS, OTHERS)]
            assert hers == missing, key
            assert hers[0] == 404, key
    for target, answer in (await everything_of(shop, BOB)).items():
        for thing in HERS.values():
            assert thing.encode() not in answer.body, target
    assert {target: answer.body for target, answer in (await everything_of(shop, ANN)).items()} == {
        target: answer.body for target, answer in before.items()
    }


async def test_a_manager_reaches_the_things_of_everyone(shop: Shop) -> None:
    for key, route in WALK.items():
        if key[0] == "GET" and (route.may == MANAGERS or route.of_ann):
            assert (await visit(shop, key, MANAGER, HERS))[0] == 200, key
            assert (await visit(shop, key, MANAGER, OTHERS))[0] in {200, 404}, key


async def everything_of(shop: Shop, person: Caller) -> dict[str, Answered]:
    """Return what a person sees in lists, by address."""
    seen = {}
    for (method, path), route in WALK.items():
        if method == "GET" and route.may == SELF and "{" not in path:
            seen[path] = await shop.get(ROUTES[method, path], path, person)
    return seen

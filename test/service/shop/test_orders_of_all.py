"""Managers see the orders of everyone, by every filter, and how many there are; a stream follows one."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine
from sqlalchemy.event import listen, remove
from support.shop import LATE, PRICE, Shop

from bookshelf.cqrs.handler import GUEST, Caller
from bookshelf.http.message import close_body
from bookshelf.runtime.api.identity import SignedCallers, signed_in
from bookshelf.shop.credit import CREDIT, OpenCredit
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER
from bookshelf.shop.order_commands import PlaceOrder, ShipOrder
from bookshelf.shop.order_events import Terms
from bookshelf.shop.values import OrderLine

CUSTOMER = frozenset({"shop:buy"})
ANN, BOB = (signed_in(name, CUSTOMER, None) for name in ("a-ann", "a-bob"))
MANAGER = signed_in("a-manager", CUSTOMER | {"shop:manage"}, None)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    """A shop that has sold o-1 and o-2 to Ann, and refused o-3 to Bob a day later; o-4 of Bob has stalled."""
    async with Shop(callers=SignedCallers(b"the secret of this test")) as shop:
        await shop.stock()
        await shop.ask(CREDIT, "a-ann", OpenCredit(amount=Money(10_000, "EUR")))
        await place(shop, "o-1", Terms(customer="a-ann"))
        await shop.ended("o-1", "FINALIZED")
        await place(shop, "o-2", Terms(customer="a-ann"))
        await shop.ended("o-2", "FINALIZED")
        await shop.ask(ORDER, "o-2", ShipOrder(at=shop.clock.now()))
        shop.clock.move(timedelta(days=1))
        await place(shop, "o-3", Terms(customer="a-bob"), 7)
        await shop.ended("o-3", "CANCELED")
        card = shop.sandbox.tokenize(LATE, "12/30", "123").token
        await place(shop, "o-4", Terms(customer="a-bob", pay="card", card=card))
        await shop.state(ORDER, "o-4", stalled="capture-declined")
        yield shop


#: Queries of a manager, and the orders that each finds.
FOUND = [
    ("", ["o-4", "o-3", "o-2", "o-1"]),
    ("sort=placed", ["o-1", "o-2", "o-3", "o-4"]),
    ("customer=a-ann", ["o-2", "o-1"]),
    ("customer=me", []),
    ("state=CANCELED", ["o-3"]),
    ("reason=out-of-stock", ["o-3"]),
    ("reason=unknown-customer", ["o-3"]),
    ("reason=timeout", []),
    ("stalled=true", ["o-4"]),
    ("to-ship=true", ["o-1"]),
    ("to-ship=true&customer=a-bob", []),
    ("from=2026-03-02", ["o-4", "o-3"]),
    ("to=2026-03-01", ["o-2", "o-1"]),
    ("from=0001-01-01&to=9999-12-31&customer=a-ann", ["o-2", "o-1"]),
    ("from=9999-12-31", []),
    ("to=0001-01-01", []),
    ("from=2026-03-01&to=2026-03-01&customer=a-bob", []),
]


async def place(shop: Shop, order: str, terms: Terms, quantity: int = 1) -> None:
    lines = (OrderLine("p-1", quantity, PRICE),)
    await shop.ask(ORDER, order, PlaceOrder(terms=terms, lines=lines, at=shop.clock.now()))


async def ids(shop: Shop, query: str, person: Caller = MANAGER) -> list[str]:
    answer = await shop.get("orders", f"/shop/orders?{query}", person)
    assert answer.status == 200, answer.body
    found = [order["id"] for order in answer.json]
    assert answer.headers["Bookshelf-Count"] == str(len(found))
    return found


async def test_a_manager_finds_orders(shop: Shop) -> None:
    for query, expected in FOUND:
        assert sorted(await ids(shop, query)) == sorted(expected), query


async def test_lists_are_by_time_and_paged(shop: Shop) -> None:
    first = await shop.get("orders", "/shop/orders?limit=3&sort=placed", MANAGER)
    assert [order["placed"][:10] for order in first.json] == ["2026-03-01", "2026-03-01", "2026-03-02"]
    link = first.headers["Link"].partition("<")[2].partition(">")[0]
    assert len((await shop.get("orders", link, MANAGER)).json) == 1


async def test_a_customer_sees_own_orders_only(shop: Shop) -> None:
    assert sorted(await ids(shop, "", ANN)) == ["o-1", "o-2"]
    assert sorted(await ids(shop, "customer=me", BOB)) == ["o-3", "o-4"]
    assert await ids(shop, "customer=a-ann", BOB) == []
    for path in ("", "/history", "/events"):
        seen = await shop.get("orders", f"/shop/orders/o-1{path}", BOB)
        missing = await shop.get("orders", f"/shop/orders/o-9{path}", BOB)
        assert (seen.status, seen.body) == (404, missing.body)
    assert (await shop.get("orders", "/shop/orders/o-1", MANAGER)).json["customer"] == "a-ann"
    assert (await shop.get("orders", "/shop/orders/o-1/history", MANAGER)).status == 200
    assert (await shop.get("orders", "/shop/orders", GUEST)).status == 401
    shared = await shop.get("orders", "/shop/orders", MANAGER)
    assert shared.headers["Cache-Control"] == "private, no-cache"


async def test_a_request_cannot_name_what_its_caller_sees(shop: Shop) -> None:
    for query in ("sees_all=true", "owner=a-ann"):
        assert (await shop.get("orders", f"/shop/orders?{query}", BOB)).status == 422


async def test_a_summary_counts_states_and_reasons(shop: Shop) -> None:
    summary = await shop.get("orders", "/shop/orders/summary", MANAGER)
    assert summary.json == {
        "orders": 4,
        "by_state": {"APPROVED": 1, "CANCELED": 1, "FINALIZED": 2},
        "by_reason": {"out-of-stock": 1, "unknown-customer": 1},
        "stalled": 1,
        "to_ship": 1,
        "zone": "Europe/Berlin",
    }
    first = (await shop.get("orders", "/shop/orders/summary?to=2026-03-01", MANAGER)).json
    assert (first["orders"], first["by_reason"], first["stalled"]) == (2, {}, 0)
    assert (await shop.get("orders", "/shop/orders/summary", ANN)).status == 403


async def test_a_stream_has_an_order_whenever_it_changes(shop: Shop) -> None:
    await shop.get("orders", "/shop/orders")
    stream = await shop.respond("orders", "GET", "/shop/orders/o-1/events", by=ANN)
    assert stream.status == 200
    assert not isinstance(stream.body, bytes)
    shown = [await message(stream.body)]
    await shop.ask(ORDER, "o-1", ShipOrder(tracking="T1", at=shop.clock.now()))
    shown.append(await message(stream.body))
    await close_body(stream.body)
    assert [order["tracking"] for order in shown] == ["", "T1"]


async def message(pieces: AsyncIterator[bytes]) -> Any:  # noqa: ANN401 (JSON)
    """Return the data of the next message of a stream that has any."""
    async for piece in pieces:
        for line in piece.splitlines():
            if line.startswith(b"data: "):
                return msgspec.json.decode(line.removeprefix(b"data: "))
    raise AssertionError("the stream has ended")


async def test_a_list_reads_the_events_of_all_its_orders_at_once(shop: Shop) -> None:
    await shop.caught_up()
    statements: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "orders_event" in statement:
            statements.append(statement)

    listen(Engine, "before_cursor_execute", count)
    try:
        assert len(await ids(shop, "limit=4")) == 4
    finally:
        remove(Engine, "before_cursor_execute", count)
    assert len(statements) == 1


async def test_an_order_of_somebody_else_is_answered_like_one_that_is_not_there(shop: Shop) -> None:
    for tag in ({}, {"If_Match": '"1"'}, {"If_Match": "*"}, {"Idempotency_Key": "k"}):
        answers = []
        for order in ("o-1", "o-9"):
            given: dict[str, Any] = {**tag}
            answer = await shop.send("orders", "POST", f"/shop/orders/{order}/cancel", by=BOB, **given)
            answers.append((answer.status, answer.body, dict(answer.headers)))
        assert answers[0] == answers[1], tag
        assert answers[0][0] == (412 if tag.get("If_Match") == '"1"' else 404)
    for action in ("shipped", "capture"):
        refused = await shop.send("orders", "POST", f"/shop/orders/o-1/{action}", by=ANN)
        assert refused.status == 403
    shown = await shop.get("orders", "/shop/orders/o-4", MANAGER)
    canceled = await shop.send(
        "orders", "POST", "/shop/orders/o-4/cancel", by=MANAGER, If_Match=shown.headers["ETag"]
    )
    assert canceled.json["reasons"][0]["code"] == "manager"
    shipped = await shop.send("orders", "POST", "/shop/orders/o-1/shipped", by=MANAGER)
    assert shipped.status == 200

"""Orders by HTTP: one for each key, whatever is retried; awaited on request; wrong values are refused."""

import pytest
from support.shelf import Answered
from support.shop import GOOD, SILENT, Shop

from bookshelf.cqrs.envelope import decode_envelope
from bookshelf.shop.credit import CREDIT
from bookshelf.shop.stock import STOCK
from bookshelf.shop.welcome import LOCAL_READER

ONE = {"lines": [{"product": "p-1", "quantity": 1}], "pay": "credit"}


async def placed(shop: Shop, order: object, key: str, prefer: str) -> Answered:
    return await shop.send("orders", "POST", "/shop/orders", order, Idempotency_Key=key, Prefer=prefer)


async def test_a_key_leads_to_one_order_however_often_it_is_sent() -> None:
    async with Shop() as shop:
        await shop.stock()
        first = await shop.send("orders", "POST", "/shop/orders", ONE, Idempotency_Key="k-1")
        assert (first.status, first.json["state"]) == (201, "PENDING")
        order = first.json["id"]
        assert first.headers["Location"] == f"/shop/orders/{order}"
        await shop.ended(order, "FINALIZED")
        again = await placed(shop, ONE, "k-1", "wait=5")
        assert (again.status, again.json["id"], again.json["state"]) == (201, order, "FINALIZED")
        assert again.headers["Idempotency-Replayed"] == "true"
        other = {**ONE, "lines": [{"product": "p-1", "quantity": 2}]}
        reused = await shop.send("orders", "POST", "/shop/orders", other, Idempotency_Key="k-1")
        assert (reused.status, reused.json["type"].rpartition(":")[2]) == (422, "key-reused")
        missing = await shop.send("orders", "POST", "/shop/orders", ONE)
        assert (missing.status, missing.json["errors"][0]["header"]) == (428, "Idempotency-Key")
        await shop.state(STOCK, "p-1", units=2, held=0)


async def test_a_key_has_spaces_and_up_to_255_characters() -> None:
    async with Shop() as shop:
        await shop.stock()
        for key in ("my first order", "k" * 255):
            first, again = [
                await shop.send("orders", "POST", "/shop/orders", ONE, Idempotency_Key=key) for _ in "12"
            ]
            assert (first.status, again.json["id"]) == (201, first.json["id"])
            product = {"name": "Emma", "price": {"amount": 850, "currency": "EUR"}}
            first, again = [
                await shop.send("products", "POST", "/shop/products", product, Idempotency_Key=key)
                for _ in "12"
            ]
            assert (first.status, again.json["id"]) == (201, first.json["id"])


async def test_an_order_is_answered_at_rest_if_the_client_prefers_that() -> None:
    async with Shop() as shop:
        await shop.stock()
        card = {"number": GOOD, "holder": "Ann", "expiry": "12/30", "cvc": "123"}
        token = await shop.send("payments", "POST", "/shop/cards", card)
        assert (token.status, token.json["last4"]) == (201, "4242")
        paid = {**ONE, "pay": {"card": token.json["token"]}}
        answer = await shop.send(
            "orders", "POST", "/shop/orders", paid, Idempotency_Key="k", Prefer="wait=999"
        )
        assert (answer.json["state"], answer.headers["Preference-Applied"]) == ("FINALIZED", "wait=10")
        price = {"amount": 1, "currency": "EUR"}
        cheap = {"lines": [{"product": "p-1", "quantity": 1, "price": price}], "pay": "credit"}
        answer = await shop.send(
            "orders", "POST", "/shop/orders", cheap, Idempotency_Key="c", Prefer="wait=5"
        )
        assert answer.json["state"] == "CANCELED"
        assert answer.json["reasons"] == [
            {
                "code": "price-changed",
                "product": "p-1",
                "agreed": 1,
                "now": 1500,
                "detail": "the price was 0.01, and is now 15.00",
            }
        ]
        await shop.state(CREDIT, LOCAL_READER, balance=10_000, held=0)
        values = b"".join([record.value for record in await shop.records()])
        assert GOOD.encode() not in values
        assert all(decode_envelope(record.value).actor for record in await shop.records())


async def test_an_order_is_answered_before_its_sender_leaves() -> None:
    async with Shop() as shop:
        await shop.stock()
        token = shop.sandbox.tokenize(SILENT, "12/30", "123").token
        order = {**ONE, "pay": {"card": token}}
        answer = await shop.send(
            "orders",
            "POST",
            "/shop/orders",
            order,
            Idempotency_Key="k",
            Prefer="wait=10",
            Bookshelf_Time_Left="1.2",
        )
        assert (answer.status, answer.json["state"]) == (201, "PENDING")


LINE = {"product": "p-1", "quantity": 1}


@pytest.fixture(scope="module")
def bad_orders() -> list[dict[str, object]]:
    quantities: list[object] = [0, -1, 1.5, "1", 10**9, None]
    prices = [{"amount": amount, "currency": "EUR"} for amount in (-1, 19.99, 10**13, "1")]
    lines: list[object] = [{**LINE, "quantity": quantity} for quantity in quantities]
    lines += [{**LINE, "price": price} for price in prices]
    lines += [{**LINE, "total": 1}, {**LINE, "price": {"amount": 1, "currency": "euro"}}]
    orders: list[dict[str, object]] = [{"lines": [line], "pay": "credit"} for line in lines]
    orders += [{**ONE, name: "x"} for name in ("total", "state", "customer", "id")]
    orders += [
        {**ONE, "lines": many} for many in ([], [LINE] * 2, [{**LINE, "product": f"p{n}"} for n in range(51)])
    ]
    return [*orders, {**ONE, "pay": "cash"}, {**ONE, "pay": {"card": 1}}]


async def test_wrong_values_are_refused_and_nothing_is_placed(bad_orders: list[dict[str, object]]) -> None:
    async with Shop() as shop:
        for number, order in enumerate(bad_orders):
            answer = await shop.send("orders", "POST", "/shop/orders", order, Idempotency_Key=f"k-{number}")
            assert answer.status == 422, (order, answer.body)
        assert await shop.records() == []
        for card in ({"number": "4111111111111111"}, {"number": "1" * 30}, {"cvc": "1"}, {"more": "x"}):
            made = {"number": GOOD, "holder": "Ann", "expiry": "12/30", "cvc": "123", **card}
            assert (await shop.send("payments", "POST", "/shop/cards", made)).status == 422

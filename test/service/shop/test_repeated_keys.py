"""A key that was used before: the same answer for the same content, key-reused for another one."""

from datetime import timedelta

from support.shelf import Answered
from support.shop import Shop

from bookshelf.shop.money import Money
from bookshelf.shop.product import PRODUCT, ChangeProduct

ONE = {"lines": [{"product": "p-1", "quantity": 1}], "pay": "credit"}
BOOK = {"name": "Emma", "price": {"amount": 850, "currency": "EUR"}}


def kind(answer: Answered) -> tuple[int, str]:
    return answer.status, answer.json["type"].rpartition(":")[2]


async def test_a_line_of_a_cart_is_set_once_for_a_key() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.caught_up()
        line = "/shop/cart/lines/p-1"
        first = await shop.send("orders", "PUT", line, {"quantity": 2}, Idempotency_Key="k")
        assert (first.status, first.json["count"]) == (200, 2)
        await shop.ask(PRODUCT, "p-1", ChangeProduct(price=Money(1600, "EUR")))
        await shop.caught_up()
        before = len(await shop.records())
        again = await shop.send("orders", "PUT", line, {"quantity": 2}, Idempotency_Key="k")
        assert (again.status, again.body) == (200, first.body)
        assert again.headers["Idempotency-Replayed"] == "true"
        price = {"amount": 1500, "currency": "EUR"}
        for body in ({"quantity": 3}, {"quantity": 0}, {"quantity": 2, "price": price}):
            reused = await shop.send("orders", "PUT", line, body, Idempotency_Key="k")
            assert kind(reused) == (422, "key-reused"), body
        for target in (line, "/shop/cart"):
            reused = await shop.send("orders", "DELETE", target, Idempotency_Key="k")
            assert kind(reused) == (422, "key-reused"), target
        assert len(await shop.records()) == before
        emptied = await shop.send("orders", "DELETE", "/shop/cart", Idempotency_Key="k-2")
        again = await shop.send("orders", "DELETE", "/shop/cart", Idempotency_Key="k-2")
        assert (emptied.json["count"], again.body) == (0, emptied.body)


async def test_the_key_of_an_order_does_not_cancel_it() -> None:
    async with Shop() as shop:
        await shop.stock()
        placed = await shop.send("orders", "POST", "/shop/orders", ONE, Idempotency_Key="k")
        cancel = f"{placed.headers['Location']}/cancel"
        await shop.ended(placed.json["id"], "FINALIZED")
        assert kind(await shop.send("orders", "POST", cancel, Idempotency_Key="k")) == (422, "key-reused")
        assert (await shop.send("orders", "POST", cancel, Idempotency_Key="k-2")).status == 409


async def test_an_order_with_an_address_is_placed_once_for_a_key_also_in_another_year() -> None:
    async with Shop() as shop:
        await shop.stock()
        order = {**ONE, "address": "1 Main Street"}
        first = await shop.send("orders", "POST", "/shop/orders", order, Idempotency_Key="k")
        shop.clock.move(timedelta(days=366))
        again = await shop.send("orders", "POST", "/shop/orders", order, Idempotency_Key="k")
        assert (again.status, again.json["id"]) == (201, first.json["id"])
        other = {**ONE, "address": "2 Main Street"}
        reused = await shop.send("orders", "POST", "/shop/orders", other, Idempotency_Key="k")
        assert kind(reused) == (422, "key-reused")


async def test_a_key_that_has_added_something_adds_nothing_else() -> None:
    async with Shop() as shop:
        for target, body, other in (
            ("/shop/products", BOOK, {**BOOK, "name": "Persuasion"}),
            ("/shop/categories", {"name": "Novels"}, {"name": "Poems"}),
        ):
            first = await shop.send("products", "POST", target, body, Idempotency_Key="k")
            assert first.status == 201, first.body
            before = len(await shop.records())
            again = await shop.send("products", "POST", target, body, Idempotency_Key="k")
            assert (again.status, again.body) == (201, first.body)
            reused = await shop.send("products", "POST", target, other, Idempotency_Key="k")
            assert kind(reused) == (422, "key-reused")
            # one that the gateway has made is for one request only: its retries have one content
            made = await shop.send(
                "products", "POST", target, other, Idempotency_Key="k-2", Bookshelf_Try="1"
            )
            assert made.status == 201
            assert len(await shop.records()) == before + 1

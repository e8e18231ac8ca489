"""Input that is wrong, hostile or repeated, on the routes of the shop: refused, or kept as it is."""

import unicodedata

import pytest
from support.shelf import Answered
from support.shop import Shop

from bookshelf.cqrs.handler import LOCAL, Caller
from bookshelf.runtime.api.identity import SignedCallers, signed_in
from bookshelf.shop.credit import CREDIT, OpenCredit
from bookshelf.shop.money import Money
from bookshelf.shop.welcome import LOCAL_READER

CUSTOMER = frozenset({"shop:buy"})
ANN, BOB = (signed_in(name, CUSTOMER, None) for name in ("a-ann", "a-bob"))
MANAGER = signed_in("a-manager", CUSTOMER | {"shop:manage"}, None)
BOOK = {"name": "Emma", "price": {"amount": 850, "currency": "EUR"}}
ONE = {"lines": [{"product": "p-1", "quantity": 1}], "pay": "credit"}
#: A token in the form of those of the provider, which it has not made.
TOKEN = f"eyJhIjoxfQ==.{'0123456789abcdef' * 4}"
#: Texts that are kept: markup, emoji, right to left, decomposed.
KEPT = ("<script>alert(1)</script>", "📚 Emma", "אמה", unicodedata.normalize("NFD", "Émile"))


async def order(shop: Shop, body: object, key: str, by: Caller = LOCAL) -> Answered:
    return await shop.send(
        "orders", "POST", "/shop/orders", body, by, Idempotency_Key=key, Prefer="wait=1000"
    )


async def test_texts_are_kept_or_refused_and_never_changed() -> None:
    async with Shop() as shop:
        for name in KEPT:
            added = await shop.send("products", "POST", "/shop/products", {**BOOK, "name": name})
            assert (added.status, added.json["details"]["name"]) == (201, name)
        for name in ("Emma\n", "Em\nma", "Em\x00ma", "Emma\u202e", "E" * 201):
            refused = await shop.send("products", "POST", "/shop/products", {**BOOK, "name": name})
            assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/name")
        large = await shop.send("products", "POST", "/shop/products", {**BOOK, "name": "E" * (10 << 20)})
        assert large.status == 413


async def test_a_newline_at_the_end_of_a_text_on_one_line_is_refused() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.place("o-1")
        await shop.ended("o-1", "FINALIZED")
        before = len(await shop.records())
        euros = {"amount": 100, "currency": "EUR\n"}
        lines = [{"product": "p-1\n", "quantity": 1}]
        for service, method, target, body in (
            ("products", "POST", "/shop/products", {**BOOK, "price": euros}),
            ("products", "POST", "/shop/products", {**BOOK, "supplier": "Knopf\n"}),
            ("products", "POST", "/shop/products/p-1/units", {"add": 1, "why": "counted\n"}),
            ("orders", "POST", "/shop/orders", {**ONE, "lines": lines}),
            ("orders", "POST", "/shop/orders/o-1/shipped", {"tracking": "T1\n"}),
            ("customers", "POST", "/shop/customers/a-1/credit/grants", {"amount": euros}),
        ):
            refused = await shop.send(service, method, target, body, Idempotency_Key="k")
            assert refused.status == 422, (target, body)
        assert len(await shop.records()) == before


async def test_amounts_in_another_currency_than_the_shops_are_refused() -> None:
    dollars = {"amount": 1500, "currency": "USD"}
    line = {"product": "p-1", "quantity": 1}
    async with Shop() as shop:
        for stocked in (False, True):
            if stocked:
                await shop.stock()
                await shop.caught_up()
            before = len(await shop.records())
            lines = [{**line, "product": "p-2"}, {**line, "price": dollars}]
            for body in ({"lines": lines, "pay": "credit"}, {"lines": lines, "pay": {"card": TOKEN}}):
                refused = await order(shop, body, "k")
                assert (refused.status, refused.json["errors"][0]["pointer"]) == (
                    422,
                    "/lines/1/price/currency",
                )
            for customer in ("a-1", LOCAL_READER):
                where = f"/shop/customers/{customer}/credit/grants"
                refused = await shop.send("customers", "POST", where, {"amount": dollars})
                assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/amount/currency")
            assert len(await shop.records()) == before
        euros = {"amount": 100, "currency": "EUR"}
        granted = await shop.send("customers", "POST", "/shop/customers/a-1/credit/grants", {"amount": euros})
        assert granted.json["balance"]["amount"] == 100


async def test_a_number_of_a_card_is_refused_in_place_of_its_token_and_is_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Shop() as shop:
        await shop.stock()
        before = len(await shop.all_records())
        digits = "4242424242424242"
        for number in (digits, "4242 4242 4242 4242", "4242-4242-4242-4242", "378282246310005"):
            pays: list[object] = [{"card": card} for card in (number, f"{number}.{'a' * 64}", f"x{number}")]
            for pay in (*pays, number):
                refused = await order(shop, {**ONE, "pay": pay}, "k")
                assert refused.status == 422, pay
                assert number.encode() not in refused.body
                if pay != number:
                    assert refused.json["errors"][0]["pointer"] == "/pay/card"
        for card in ("", "token", "tok.en", f"{TOKEN}\n", TOKEN.upper()):
            assert (await order(shop, {**ONE, "pay": {"card": card}}, "k")).status == 422, card
        assert len(await shop.all_records()) == before
        assert digits not in caplog.text


async def test_an_order_of_what_is_not_sold_is_canceled_with_the_reason() -> None:
    async with Shop() as shop:
        await shop.stock()
        unknown = await order(shop, {**ONE, "lines": [{"product": "p-9", "quantity": 1}]}, "k-1")
        assert unknown.headers.get("Location") == f"/shop/orders/{unknown.json['id']}"
        assert [reason["code"] for reason in unknown.json["reasons"]] == ["unknown-product"]
        assert (await shop.send("products", "DELETE", "/shop/products/p-1")).status == 204
        removed = await order(shop, ONE, "k-2")
        assert (removed.status, removed.json["state"]) == (201, "CANCELED")
        assert [reason["code"] for reason in removed.json["reasons"]] == ["no-longer-sold"]


async def test_equal_keys_of_two_people_are_two_orders() -> None:
    async with Shop(callers=SignedCallers(b"the secret of this test")) as shop:
        await shop.stock()
        for customer in ("a-ann", "a-bob"):
            await shop.ask(CREDIT, customer, OpenCredit(amount=Money(10_000, "EUR")))
        hers, his, again = [await order(shop, ONE, "k", by) for by in (ANN, BOB, ANN)]
        assert hers.json["customer"] == "a-ann"
        assert his.json["customer"] == "a-bob"
        assert hers.json["id"] == again.json["id"] != his.json["id"]
        assert again.headers["Idempotency-Replayed"] == "true"


async def test_cursors_of_another_list_are_refused() -> None:
    async with Shop() as shop:
        await shop.stock()
        for service, target in (
            ("products", "/shop/products"),
            ("orders", "/shop/orders"),
            ("customers", "/shop/customers"),
            ("accounting", "/shop/invoices"),
        ):
            for cursor in ("WyJhZGRlZCJd", "x", "A" * 5000):
                refused = await shop.get(service, f"{target}?after={cursor}")
                assert (refused.status, refused.json["errors"][0]["parameter"]) == (422, "after")
            unknown = await shop.get(service, f"{target}?state_of_things=1")
            assert unknown.status == 422, target


async def test_an_id_that_nothing_can_have_is_not_found() -> None:
    async with Shop() as shop:
        await shop.stock()
        before = len(await shop.records())
        for name in ("%D9%A1", "a%20b", "%22", "%3Cscript%3E", "p-1%0A", "a" * 201, "*"):
            for method, target, body in (
                ("DELETE", f"/shop/products/{name}", None),
                ("PATCH", f"/shop/products/{name}", {"name": "Emma"}),
                ("DELETE", f"/shop/categories/{name}", None),
                ("PATCH", f"/shop/categories/{name}", {"name": "Novels"}),
            ):
                refused = await shop.send("products", method, target, body)
                assert refused.status == 404, (method, target, refused.body)
            line = await shop.send("orders", "PUT", f"/shop/cart/lines/{name}", {"quantity": 1})
            assert line.status == 404, name
        assert len(await shop.records()) == before

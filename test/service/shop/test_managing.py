"""Managers grant credit, add units, ship, cancel what has stalled, try payments again; customers see it."""

from support.shop import LATE, Shop

from bookshelf.shop.credit import CREDIT, SetCredit
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER
from bookshelf.shop.welcome import LOCAL_READER


async def test_a_credit_and_each_change_of_it_are_seen() -> None:
    async with Shop() as shop:
        await shop.stock()
        shown = (await shop.get("customers", "/shop/customers/me/credit")).json
        assert shown["available"] == {"amount": 10_000, "currency": "EUR"}
        assert not [
            record for record in await shop.records() if record.key == LOCAL_READER
        ]  # looking at it opens nothing
        grant = {"amount": {"amount": 700, "currency": "EUR"}, "why": "a late parcel"}
        granted = await shop.send("customers", "POST", "/shop/customers/a-reader/credit/grants", grant)
        assert (granted.status, granted.json["balance"]["amount"]) == (200, 10_700)
        await shop.ask(CREDIT, LOCAL_READER, SetCredit(amount=Money(700, "EUR")))
        await shop.place("o-1", 1)
        assert (await shop.ended("o-1", "CANCELED")).reasons[0].code == "insufficient-credit"
        grant["amount"] = {"amount": 1000, "currency": "EUR"}
        await shop.send("customers", "POST", "/shop/customers/a-reader/credit/grants", grant)
        await shop.place("o-2", 1)
        await shop.ended("o-2", "FINALIZED")
        credit = (await shop.get("customers", "/shop/customers/me/credit")).json
        assert {name: credit[name]["amount"] for name in ("balance", "reserved", "available")} == {
            "balance": 200,
            "reserved": 0,
            "available": 200,
        }
        assert (await shop.get("customers", "/shop/customers/a-reader/credit")).json == credit
        entries = (await shop.get("customers", "/shop/customers/me/entries")).json
        listed = [(entry["type"].split(".")[1], entry["amount"], entry.get("order")) for entry in entries]
        assert listed == [
            ("credit-taken", -1500, "o-2"),
            ("credit-reserved", 1500, "o-2"),
            ("credit-granted", 1000, None),
            ("credit-set", -10_000, None),
            ("credit-granted", 700, None),
            ("credit-opened", 10_000, None),
        ]
        assert entries[2]["why"] == "a late parcel"


async def test_an_order_is_shipped_once_and_then_not_canceled() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.place("o-1", 1)
        await shop.ended("o-1", "FINALIZED")
        shipped = await shop.send("orders", "POST", "/shop/orders/o-1/shipped", {"tracking": "T1"})
        assert (shipped.status, shipped.json["tracking"]) == (200, "T1")
        for action in ("shipped", "cancel", "capture"):
            refused = await shop.send("orders", "POST", f"/shop/orders/o-1/{action}")
            assert refused.status == 409
            assert "shipped" in refused.json["detail"]
        assert (await shop.send("orders", "POST", "/shop/orders/o-9/cancel")).status == 404
        wrong = await shop.send("orders", "POST", "/shop/orders/o-1/shipped", {"tracking": "T\x00"})
        assert wrong.status == 422
        assert (await shop.send("orders", "POST", "/shop/orders/o-1/cancel", {"state": "X"})).status == 422


async def test_a_declined_payment_is_tried_again_or_its_order_canceled() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.place("o-1", 1, LATE)
        await shop.state(ORDER, "o-1", capture="declined")
        assert (await shop.send("orders", "POST", "/shop/orders/o-1/capture")).status == 202
        await shop.state(ORDER, "o-1", capture="declined")
        canceled = await shop.send("orders", "POST", "/shop/orders/o-1/cancel")
        assert [reason["code"] for reason in canceled.json["reasons"]] == ["manager"]


async def test_units_are_added_within_bounds() -> None:
    async with Shop() as shop:
        await shop.stock()
        for add, status in ((5, 204), (0, 422), (1.5, 422), ("1", 422), (10**9, 422)):
            answer = await shop.send("products", "POST", "/shop/products/p-1/units", {"add": add})
            assert answer.status == status, answer.body
        assert (await shop.get("products", "/shop/products/p-1")).json["availability"] == "in"
        assert (await shop.send("products", "POST", "/shop/products/p-9/units", {"add": 1})).status == 404

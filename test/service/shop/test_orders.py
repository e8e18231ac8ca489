"""What a customer sees of orders: state, lines, every reason, history; and nothing of those of others."""

from support.shop import Shop

from bookshelf.shop.credit import CREDIT, OpenCredit
from bookshelf.shop.invoice import INVOICE
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER
from bookshelf.shop.order_commands import PlaceOrder, ShipOrder
from bookshelf.shop.order_events import Terms
from bookshelf.shop.values import OrderLine
from bookshelf.shop.welcome import LOCAL_READER


async def test_a_customer_sees_states_reasons_and_history_of_orders() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.ask(CREDIT, LOCAL_READER, OpenCredit(amount=Money(2000, "EUR")))
        await shop.place("o-1", 1)
        await shop.ended("o-1", "FINALIZED")
        await shop.state(INVOICE, "o-1", number="2026-000001")
        await shop.ask(ORDER, "o-1", ShipOrder(tracking="T1", at=shop.clock.now()))
        await shop.place("o-2", 4)
        await shop.ended("o-2", "CANCELED")
        final = (await shop.get("orders", "/shop/orders/o-1")).json
        now = "2026-03-01T12:00:00Z"
        price = {"amount": 1500, "currency": "EUR"}
        line = {"product": "p-1", "quantity": 1, "name": "Dune", "price": price, "answer": "reserved"}
        assert final == {
            "id": "o-1",
            "state": "FINALIZED",
            "stock": "APPROVED",
            "payment": "APPROVED",
            "pay": "credit",
            "customer": LOCAL_READER,
            "placed": now,
            "deadline": "2026-03-01T12:00:30Z",
            "total": price,
            "lines": [line],
            "reasons": [],
            "stalled": "",
            "shipped": now,
            "tracking": "T1",
            "address": None,
            "invoice": "2026-000001",
        }
        canceled = (await shop.get("orders", "/shop/orders/o-2")).json
        assert canceled["lines"][0]["answer"] == "out-of-stock"
        assert canceled["reasons"] == [
            {
                "code": "out-of-stock",
                "product": "p-1",
                "wanted": 4,
                "available": 2,
                "detail": "only 2 are available",
            },
            {
                "code": "insufficient-credit",
                "needed": 6000,
                "available": 500,
                "detail": "60.00 is needed, 5.00 is available",
            },
        ]
        history = (await shop.get("orders", "/shop/orders/o-1/history")).json
        kinds = [entry["type"].removeprefix("shop.").removesuffix(".v1") for entry in history]
        assert (kinds[0], kinds[-1], len(kinds)) == ("order-placed", "order-shipped", 8)
        assert {entry["actor"] for entry in history} == {"reader"}
        listed = await shop.get("orders", "/shop/orders?state=CANCELED")
        assert (listed.headers["Bookshelf-Count"], listed.json) == ("1", [canceled])
        assert {order["id"] for order in (await shop.get("orders", "/shop/orders")).json} == {"o-1", "o-2"}


async def test_without_accounts_the_reader_is_the_manager_too() -> None:
    async with Shop() as shop:
        await shop.stock()
        lines = (OrderLine("p-1", 1),)
        place = PlaceOrder(terms=Terms(customer="a-1"), lines=lines, at=shop.clock.now())
        await shop.ask(ORDER, "o-1", place)
        await shop.ended("o-1", "CANCELED")  # this customer has no credit
        assert [order["id"] for order in (await shop.get("orders", "/shop/orders")).json] == ["o-1"]
        assert (await shop.get("orders", "/shop/orders?customer=me")).json == []
        waited = await shop.send("orders", "GET", "/shop/orders/o-1", Prefer="wait=5")
        assert waited.headers["Preference-Applied"] == "wait=5"


async def test_the_entity_tag_of_an_order_with_an_invoice_is_that_of_its_next_command() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.place("o-1", 1)
        await shop.ended("o-1", "FINALIZED")
        await shop.state(INVOICE, "o-1", number="2026-000001")
        shown = await shop.get("orders", "/shop/orders/o-1")
        assert shown.json["invoice"] == "2026-000001"
        tag = shown.headers["ETag"]
        unchanged = await shop.send("orders", "GET", "/shop/orders/o-1", If_None_Match=tag)
        assert unchanged.status == 304
        ship = "/shop/orders/o-1/shipped"
        other = await shop.send("orders", "POST", ship, {}, If_Match='"1.2026-000001"')
        assert other.status == 412
        assert (await shop.send("orders", "POST", ship, {}, If_Match=tag)).status == 200
        # the answers before and after the invoice are different
        without = tag.partition(".")[0] + '"'
        assert (await shop.send("orders", "GET", "/shop/orders/o-1", If_None_Match=without)).status == 200

"""The services of the shop together, from the order to the invoice, and all that keeps one from that."""

import asyncio
from datetime import timedelta

from support.shop import BAD, GOOD, LATE, PRICE, ForgetfulLog, Shop
from support.until import eventually

from bookshelf.shop.cart import CART, SetLine, cart_key
from bookshelf.shop.credit import CREDIT, OpenCredit
from bookshelf.shop.invoice import INVOICE
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER
from bookshelf.shop.order_commands import CancelOrder, RetryCapture
from bookshelf.shop.payment import PAYMENT
from bookshelf.shop.stock import STOCK
from bookshelf.shop.welcome import LOCAL_READER


def codes(*reasons: object) -> list[str]:
    return [getattr(reason, "code", "") for reason in reasons]


async def test_an_order_leads_to_a_purchase_and_an_invoice_whatever_is_read_again() -> None:
    log = ForgetfulLog(2)
    async with Shop(log) as shop:
        await shop.stock()
        await shop.ask(CART, cart_key(LOCAL_READER), SetLine(product="p-1", quantity=2, price=PRICE))
        await shop.place("o-1", 2)
        order = await shop.ended("o-1", "FINALIZED")
        assert (order.stock_answer, order.payment_answer) == ("APPROVED", "APPROVED")
        await shop.state(CART, cart_key(LOCAL_READER), lines={})
        await shop.state(STOCK, "p-1", units=1, held=0)
        await shop.state(CREDIT, LOCAL_READER, balance=7000, held=0)
        invoice = await shop.state(INVOICE, "o-1", number="2026-000001")
        assert invoice.lines == order.bought
        await shop.place("o-2", 1, GOOD)
        await shop.ended("o-2", "FINALIZED")
        await shop.state(PAYMENT, "o-2", status="captured")
        await shop.state(INVOICE, "o-2", number="2026-000002")
    before = await shop.events()
    log.forgets = True  # every process and every owner reads its commands from the beginning
    async with Shop(log) as again:
        await again.place("o-3", 1)
        await again.ended("o-3", "CANCELED")
        await again.state(STOCK, "p-1", units=0, held=0)
        after = await again.events()
    assert {key: count for key, count in after.items() if key[0] in {"o-1", "o-2"}} == {
        key: count for key, count in before.items() if key[0] in {"o-1", "o-2"}
    }


async def test_an_order_that_cannot_be_served_has_every_reason_and_holds_nothing() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.ask(CREDIT, LOCAL_READER, OpenCredit(amount=Money(500, "EUR")))
        await shop.place("o-1", 4)
        order = await shop.ended("o-1", "CANCELED")
        assert codes(*order.reasons) == ["out-of-stock", "insufficient-credit"]
        assert (order.stock_answer, order.payment_answer) == ("DENIED", "DENIED")
        await shop.place("o-2", 1, BAD)
        assert codes(*(await shop.ended("o-2", "CANCELED")).reasons) == ["card-declined"]
        await shop.place("o-3", 1, product="p-9")
        assert codes(*(await shop.ended("o-3", "CANCELED")).reasons) == [
            "unknown-product",
            "insufficient-credit",
        ]
        await shop.state(STOCK, "p-1", units=3, held=0)
        await shop.state(CREDIT, LOCAL_READER, balance=500, held=0)


async def test_a_declined_payment_stalls_the_order_and_a_manager_takes_it_back() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.place("o-1", 1, LATE)
        await shop.state(ORDER, "o-1", stalled="capture-declined")
        await shop.state(STOCK, "p-1", units=2, held=0)
        await shop.ask(ORDER, "o-1", RetryCapture(at=shop.clock.now()))
        await shop.state(ORDER, "o-1", capture="declined")
        await shop.ask(ORDER, "o-1", CancelOrder(at=shop.clock.now()))
        assert codes(*(await shop.ended("o-1", "CANCELED")).reasons) == ["manager"]
        await shop.state(STOCK, "p-1", units=3, held=0)
        await shop.state(PAYMENT, "o-1", status="voided")


async def test_an_order_whose_card_is_never_answered_ends_at_its_deadline() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.place("o-1", 1, "4000000000000119")
        await shop.state(ORDER, "o-1", answered=True)
        shop.clock.move(timedelta(seconds=30))
        assert codes(*(await shop.ended("o-1", "CANCELED")).reasons) == ["timeout"]
        await shop.state(STOCK, "p-1", units=3, held=0)
        await shop.state(PAYMENT, "o-1", status="voiding")  # called once the provider answers


async def test_ten_customers_of_the_last_units_get_each_of_them_once() -> None:
    async with Shop() as shop:
        await shop.stock()
        names = [f"o-{number}" for number in range(10)]
        await asyncio.gather(*(shop.place(name, 1, GOOD) for name in names))

        async def at_rest() -> bool:
            orders = [await shop.state(ORDER, name) for name in names]
            return all(order.status in {"FINALIZED", "CANCELED"} for order in orders)

        await eventually(at_rest, "all orders end", 30)
        orders = [await shop.state(ORDER, name) for name in names]
        final = [name for name, order in zip(names, orders, strict=True) if order.status == "FINALIZED"]
        assert len(final) == 3
        await shop.state(STOCK, "p-1", units=0, held=0)
        numbers = {(await shop.state(INVOICE, name)).number for name in final}
        assert numbers <= {"", *(f"2026-00000{number}" for number in (1, 2, 3))}

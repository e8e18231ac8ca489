"""The address of an order: its customer reads it until forgotten, its invoice keeps it, plain nowhere."""

from datetime import UTC, datetime
from typing import Any

import pytest
from support.fixed_infrastructure import NOW
from support.shop import Shop

from bookshelf.cqrs.handler import LOCAL, Caller
from bookshelf.runtime.api.identity import SignedCallers, signed_in
from bookshelf.shop.credit import CREDIT, OpenCredit
from bookshelf.shop.invoice import INVOICE
from bookshelf.shop.money import Money

ADDRESS = "Ann Reader\n7 Planted Lane"
ORDER = {"lines": [{"product": "p-1", "quantity": 1}], "pay": "credit", "address": ADDRESS}
SCOPES = frozenset({"shop:buy"})
ANN, BEN = signed_in("a-1", SCOPES, None), signed_in("a-2", SCOPES, None)
#: The person that the things of the local reader belong to.
FIRST = signed_in("a-first", SCOPES, None)
PLANTED = ("Planted", "Ann Reader")


def people() -> SignedCallers:
    return SignedCallers(b"secret of the accounts", "a-first", NOW.timestamp)


async def placed(shop: Shop, by: Caller, key: str = "k-1", **changes: object) -> tuple[int, Any]:
    answer = await shop.send("orders", "POST", "/shop/orders", {**ORDER, **changes}, by, Idempotency_Key=key)
    return answer.status, answer.json


async def shown(shop: Shop, order: str, by: Caller) -> object:
    return (await shop.get("orders", f"/shop/orders/{order}", by)).json.get("address")


@pytest.mark.parametrize("by", [LOCAL, ANN], ids=["without accounts", "with accounts"])
async def test_an_address_is_shown_to_its_customer_and_plain_in_no_record_and_no_row(by: Caller) -> None:
    async with Shop(callers=None if by is LOCAL else people()) as shop:
        await shop.stock()
        await shop.ask(CREDIT, "a-1", OpenCredit(amount=Money(10_000, "EUR")))
        status, order = await placed(shop, by)
        assert (status, order["address"]) == (201, ADDRESS)
        assert (await placed(shop, by))[1]["address"] == ADDRESS
        await shop.ended(order["id"], "FINALIZED")
        number = (await shop.state(INVOICE, order["id"], number="2026-000001")).number
        assert await shown(shop, order["id"], by) == ADDRESS
        [listed] = (await shop.get("orders", "/shop/orders", by)).json
        assert listed["address"] == ADDRESS
        invoice = await shop.get("accounting", f"/shop/invoices/{number}", by)
        assert (invoice.json["address"], invoice.headers["Cache-Control"]) == (ADDRESS, "no-store")
        kept = str([record.value for record in await shop.all_records()]) + await shop.rows()
        assert "Dune" in kept
        assert not [text for text in PLANTED if text in kept]
        reused = await placed(shop, by, address="Elsewhere")
        assert (reused[0], reused[1]["type"].rpartition(":")[2]) == (422, "key-reused")


async def test_once_a_customer_is_forgotten_only_the_invoice_has_the_address() -> None:
    async with Shop(callers=people()) as shop:
        await shop.stock()
        await shop.ask(CREDIT, "a-1", OpenCredit(amount=Money(10_000, "EUR")))
        order = (await placed(shop, ANN))[1]["id"]
        await shop.ended(order, "FINALIZED")
        await shop.state(INVOICE, order, number="2026-000001")
        await shop.seals.forget("a-1")
        assert await shown(shop, order, ANN) == "forgotten"
        assert (await shop.get("accounting", "/shop/invoices/2026-000001", ANN)).json["address"] == ADDRESS
        assert (await shop.get("accounting", "/shop/invoices/2026-000001", BEN)).status == 404
        shop.clock.move(datetime(2037, 1, 1, tzinfo=UTC) - shop.clock.now())
        await shop.seals.refresh()
        [invoice] = (await shop.get("accounting", "/shop/invoices", ANN)).json
        assert (invoice["address"], invoice["total"]["amount"]) == ("forgotten", 1500)


async def test_orders_of_the_time_without_accounts_keep_their_address_for_the_first_admin() -> None:
    async with Shop() as shop:
        await shop.stock()
        order = (await placed(shop, LOCAL))[1]["id"]
        await shop.ended(order, "FINALIZED")
        log, seals = shop.log, shop.seals
    after = Shop(log, callers=people(), seals=seals)
    async with after:
        assert await shown(after, order, FIRST) == ADDRESS
        assert await shown(after, order, ANN) is None


@pytest.mark.parametrize("address", ["x" * 501, "a\x00b", "a\u202eb", "a\tb", None, 7])
async def test_a_wrong_address_is_refused(address: object) -> None:
    async with Shop() as shop:
        status, problem = await placed(shop, LOCAL, address=address)
        assert (status, problem["errors"][0]["pointer"]) == (422, "/address")

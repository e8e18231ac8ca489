"""A shop whose local reader is another account, or whose currency was set to another one."""

from support.pages import Pages, ShelfApi
from support.shop import Shop

from bookshelf.cqrs.handler import Caller
from bookshelf.log.memory import MemoryLog
from bookshelf.runtime.api.identity import SignedCallers, signed_in
from bookshelf.shop.credit import CREDIT, OpenCredit
from bookshelf.shop.invoice import INVOICE
from bookshelf.shop.money import Money
from bookshelf.shop.pages.managing.site import SITE
from bookshelf.shop.welcome import LOCAL_READER

OWNER = "owner-7"
SCOPES = frozenset({"shop:buy", "shop:manage"})
ORDER_BODY = {"lines": [{"product": "p-1", "quantity": 1}], "pay": "credit"}


async def test_the_account_of_the_local_reader_spends_what_it_is_given() -> None:
    callers = SignedCallers(b"the secret of this test", OWNER)
    async with Shop(callers=callers, local_reader=OWNER) as shop:
        await shop.stock()
        owner = signed_in(OWNER, SCOPES, None)
        credit = f"/shop/customers/{OWNER}/credit"
        grant = {"amount": {"amount": 700, "currency": "EUR"}}
        granted = await shop.send("customers", "POST", f"{credit}/grants", grant, owner)
        assert (granted.status, granted.json["customer"]) == (200, OWNER)
        assert granted.json["balance"]["amount"] == 10_700
        shown = await shop.get("customers", "/shop/customers/me/credit", owner)
        assert shown.json == granted.json
        named = await shop.get("customers", f"/shop/customers?ids={OWNER},a-other", owner)
        assert named.json == [granted.json]
        one = await shop.get("customers", credit, owner)
        assert one.json == granted.json
        more = {"amount": {"amount": 2000, "currency": "EUR"}}
        tag = one.headers["ETag"]
        put = await shop.send("customers", "PUT", credit, more, owner, If_Match=tag)
        assert (put.status, put.json["balance"]["amount"]) == (200, 2000)
        order = await shop.send("orders", "POST", "/shop/orders", ORDER_BODY, owner, Idempotency_Key="k")
        assert order.json["customer"] == OWNER
        await shop.ended(order.json["id"], "FINALIZED")
        await shop.state(INVOICE, order.json["id"], number="2026-000001")
        await _is_named(shop, owner, order.json["id"])
        left = await shop.get("customers", "/shop/customers/me/credit", owner)
        assert left.json["balance"]["amount"] == 500
        entries = await shop.get("customers", f"/shop/customers/{OWNER}/entries", owner)
        assert entries.json[0]["order"] == order.json["id"]
        # all of it is under one name
        opened = {key for key, kind in await shop.events() if "credit" in kind}
        assert opened == {LOCAL_READER}


async def _is_named(shop: Shop, owner: Caller, order: str) -> None:
    """Check that orders and invoices name the local reader by its account, and are found by that."""
    orders, invoices = "/shop/orders", "/shop/invoices"
    for target in (f"{orders}?customer={OWNER}", f"{orders}?customer=me", orders):
        assert [one["customer"] for one in (await shop.get("orders", target, owner)).json] == [OWNER], target
    shown = await shop.get("orders", f"{orders}/{order}", owner)
    shipped = await shop.send("orders", "POST", f"{orders}/{order}/shipped", by=owner)
    assert (shown.json["customer"], shipped.json["customer"]) == (OWNER, OWNER)
    for target in (f"{invoices}?customer={OWNER}", f"{invoices}?customer=me", invoices):
        [invoice] = (await shop.get("accounting", target, owner)).json
        assert (invoice["customer"], invoice["order"]) == (OWNER, order), target
    one = await shop.get("accounting", f"{invoices}/2026-000001", owner)
    assert one.json == invoice
    table = await shop.get("accounting", f"{invoices}?format=csv", owner)
    assert f",{OWNER},EUR," in table.body.decode()


async def test_a_shop_in_another_currency_than_its_prices_finishes_its_orders_and_takes_no_more() -> None:
    log = MemoryLog(2)
    async with Shop(log) as shop:
        await shop.stock()
        priced = await shop.send("orders", "POST", "/shop/orders", ORDER_BODY, Idempotency_Key="k-1")
        assert priced.status == 201
        order = priced.json["id"]
    async with Shop(log, currency="USD") as shop:
        await shop.ended(order, "FINALIZED")
        await shop.caught_up()
        again = await shop.send("orders", "POST", "/shop/orders", ORDER_BODY, Idempotency_Key="k-1")
        assert (again.status, again.json["id"]) == (201, order)
        for pay in ("credit", {"card": shop.sandbox.tokenize("4242424242424242", "12/30", "123").token}):
            body = {**ORDER_BODY, "pay": pay}
            refused = await shop.send("orders", "POST", "/shop/orders", body, Idempotency_Key="k-2")
            assert refused.status == 409
            assert "its prices are in EUR" in refused.json["detail"]
        queries = {
            "orders": ["/shop/orders", "/shop/orders/summary", f"/shop/orders/{order}", "/shop/cart"],
            "products": ["/shop/products"],
            "customers": ["/shop/customers", "/shop/customers/me/credit"],
            "accounting": ["/shop/invoices", "/shop/revenue?by=year", "/shop/invoices?format=csv"],
        }
        for service, targets in queries.items():
            for target in targets:
                assert (await shop.get(service, target)).status == 200, target


async def test_a_credit_of_a_former_currency_is_set_anew_by_the_page_of_the_customer() -> None:
    log = MemoryLog(2)
    async with Shop(log) as shop:
        await shop.ask(CREDIT, LOCAL_READER, OpenCredit(amount=Money(10_000, "EUR")))
    async with Shop(log, currency="USD") as shop:
        pages = Pages(SITE, ShelfApi(shop.services))
        # the first product is in the currency of the settings
        assert "Price in USD" in (await pages.get("/manage/products/add")).words
        typed = {"_key": "b", "name": "Emma", "price": "15.00", "vat": "7", "units": "3", "category": ""}
        await pages.submit("/manage/products/add", typed)
        await shop.caught_up()
        [emma] = (await shop.get("products", "/shop/products")).json
        assert emma["price"] == {"amount": 1500, "currency": "USD"}
        body = {"lines": [{"product": emma["id"], "quantity": 1}], "pay": "credit"}
        refused = await shop.send("orders", "POST", "/shop/orders", body, Idempotency_Key="k-1")
        ended = await shop.ended(refused.json["id"], "CANCELED")
        assert [reason.code for reason in ended.reasons] == ["other-currency"]
        await shop.caught_up()
        customer = f"/manage/customers/{LOCAL_READER}"
        shown = await pages.get(customer)
        assert "This credit is in EUR, and the prices are in USD" in shown.words
        assert "Grant it" not in shown.words
        version = shown.value("_version").replace("&#34;", '"').replace("&quot;", '"')
        await pages.submit(customer, {"_version": version, "amount": "50.00", "why": "", "way": "set"})
        await shop.caught_up()
        credit = (await shop.get("customers", "/shop/customers/me/credit")).json
        assert credit["available"] == {"amount": 5000, "currency": "USD"}
        again = await shop.send("orders", "POST", "/shop/orders", body, Idempotency_Key="k-2")
        await shop.ended(again.json["id"], "FINALIZED")
        await shop.caught_up()
        assert "This credit is in" not in (await pages.get(customer)).words
        entries = (await shop.get("customers", "/shop/customers/me/entries")).json
        assert [one["currency"] for one in entries] == ["USD", "USD", "USD", "EUR"]


async def test_a_credit_is_set_in_no_currency_that_the_shop_has_not() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.ask(CREDIT, LOCAL_READER, OpenCredit(amount=Money(10_000, "EUR")))
        await shop.caught_up()
        target = "/shop/customers/a-reader/credit"
        tag = (await shop.get("customers", target)).headers["ETag"]
        body = {"amount": {"amount": 1, "currency": "USD"}}
        refused = await shop.send("customers", "PUT", target, body, If_Match=tag)
        assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/amount/currency")
        assert (await shop.get("products", "/shop/currency")).json == {"currency": "EUR"}

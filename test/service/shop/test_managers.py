"""What only managers see and set: units in numbers, credits of everyone; no change is overwritten unseen."""

from collections.abc import AsyncIterator

import pytest
from support.shelf import Answered
from support.shop import PRICE, Shop

from bookshelf.cqrs.handler import GUEST, Caller
from bookshelf.runtime.api.identity import SignedCallers, signed_in
from bookshelf.shop.credit import CREDIT, OpenCredit
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER
from bookshelf.shop.order_commands import PlaceOrder
from bookshelf.shop.order_events import Terms
from bookshelf.shop.product import PRODUCT, AddProduct
from bookshelf.shop.stock import STOCK, ReserveStock
from bookshelf.shop.values import OrderLine, ProductDetails

CUSTOMER = frozenset({"shop:buy"})
ANN = signed_in("a-ann", CUSTOMER, None)
MANAGER = signed_in("a-manager", CUSTOMER | {"shop:manage"}, None)
UNITS, CREDIT_OF_ANN = "/shop/products/p-1/units", "/shop/customers/a-ann/credit"


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    """A shop with 3 units of p-1, one of them held, and 100 of p-2; Ann has a credit of 100.00."""
    async with Shop(callers=SignedCallers(b"the secret of this test")) as shop:
        await shop.stock()
        many = AddProduct(details=ProductDetails(name="Emma"), price=PRICE, units=100)
        await shop.ask(PRODUCT, "p-2", many)
        await shop.ask(STOCK, "p-1", ReserveStock(order="o-9", quantity=1))
        await shop.ask(CREDIT, "a-ann", OpenCredit(amount=Money(10_000, "EUR")))
        await shop.ask(CREDIT, "a-bob", OpenCredit(amount=Money(500, "EUR")))
        yield shop


async def put(shop: Shop, target: str, body: object, tag: str | None, person: Caller = MANAGER) -> Answered:
    service = target.split("/")[2]
    headers = {} if tag is None else {"If_Match": tag}
    return await shop.send(service, "PUT", target, body, person, **headers)


async def tag_of(shop: Shop, target: str) -> str:
    return (await shop.get(target.split("/")[2], target, MANAGER)).headers["ETag"]


async def test_numbers_of_a_stock_are_for_managers(shop: Shop) -> None:
    numbers = {"units": 3, "reserved": 1, "available": 2}
    for target in "/shop/products/p-1", "/shop/products?q=dune":
        shown = (await shop.get("products", target, MANAGER)).json
        product = shown[0] if isinstance(shown, list) else shown
        assert {name: product[name] for name in numbers} == numbers
        for person in ANN, GUEST:
            answer = await shop.get("products", target, person)
            assert answer.headers["Cache-Control"] == "private, no-cache"
            for name in numbers:
                assert f'"{name}"'.encode() not in answer.body
    low = await shop.get("products", "/shop/products?units-below=3", MANAGER)
    assert [product["id"] for product in low.json] == ["p-1"]
    assert (await shop.get("products", "/shop/products?units-below=2", MANAGER)).json == []
    refused = await shop.get("products", "/shop/products?units-below=3", ANN)
    assert (refused.status, refused.json["errors"][0]["parameter"]) == (422, "units-below")


async def test_units_are_set_on_what_was_read_only(shop: Shop) -> None:
    first = await tag_of(shop, "/shop/products/p-1")
    missing = await put(shop, UNITS, {"units": 5}, None)
    assert (missing.status, missing.json["errors"][0]["header"]) == (428, "If-Match")
    assert (await put(shop, UNITS, {"units": 5, "why": "counted"}, first)).status == 204
    assert (await put(shop, UNITS, {"units": 6}, first)).status == 412
    second = await tag_of(shop, "/shop/products/p-1")
    await shop.ask(STOCK, "p-1", ReserveStock(order="o-8", quantity=900))  # refused, and still a new event
    assert (await put(shop, UNITS, {"units": 6}, second)).status == 412
    assert (await put(shop, UNITS, {"units": 0}, await tag_of(shop, "/shop/products/p-1"))).status == 409
    for units in (-1, 1.5, "1", 10**9, None):
        assert (await put(shop, UNITS, {"units": units}, first)).status == 422
    assert (await put(shop, UNITS, {"units": 6}, first, ANN)).status == 403
    assert (await put(shop, UNITS, {"units": 6}, first, GUEST)).status == 401
    await shop.state(STOCK, "p-1", units=5, held=1)


async def test_the_history_of_a_product_has_its_stock(shop: Shop) -> None:
    await put(shop, UNITS, {"units": 5, "why": "counted"}, await tag_of(shop, "/shop/products/p-1"))
    target = "/shop/products/p-1/history"
    history = (await shop.get("products", target, MANAGER)).json
    assert [entry["type"].split(".")[1] for entry in history] == [
        "product-added",
        "stock-reserved",
        "units-set",
    ]
    assert (history[2]["actor"], history[2]["data"]) == ("a-manager", {"units": 5, "why": "counted"})
    first = await shop.get("products", f"{target}?limit=2", MANAGER)
    link = first.headers["Link"].partition("<")[2].partition(">")[0]
    assert [*first.json, *(await shop.get("products", link, MANAGER)).json] == history
    assert (await shop.get("products", target, ANN)).status == 403
    newest = (await shop.get("products", f"{target}?sort=-time", MANAGER)).json
    assert newest == history[::-1]
    assert (await shop.get("products", "/shop/products/p-9/history", MANAGER)).status == 404


async def test_credits_are_listed_and_set_on_what_was_read_only(shop: Shop) -> None:
    listed = await shop.get("customers", "/shop/customers", MANAGER)
    assert [credit["customer"] for credit in listed.json] == ["a-ann", "a-bob"]
    some = await shop.get("customers", "/shop/customers?ids=a-bob,a-nobody", MANAGER)
    assert [credit["balance"]["amount"] for credit in some.json] == [500]
    many = ",".join(["a-1"] * 201)
    assert (await shop.get("customers", f"/shop/customers?ids={many}", MANAGER)).status == 422
    first = await tag_of(shop, CREDIT_OF_ANN)
    amount = {"amount": {"amount": 7000, "currency": "EUR"}, "why": "agreed"}
    assert (await put(shop, CREDIT_OF_ANN, amount, None)).status == 428
    done = await put(shop, CREDIT_OF_ANN, amount, first)
    assert (done.status, done.json["balance"]["amount"]) == (200, 7000)
    assert (await put(shop, CREDIT_OF_ANN, amount, first)).status == 412
    second = await tag_of(shop, CREDIT_OF_ANN)
    lines = (OrderLine("p-2", 10, PRICE),)
    place = PlaceOrder(terms=Terms(customer="a-ann"), lines=lines, at=shop.clock.now())
    await shop.ask(ORDER, "o-1", place)  # 150.00 is refused, and still a new event of the credit
    await shop.ended("o-1", "CANCELED")
    assert (await put(shop, CREDIT_OF_ANN, amount, second)).status == 412
    wrong = {"amount": {"amount": 1, "currency": "USD"}}
    assert (await put(shop, CREDIT_OF_ANN, wrong, await tag_of(shop, CREDIT_OF_ANN))).status == 422
    entries = await shop.get("customers", "/shop/customers/a-ann/entries", MANAGER)
    changes = [(entry["amount"], entry.get("why")) for entry in entries.json]
    assert changes == [(-3000, "agreed"), (10_000, None)]
    assert entries.json == (await shop.get("customers", "/shop/customers/me/entries", ANN)).json
    for target in "/shop/customers", CREDIT_OF_ANN, "/shop/customers/a-ann/entries":
        assert (await shop.get("customers", target, ANN)).status == 403
    assert (await shop.get("customers", "/shop/customers/a-9/entries", MANAGER)).status == 404

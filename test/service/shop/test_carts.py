"""Carts by HTTP: lines are set, removed and bought; each shows what has changed since it was set."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.pages import Pages, ShelfApi
from support.shelf import Answered
from support.shop import PRICE, Shop

from bookshelf.shop.cart import CART, cart_key
from bookshelf.shop.money import PRICE_MOST, Money
from bookshelf.shop.pages.customer.site import SITE
from bookshelf.shop.product import PRODUCT, AddProduct, ChangeProduct, RemoveProduct
from bookshelf.shop.values import ProductDetails
from bookshelf.shop.welcome import LOCAL_READER


def euros(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    """A shop with 3 units of p-1, and 10 of p-2, of which a cart has at most one."""
    async with Shop() as shop:
        await shop.stock()
        details = ProductDetails(name="A first edition", unique=True, image="f-1")
        await shop.ask(PRODUCT, "p-2", AddProduct(details=details, price=Money(9900, "EUR"), units=10))
        yield shop


async def put(shop: Shop, product: str, quantity: object, price: object = None) -> Answered:
    await shop.get("orders", "/shop/cart")  # the view has the products
    body = {"quantity": quantity, **({} if price is None else {"price": price})}
    return await shop.send("orders", "PUT", f"/shop/cart/lines/{product}", body)


async def test_a_cart_shows_its_lines_with_the_prices_of_then_and_now(shop: Shop) -> None:
    assert (await shop.get("orders", "/shop/cart")).json == {"lines": [], "total": None, "count": 0}
    first = await put(shop, "p-1", 2)
    assert first.status == 200, first.body
    line = {"product": "p-1", "quantity": 2, "price": euros(1500)}
    assert first.json == {"lines": [line], "count": 2}
    await put(shop, "p-2", 1, euros(9900))
    await put(shop, "p-1", 3)
    await shop.ask(PRODUCT, "p-1", ChangeProduct(name="Dune, again", price=Money(1800, "EUR")))
    await shop.ask(PRODUCT, "p-2", RemoveProduct())
    cart = (await shop.get("orders", "/shop/cart")).json
    assert cart["lines"] == [
        {
            "product": "p-1",
            "name": "Dune, again",
            "image": "",
            "quantity": 3,
            "unique": False,
            "price": euros(1500),
            "now": euros(1800),
            "availability": "few",
            "removed": False,
            "subtotal": euros(5400),
        },
        {
            "product": "p-2",
            "name": "A first edition",
            "image": "f-1",
            "quantity": 1,
            "unique": True,
            "price": euros(9900),
            "now": None,
            "availability": "out",
            "removed": True,
            "subtotal": None,
        },
    ]
    assert (cart["total"], cart["count"]) == (euros(5400), 4)


async def test_what_is_set_is_seen_after_its_position(shop: Shop) -> None:
    position = (await put(shop, "p-1", 1)).headers["Bookshelf-Position"]
    seen = await shop.send("orders", "GET", "/shop/cart", Bookshelf_After=position)
    assert seen.json["count"] == 1
    for method, target in ("DELETE", "/shop/cart/lines/p-1"), ("DELETE", "/shop/cart"):
        await put(shop, "p-1", 1)
        emptied = await shop.send("orders", method, target)
        assert (emptied.status, emptied.json) == (200, {"lines": [], "count": 0})
        assert (await shop.get("orders", "/shop/cart")).json["lines"] == []
        assert (await shop.send("orders", method, target)).status == 200  # again
    await put(shop, "p-1", 1)
    assert (await put(shop, "p-1", 0)).json["lines"] == []


async def test_a_cart_has_a_unique_product_once(shop: Shop) -> None:
    for quantity in (1, 1, 3):
        assert (await put(shop, "p-2", quantity)).json["count"] == 1
    assert (await shop.events())[cart_key(LOCAL_READER), "shop.line-set.v1"] == 1


async def test_an_order_takes_what_it_has_bought_out_of_the_cart(shop: Shop) -> None:
    await put(shop, "p-1", 2)
    await put(shop, "p-2", 1)
    await shop.place("o-1", 1)
    await shop.ended("o-1", "FINALIZED")
    left = await shop.state(CART, cart_key(LOCAL_READER))
    while left.lines["p-1"].quantity == 2:
        left = await shop.state(CART, cart_key(LOCAL_READER))
    cart = (await shop.get("orders", "/shop/cart")).json
    assert [(line["product"], line["quantity"]) for line in cart["lines"]] == [("p-1", 1), ("p-2", 1)]
    assert PRICE.amount + 9900 == cart["total"]["amount"]


async def test_a_cart_over_the_limit_of_an_order_has_no_total_and_its_pages_work(shop: Shop) -> None:
    pages = Pages(SITE, ShelfApi(shop.services))
    for product in ("p-3", "p-4"):
        details = ProductDetails(name=product)
        add = AddProduct(details=details, price=Money(PRICE_MOST, "EUR"), units=999)
        await shop.ask(PRODUCT, product, add)
        assert (await put(shop, product, 999)).status == 200
    cart = (await shop.get("orders", "/shop/cart")).json
    assert (cart["total"], cart["count"]) == (None, 1998)
    assert "/shop/checkout" not in (await pages.get("/shop/cart")).html
    await pages.post("/shop/checkout", {"_key": "k", "address": "Ann"})
    assert (await pages.get("/shop/checkout/payment")).location == "/shop/cart"
    assert (await put(shop, "p-4", 1)).status == 200
    assert (await shop.get("orders", "/shop/cart")).json["total"] == euros(10**12)
    assert "/shop/checkout" in (await pages.get("/shop/cart")).html


WRONG_LINES = [
    ("p-1", -1, None, 422),
    ("p-1", 1.5, None, 422),
    ("p-1", "1", None, 422),
    ("p-1", 1000, None, 422),
    ("p-1", None, None, 422),
    ("p-1", 1, {"amount": -1, "currency": "EUR"}, 422),
    ("p-1", 1, {"amount": 19.99, "currency": "EUR"}, 422),
    ("p-1", 1, {"amount": 10**13, "currency": "EUR"}, 422),
    ("p-1", 1, {"amount": 1500, "currency": "USD"}, 422),
    ("p-9", 1, None, 404),
]


async def test_a_wrong_line_is_refused(shop: Shop) -> None:
    for product, quantity, price, status in WRONG_LINES:
        refused = await put(shop, product, quantity, price)
        assert refused.status == status, refused.body
    assert (await shop.get("orders", "/shop/cart")).json["lines"] == []


async def test_a_product_that_is_sold_no_more_cannot_be_set(shop: Shop) -> None:
    await shop.ask(PRODUCT, "p-1", RemoveProduct())
    assert (await put(shop, "p-1", 1)).status == 409

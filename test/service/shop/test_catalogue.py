"""The catalogue: products with what is available of them, by category, words, supplier and price."""

from collections.abc import AsyncIterator

import pytest
from support.shop import PRICE, Shop

from bookshelf.shop import category, product, stock
from bookshelf.shop.money import Money
from bookshelf.shop.product import AddProduct, ChangeProduct, RemoveProduct
from bookshelf.shop.values import ProductDetails

DETAILS = ProductDetails(
    name="Émile",
    description="On education",
    supplier="Duchesne",
    category="c-1",
    vat_permille=70,
    unique=True,
    attributes={"pages": 500, "weight_kg": 0.5, "cover": "hard"},
    image="f0",
)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with Shop() as shop:
        await shop.stock()
        for subject, name in (("c-1", "Philosophy"), ("c-2", "Maps"), ("c-3", "Empty")):
            await shop.ask(category.CATEGORY, subject, category.AddCategory(name=name))
        add = AddProduct(details=DETAILS, price=Money(900, "EUR"), units=9)
        await shop.ask(product.PRODUCT, "p-2", add)
        gone = AddProduct(details=ProductDetails(name="Atlas", category="c-2"), price=PRICE)
        await shop.ask(product.PRODUCT, "p-3", gone)
        yield shop


async def found(shop: Shop, query: str = "") -> list[str]:
    answer = await shop.get("products", f"/shop/products?{query}")
    assert answer.status == 200, answer.body
    assert answer.headers["Bookshelf-Count"] == str(len(answer.json))
    return [item["id"] for item in answer.json]


async def test_products_are_found_and_sorted(shop: Shop) -> None:
    assert await found(shop) == ["p-3", "p-1", "p-2"]
    for query, expected in {
        "sort=price": ["p-2", "p-1", "p-3"],
        "sort=-price": ["p-3", "p-1", "p-2"],
        "category=c-1": ["p-2"],
        "category=other": ["p-1"],
        "supplier=Duchesne": ["p-2"],
        "available=true": ["p-1", "p-2"],
        "q=emile": ["p-2"],
        "q=EDU%20duch": ["p-2"],
        "q=dune%20emile": [],
        "q=%25": ["p-3", "p-1", "p-2"],
    }.items():
        assert await found(shop, query) == expected, query


async def test_a_list_of_products_is_paged(shop: Shop) -> None:
    first = await shop.get("products", "/shop/products?limit=2")
    assert [item["id"] for item in first.json] == ["p-3", "p-1"]
    target = first.headers["Link"].partition("<")[2].partition(">")[0]
    second = await shop.get("products", "/shop/products?" + target.partition("?")[2])
    assert [item["id"] for item in second.json] == ["p-2"]
    assert "Link" not in second.headers


async def test_a_product_shows_what_it_is_and_whether_it_can_be_had(shop: Shop) -> None:
    answer = await shop.get("products", "/shop/products/p-2")
    assert answer.json == {
        "id": "p-2",
        "name": "Émile",
        "price": {"amount": 900, "currency": "EUR"},
        "availability": "in",
        "vat_permille": 70,
        "added": answer.json["added"],
        "category": "c-1",
        "supplier": "Duchesne",
        "description": "On education",
        "image": "f0",
        "attributes": {"pages": 500, "weight_kg": 0.5, "cover": "hard"},
        "unique": True,
        **dict.fromkeys(("units", "available"), answer.json["units"]),
        "reserved": 0,
    }
    await shop.place("o-1", 2)
    await shop.ended("o-1", "FINALIZED")
    availability = {}
    for subject in ("p-1", "p-2", "p-3"):
        availability[subject] = (await shop.get("products", f"/shop/products/{subject}")).json["availability"]
    assert availability == {"p-1": "few", "p-2": "in", "p-3": "out"}
    await shop.place("o-2", 1)
    await shop.ended("o-2", "FINALIZED")
    assert (await shop.get("products", "/shop/products/p-1")).json["availability"] == "out"
    await shop.ask(stock.STOCK, "p-1", stock.AddUnits(units=6))
    assert (await shop.get("products", "/shop/products/p-1")).json["availability"] == "in"
    await shop.ask(stock.STOCK, "p-1", stock.SetUnits(units=1))
    assert (await shop.get("products", "/shop/products/p-1")).json["availability"] == "few"


async def test_changes_are_shown_and_a_removed_product_only_by_its_id(shop: Shop) -> None:
    change = ChangeProduct(name="Julie", category="c-2", price=Money(1, "EUR"))
    await shop.ask(product.PRODUCT, "p-2", change)
    assert await found(shop, "q=emile") == []
    assert await found(shop, "q=julie&category=c-2") == ["p-2"]
    assert (await shop.get("products", "/shop/products/p-2")).json["price"]["amount"] == 1
    await shop.ask(product.PRODUCT, "p-2", RemoveProduct())
    assert await found(shop, "q=julie") == []
    assert (await shop.get("products", "/shop/products/p-2")).json["removed"] is True
    assert (await shop.get("products", "/shop/products/p-9")).status == 404


async def test_categories_have_names_and_the_number_of_their_products(shop: Shop) -> None:
    await shop.ask(category.CATEGORY, "c-1", category.RenameCategory(name="Thought"))
    await shop.ask(category.CATEGORY, "c-2", category.RemoveCategory())
    answer = await shop.get("products", "/shop/categories")
    assert answer.json == [
        {"id": "c-3", "name": "Empty", "products": 0},
        {"id": "c-1", "name": "Thought", "products": 1},
    ]
    assert (await shop.get("products", "/shop/categories/c-1")).json["products"] == 1
    assert (await shop.get("products", "/shop/categories/c-2")).status == 404
    assert await found(shop, "category=other") == ["p-3", "p-1"]

"""Managers change what they have read, once for each key: products and categories with If-Match."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.shelf import Answered
from support.shop import Shop

from bookshelf.shop.stock import STOCK, ReserveStock

BOOK = {"name": "Emma", "price": {"amount": 850, "currency": "EUR"}, "units": 2}


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    """An empty shop."""
    async with Shop() as shop:
        yield shop


async def made(shop: Shop, target: str, body: object) -> str:
    answer = await shop.send("products", "POST", target, body)
    assert answer.status == 201, answer.body
    return answer.headers["Location"]


async def tag_of(shop: Shop, target: str) -> str:
    return (await shop.get("products", target)).headers["ETag"]


async def change(
    shop: Shop, method: str, target: str, body: object = None, tag: str = "", key: str = ""
) -> Answered:
    headers: dict[str, Any] = {"If_Match": tag, "Idempotency_Key": key}
    headers = {name: value for name, value in headers.items() if value}
    return await shop.send("products", method, target, body, **headers)


async def test_a_product_is_changed_as_it_was_read_whatever_is_sold_meanwhile(shop: Shop) -> None:
    product = await made(shop, "/shop/products", BOOK)
    first = await tag_of(shop, product)
    await shop.ask(STOCK, product.rpartition("/")[2], ReserveStock(order="o-1", quantity=1))
    sold = await tag_of(shop, product)
    assert sold != first
    assert (await change(shop, "PATCH", product, {"name": "Emma (1815)"}, first)).status == 200
    for method, body in (("PATCH", {"name": "Persuasion"}), ("DELETE", None)):
        for tag in (first, sold, '"0"', 'W/"1"', '"x"'):
            refused = await change(shop, method, product, body, tag)
            assert (refused.status, refused.json["title"]) == (412, "Precondition Failed"), tag
            after = refused.headers["Bookshelf-Position"]
    # what came between is read at that position
    between = await shop.send("products", "GET", f"{product}/history", Bookshelf_After=after)
    assert between.json[-1]["type"] == "shop.product-changed.v1"
    second = await tag_of(shop, product)
    assert (await change(shop, "DELETE", product, None, second)).status == 204
    missing = await change(shop, "PATCH", "/shop/products/p-none", {"name": "X"}, second)
    assert missing.status == 412
    assert (await change(shop, "PATCH", "/shop/products/p-none", {"name": "X"}, "*")).status == 404


async def test_a_product_is_changed_once_for_a_key(shop: Shop) -> None:
    category = await made(shop, "/shop/categories", {"name": "Novels"})
    product = await made(shop, "/shop/products", BOOK)
    tag, body = await tag_of(shop, product), {"category": category.rpartition("/")[2], "name": "Emma (1815)"}
    first = await change(shop, "PATCH", product, body, tag, "k")
    assert (first.status, first.json["details"]["name"]) == (200, "Emma (1815)")
    await change(shop, "PATCH", product, {"name": "Persuasion", "category": ""})
    await shop.caught_up()
    assert (await change(shop, "DELETE", category)).status == 204
    before = len(await shop.records())
    again = await change(shop, "PATCH", product, body, tag, "k")
    assert (again.status, again.body) == (200, first.body)
    assert again.headers["Idempotency-Replayed"] == "true"
    refused = await change(shop, "PATCH", product, body, "", "k-2")
    assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/category")
    for method, other in (("PATCH", {"name": "X"}), ("DELETE", None)):
        reused = await change(shop, method, product, other, "", "k")
        assert reused.json["type"].endswith("key-reused"), method
    assert len(await shop.records()) == before
    for _ in range(2):
        assert (await change(shop, "DELETE", product, None, await tag_of(shop, product), "k-3")).status == 204


async def test_a_product_is_added_once_also_after_its_category_has_gone(shop: Shop) -> None:
    category = await made(shop, "/shop/categories", {"name": "Novels"})
    book = {**BOOK, "category": category.rpartition("/")[2]}
    first = await shop.send("products", "POST", "/shop/products", book, Idempotency_Key="k")
    await change(shop, "DELETE", first.headers["Location"])
    await shop.caught_up()
    assert (await change(shop, "DELETE", category)).status == 204
    again = await shop.send("products", "POST", "/shop/products", book, Idempotency_Key="k")
    assert (again.status, again.body) == (201, first.body)


async def test_a_category_is_changed_as_it_was_read(shop: Shop) -> None:
    first, second = [await made(shop, "/shop/categories", {"name": name}) for name in ("Novels", "Poems")]
    tag, other = await tag_of(shop, first), f"{first}?move-to={second.rpartition('/')[2]}"
    product = await made(shop, "/shop/products", {**BOOK, "category": first.rpartition("/")[2]})
    moved = await tag_of(shop, first)
    assert moved != tag  # the number of its products is another one
    renamed = await change(shop, "PATCH", first, {"name": "Tales"}, tag, "k")
    assert renamed.status == 200
    again = await change(shop, "PATCH", first, {"name": "Tales"}, tag, "k")
    assert (again.status, again.body, again.headers["Idempotency-Replayed"]) == (200, renamed.body, "true")
    await shop.caught_up()
    for method, target, body in (("PATCH", first, {"name": "X"}), ("DELETE", other, None)):
        for stale in (tag, moved):
            refused = await change(shop, method, target, body, stale)
            assert (refused.status, "Bookshelf-Position" in refused.headers) == (412, True)
    assert (await shop.get("products", product)).json["category"] == first.rpartition("/")[2]
    present = await tag_of(shop, first)
    assert (await change(shop, "DELETE", other, None, present, "k-2")).status == 204
    third = await made(shop, "/shop/categories", {"name": "Essays"})
    await shop.caught_up()
    assert (await change(shop, "DELETE", second + f"?move-to={third.rpartition('/')[2]}")).status == 204
    repeated = await change(shop, "DELETE", other, None, present, "k-2")
    assert (repeated.status, repeated.headers["Idempotency-Replayed"]) == (204, "true")
    elsewhere = await change(shop, "DELETE", f"{first}?move-to={third.rpartition('/')[2]}", None, "", "k-2")
    assert elsewhere.json["type"].endswith("key-reused")

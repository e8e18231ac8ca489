"""A customer buys by the pages of the shop, over its services: what the API answers is what they show."""

import re

from support.pages import Pages, ShelfApi
from support.shop import Shop
from support.until import eventually

from bookshelf.shop.pages.customer.site import SITE


async def check_out(pages: Pages) -> str:
    """Order what is in the cart on credit, and return the id of the order."""
    await pages.post("/shop/checkout", {"_key": "k", "address": "Ann\n12 Shelf Lane"})
    await pages.post("/shop/checkout/payment", {"_key": "k", "pay": "credit"})
    summary = await pages.get("/shop/checkout/summary")
    fields = {name: summary.value(name) for name in ("_key", "line", "answers")}
    placed = await pages.submit("/shop/checkout/summary", fields)
    found = re.search(r"order:(o-[0-9a-f-]+)", placed.html)
    assert found is not None, placed.words
    return found[1]


async def test_a_book_is_bought_on_credit_and_too_many_of_it_are_not() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.caught_up()
        pages = Pages(SITE, ShelfApi(shop.services))
        assert "Dune" in (await pages.get("/shop/search?q=dun")).words
        assert "€15.00" in (await pages.get("/shop/products/p-1")).words
        added = await pages.submit("/shop/products/p-1", {"_key": "k", "quantity": "2"})
        assert '<b class="count num">2</b>' in added.html
        order = await check_out(pages)
        await shop.ended(order, "FINALIZED")
        await shop.caught_up()
        shown = await pages.get(f"/shop/orders/{order}")
        assert "Paid, and being packed" in shown.words
        assert "2 \N{MULTIPLICATION SIGN} €15.00" in shown.words
        assert "Finalized €30.00" in (await pages.get("/shop/orders")).words

        async def emptied() -> bool:  # by ORDERING, after the order has ended
            await shop.caught_up()
            return "Your cart is empty" in (await pages.get("/shop/cart")).words

        await eventually(emptied, "the cart is empty")

        await pages.submit("/shop/products/p-1", {"_key": "l", "quantity": "3"})
        order = await check_out(pages)
        await shop.ended(order, "CANCELED")
        await shop.caught_up()
        assert "only 1 left, and you wanted 3" in (await pages.get(f"/shop/orders/{order}")).words

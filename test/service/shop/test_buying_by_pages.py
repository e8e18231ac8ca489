"""A customer buys by the pages of the shop, over its services: what the API answers is what they show."""

import re

from support.pages import Pages, ShelfApi
from support.shop import Shop
from support.until import eventually

from bookshelf.shop.pages.customer.site import SITE
from bookshelf.shop.product import PRODUCT, ChangeProduct


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
        # the order has no name of a line that was refused, its page has that of the product
        shown = await pages.get(f"/shop/orders/{order}")
        assert "Dune: only 1 left, and you wanted 3" in shown.words
        assert "Dune" in (await pages.get("/shop/orders?state=CANCELED")).words


async def test_a_refused_step_of_an_order_is_explained_in_the_language_of_the_person() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.place("o-1", 1)
        await shop.ended("o-1", "FINALIZED")
        await shop.caught_up()
        pages = Pages(SITE, ShelfApi(shop.services))
        german = {"Accept_Language": "de"}
        refused = await pages.post("/shop/orders/o-1/cancel", {"_key": "k"}, **german)
        assert refused.status == 422
        assert "Die Bestellung kann nicht mehr storniert werden" in refused.words
        assert "cannot be canceled" not in refused.words


async def test_a_picture_that_was_uploaded_is_shown_in_the_orders_of_its_product() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.ask(PRODUCT, "p-1", ChangeProduct(image="f-1"))
        await shop.place("o-1", 1)
        await shop.ended("o-1", "FINALIZED")
        await shop.caught_up()
        pages = Pages(SITE, ShelfApi(shop.services))
        assert "/bookshelf/files/f-1" in (await pages.get("/shop/orders/o-1")).html


async def test_preferences_are_set_below_the_shop_and_those_of_other_sites_stay() -> None:
    async with Shop() as shop:
        pages = Pages(SITE, ShelfApi(shop.services))
        before = {"Cookie": "bookshelf-prefs=theme=light&view=list&facets=genre.tag"}
        fields = {"_version": "settings", "theme": "dark", "language": "", "zone": "", "keys": "on"}
        saved = await pages.post("/shop/settings", fields, **before)
        kept = next(value for name, value in saved.headers.items() if value.startswith("bookshelf-prefs="))
        for part in ("theme=dark", "view=list", "facets=genre.tag"):
            assert part in kept
        assert "/shop/settings" in (await pages.get("/shop/help/keys")).html

"""A manager works by the pages of managers, over the services of the shop."""

import re

from support.pages import Pages, ShelfApi, ShownPage
from support.shop import LATE, Shop

from bookshelf.shop.order import ORDER
from bookshelf.shop.pages.managing.site import SITE


def link_to(page: ShownPage, path: str) -> str:
    """Return the first address of one thing below a path that a page links."""
    found = re.search(rf'href="({path}/[a-z]-[^"/?]+)', page.html)
    assert found is not None, page.words
    return found[1]


def version_of(page: ShownPage) -> str:
    """Return the entity tag of a page's form."""
    return page.value("_version").replace("&#34;", '"').replace("&quot;", '"')


async def test_a_product_of_a_new_category_has_units_and_is_removed_with_it() -> None:
    async with Shop() as shop:
        await shop.stock()
        pages = Pages(SITE, ShelfApi(shop.services))
        await pages.submit("/manage/categories/add", {"_key": "a", "name": "Novels"})
        await shop.caught_up()
        category = link_to(await pages.get("/manage/categories"), "/manage/categories").rpartition("/")[2]
        typed = {
            "_key": "b",
            "name": "Emma",
            "price": "19.99",
            "vat": "7",
            "units": "1",
            "category": category,
        }
        await pages.submit("/manage/products/add", typed)
        await shop.caught_up()
        listed = await pages.get(f"/manage/products?category={category}&low=on")
        assert "Emma" in listed.words
        assert "Dune" not in listed.words
        product = link_to(listed, "/manage/products")

        seen = version_of(await pages.get(f"{product}/units"))
        await pages.post(f"{product}/units", {"_version": seen, "number": "4", "way": "add"})
        await shop.caught_up()
        count = {"_version": seen, "number": "9", "way": "set", "why": "counted"}
        conflict = await pages.post(f"{product}/units", count)
        assert conflict.status == 412
        assert "Something came between" in conflict.words
        assert "More have come in" in conflict.words
        again = await pages.post(f"{product}/units", {**count, "_version": version_of(conflict)})
        assert again.status == 303, again.words

        await pages.submit(f"{product}/remove", {"_key": "e"})
        await pages.submit(f"/manage/categories/{category}/remove", {"_key": "f"})
        await shop.caught_up()
        assert "No category yet" in (await pages.get("/manage/categories")).words


async def test_an_order_is_sent_its_customer_gets_credit_and_it_is_in_the_revenue() -> None:
    async with Shop() as shop:
        await shop.stock()
        pages = Pages(SITE, ShelfApi(shop.services))
        await shop.place("o-1", 2)
        await shop.ended("o-1", "FINALIZED")
        await shop.caught_up()
        customer = link_to(await pages.get("/manage/customers"), "/manage/customers")
        await pages.submit(customer, {"_key": "c", "amount": "5.00", "why": "torn pages", "way": "grant"})
        await pages.submit("/manage/orders/o-1", {"_key": "d", "step": "ship", "tracking": "JD1"})
        await shop.caught_up()
        shown = (await pages.get(customer)).words
        assert "torn pages" in shown
        assert "Taken for an order" in shown
        assert "JD1" in (await pages.get("/manage/orders/o-1")).words
        assert "Dune" in (await pages.get("/manage/orders?state=FINALIZED")).words
        assert "€30.00" in (await pages.get("/manage/revenue?by=product")).words
        assert "2026-0" in (await pages.get("/manage/invoices")).words
        assert "cannot be read" not in (await pages.get("/manage")).words


async def test_a_stalled_order_is_canceled_after_a_question() -> None:
    async with Shop() as shop:
        await shop.stock()
        pages = Pages(SITE, ShelfApi(shop.services))
        await shop.place("o-1", 2, card=LATE)
        await shop.state(ORDER, "o-1", stalled="capture-declined")
        await shop.caught_up()
        assert "/manage/orders/o-1/cancel" in (await pages.get("/manage/orders/o-1")).html
        asked = await pages.get("/manage/orders/o-1/cancel")
        assert "Dune" in asked.words
        await pages.submit("/manage/orders/o-1/cancel", {"_key": "g"})
        await shop.ended("o-1", "CANCELED")

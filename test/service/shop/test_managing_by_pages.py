"""A manager works by the pages of managers, over the services of the shop: one flow from a category to its revenue."""

import re

from support.pages import Pages, ShelfApi, ShownPage
from support.shop import Shop

from bookshelf.shop.pages.manager.site import SITE


def link_to(page: ShownPage, path: str) -> str:
    """Return the first address below a path that a page links."""
    found = re.search(rf'href="({path}/[a-z]-[^"/?]+)', page.html)
    assert found is not None, page.words
    return found[1]


async def test_a_category_a_product_units_credit_an_order_and_its_revenue() -> None:
    async with Shop() as shop:
        await shop.stock()
        pages = Pages(SITE, ShelfApi(shop.services))
        await pages.submit("/manage/categories/add", {"_key": "a", "name": "Novels"})
        await shop.caught_up()
        category = link_to(await pages.get("/manage/categories"), "/manage/categories").rpartition("/")[2]
        typed = {"_key": "b", "name": "Emma", "price": "19.99", "units": "1", "category": category}
        added = await pages.submit("/manage/products/add", typed)
        assert added.status == 200, added.words
        await shop.caught_up()
        listed = await pages.get(f"/manage/products?category={category}&low=on")
        assert "Emma" in listed.words
        assert "Dune" not in listed.words
        product = link_to(listed, "/manage/products")

        shown = await pages.get(f"{product}/units")
        seen = shown.value("_version").replace("&#34;", '"').replace("&quot;", '"')
        added = await pages.post(f"{product}/units", {"_version": seen, "number": "4", "way": "add"})
        assert added.status == 303, added.words
        await shop.caught_up()
        count = {"_version": seen, "number": "9", "way": "set", "why": "counted"}
        conflict = await pages.post(f"{product}/units", count)
        assert conflict.status == 412, conflict.words
        assert "Something came between" in conflict.words
        assert "More have come in" in conflict.words
        seen = conflict.value("_version").replace("&#34;", '"').replace("&quot;", '"')
        assert (await pages.post(f"{product}/units", {**count, "_version": seen})).status == 303

        await shop.place("o-1", 2)
        await shop.ended("o-1", "FINALIZED")
        await shop.caught_up()
        customer = link_to(await pages.get("/manage/customers"), "/manage/customers")
        grant = {"_key": "c", "amount": "5.00", "why": "torn pages", "way": "grant"}
        assert (await pages.submit(customer, grant)).status == 200
        await shop.caught_up()
        shown = await pages.get(customer)
        assert "torn pages" in shown.words
        assert "Taken for an order" in shown.words

        sent = await pages.submit("/manage/orders/o-1", {"_key": "d", "step": "ship", "tracking": "JD1"})
        assert sent.status == 200, sent.words
        await shop.caught_up()
        assert "JD1" in (await pages.get("/manage/orders/o-1")).words
        assert "Dune" in (await pages.get("/manage/orders?state=FINALIZED")).words
        assert "€30.00" in (await pages.get("/manage/revenue?by=product")).words
        assert "2026-0" in (await pages.get("/manage/invoices")).words
        today = await pages.get("/manage")
        assert "cannot be read" not in today.words

        away = await pages.submit(f"{product}/remove", {"_key": "e"})
        assert away.status == 200, away.words
        gone = await pages.submit(f"/manage/categories/{category}/remove", {"_key": "f"})
        assert gone.status == 200, gone.words
        await shop.caught_up()
        assert "No category yet" in (await pages.get("/manage/categories")).words

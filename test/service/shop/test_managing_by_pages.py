"""A manager works by the pages of managers, over the services of the shop."""

import re
from datetime import UTC, datetime

from support.pages import Pages, ShelfApi, ShownPage
from support.shop import LATE, Shop
from support.until import eventually

from bookshelf.shop.credit import CREDIT, OpenCredit
from bookshelf.shop.money import Money
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
        assert "No order is like this" in (await pages.get("/manage/orders?to-ship=on")).words
        assert 'href="/manage/orders?to-ship=on"' in (await pages.get("/manage")).html
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


async def test_orders_are_sorted_and_followed_page_by_page_and_back() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.send("products", "POST", "/shop/products/p-1/units", {"add": 40})
        for number in range(32):
            await shop.place(f"o-{number:02}", 1)
        await shop.ended("o-31", "CANCELED")
        await shop.caught_up()
        pages = Pages(SITE, ShelfApi(shop.services))
        newest = await pages.get("/manage/orders")
        assert 'aria-sort="descending"' in newest.html
        more = re.search(r'href="(/manage/orders[?]after=[^"]+)"', newest.html)
        assert more is not None
        last = await pages.get(more[1].replace("&amp;", "&"))
        assert "Back to the beginning" in last.words
        assert "Next page" not in last.words
        oldest = await pages.get("/manage/orders?sort=placed")
        assert 'aria-sort="ascending"' in oldest.html
        assert oldest.html.index("orders-o-00") < oldest.html.index("orders-o-01")


async def test_invoices_are_listed_by_days_and_lead_to_their_table() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.place("o-1", 2)
        await shop.ended("o-1", "FINALIZED")
        await shop.caught_up()
        pages = Pages(SITE, ShelfApi(shop.services))

        async def listed() -> bool:
            return "/manage/orders/o-1" in (await pages.get("/manage/invoices")).html

        await eventually(listed, "the invoice is written")
        shown = await pages.get("/manage/invoices?from=2026-01-01&to=2099-01-01")
        assert "One invoice" in shown.words
        address = "/bookshelf/shop/invoices?from=2026-01-01&to=2099-01-01&format=csv"
        assert f'href="{address.replace("&", "&amp;")}"' in shown.html
        table = await shop.get("accounting", address.removeprefix("/bookshelf"))
        assert b"o-1" in table.body
        none = await pages.get("/manage/invoices?from=2099-01-02")
        assert "No invoice of these days" in none.words


async def test_invoices_are_sorted_by_their_column() -> None:
    async with Shop() as shop:
        await shop.stock()
        for order in ("o-1", "o-2"):
            await shop.place(order, 1)
            await shop.ended(order, "FINALIZED")
        pages = Pages(SITE, ShelfApi(shop.services))

        async def listed() -> bool:
            await shop.caught_up()
            return "-000002" in (await pages.get("/manage/invoices")).html

        await eventually(listed, "both invoices are written")
        newest = await pages.get("/manage/invoices")
        assert 'aria-sort="descending"' in newest.html
        assert newest.html.index("-000002") < newest.html.index("-000001")
        oldest = await pages.get("/manage/invoices?sort=number")
        assert 'aria-sort="ascending"' in oldest.html
        assert oldest.html.index("-000001") < oldest.html.index("-000002")
        assert "/manage/invoices?sort=number" in newest.html


async def test_customers_are_sorted_by_their_balance() -> None:
    async with Shop() as shop:
        await shop.stock()
        for customer, amount in (("a-1", 500), ("a-2", 900), ("a-3", 700)):
            await shop.ask(CREDIT, customer, OpenCredit(amount=Money(amount, "EUR")))
        await shop.caught_up()
        pages = Pages(SITE, ShelfApi(shop.services))

        async def ids(address: str) -> list[str]:
            shown = await pages.get(address)
            return [found for found in re.findall(r'id="customer-([^"]+)"', shown.html) if found[:2] == "a-"]

        assert await ids("/manage/customers?sort=-balance") == ["a-2", "a-3", "a-1"]
        assert await ids("/manage/customers?sort=balance") == ["a-1", "a-3", "a-2"]
        assert await ids("/manage/customers?sort=other") == ["a-1", "a-2", "a-3"]
        assert "/manage/customers?sort=-balance" in (await pages.get("/manage/customers")).html
        listed = await shop.get("customers", "/shop/customers?sort=-balance&limit=2")
        assert [one["customer"] for one in listed.json][-1] in {"a-2", "a-3"}
        assert "sort=-balance" in listed.headers["Link"]


async def test_today_is_the_day_of_the_shop() -> None:
    async with Shop() as shop:  # in Berlin
        await shop.stock()
        shop.clock.move(datetime(2026, 3, 1, 23, 30, tzinfo=UTC) - shop.clock.now())
        await shop.place("o-1", 1)
        await shop.ended("o-1", "FINALIZED")
        await shop.caught_up()
        pages = Pages(SITE, ShelfApi(shop.services), shop.clock)
        shown = await pages.get("/manage", Cookie="bookshelf-prefs=zone=America/New_York")
        assert "One order today" in shown.words
        assert "from=2026-03-02" in shown.html


async def test_a_category_that_another_manager_has_renamed_is_shown_with_what_was_typed() -> None:
    async with Shop() as shop:
        pages = Pages(SITE, ShelfApi(shop.services))
        await pages.submit("/manage/categories/add", {"_key": "a", "name": "Novels"})
        await shop.caught_up()
        category = link_to(await pages.get("/manage/categories"), "/manage/categories")
        seen = version_of(await pages.get(category))
        await pages.submit(category, {"_version": seen, "name": "Tales"})
        await shop.caught_up()
        conflict = await pages.post(category, {"_version": seen, "name": "Stories"})
        assert conflict.status == 412
        assert "This was changed meanwhile" in conflict.words
        assert conflict.value("name") == "Stories"
        assert "Tales" in conflict.words
        kept = await pages.post(category, {"_version": version_of(conflict), "name": "Stories"})
        assert kept.status == 303, kept.words
        await shop.caught_up()
        assert "Stories" in (await pages.get("/manage/categories")).words


async def test_a_product_that_another_manager_has_changed_is_shown_with_what_was_typed() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.caught_up()
        pages = Pages(SITE, ShelfApi(shop.services))
        page = await pages.get("/manage/products/p-1")
        seen = {"_version": version_of(page), "shown": page.value("shown")}
        fields = {"name": "Dune", "price": "15.00", "vat": "7"}
        await shop.place("o-1", 1)  # an order is no change of the product
        await shop.ended("o-1", "FINALIZED")
        await pages.submit("/manage/products/p-1", {**seen, **fields, "price": "16.00"})
        await shop.caught_up()
        # without a price the form is refused, and the version that was seen stays the one that counts
        wrong = await pages.post("/manage/products/p-1", {**seen, **fields, "price": ""})
        assert (wrong.status, version_of(wrong)) == (422, seen["_version"])
        conflict = await pages.post("/manage/products/p-1", {**seen, **fields, "price": "17.00"})
        assert conflict.status == 412
        assert conflict.value("price") == "17.00"
        assert "16.00" in conflict.words
        mine = {"_version": version_of(conflict), "shown": conflict.value("shown"), **fields}
        kept = await pages.post("/manage/products/p-1", {**mine, "price": "17.00"})
        assert kept.status == 303, kept.words
        await shop.caught_up()
        assert "17.00" in (await pages.get("/manage/products/p-1")).html

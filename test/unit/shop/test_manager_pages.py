"""The pages of managers over a scripted API: what they send for a form, and what they show of a refusal."""

from support.pages import Pages, ScriptedApi

from bookshelf.cqrs.handler import Caller
from bookshelf.shop.pages.managing.answers import Earned
from bookshelf.shop.pages.managing.revenue import to_csv
from bookshelf.shop.pages.managing.site import SITE

EURO = {"amount": 1499, "currency": "EUR"}
PRODUCT = {"id": "p-1", "name": "Dune", "price": EURO, "availability": "few", "vat_permille": 70}
EMMA = {"name": "Emma", "price": "19.99", "vat": "7", "units": "3"}
UNITS = {"units": 5, "reserved": 1, "available": 4}
CREDIT = {"customer": "a-1", "balance": EURO, "reserved": EURO, "available": EURO}


def made() -> tuple[Pages, ScriptedApi]:
    api = ScriptedApi()
    return Pages(SITE, api), api


async def test_a_product_is_added_with_its_amount_and_its_attributes() -> None:
    pages, api = made()
    api.answer("GET", "/shop/currency", 200, {"currency": "EUR"})
    api.answer("POST", "/shop/products", 201, {"id": "p-2"})
    refused = await pages.post("/manage/products/add", {**EMMA, "price": "cheap"})
    assert refused.status == 422
    assert "Write an amount, like 19.99." in refused.words
    added = await pages.post(
        "/manage/products/add", {**EMMA, "attributes": "author: Jane Austen\npages: 474"}
    )
    assert added.status == 303
    [(method, path, body)] = api.sent
    assert (method, path) == ("POST", "/shop/products")
    assert body["price"] == {"amount": 1999, "currency": "EUR"}
    assert body["attributes"] == {"author": "Jane Austen", "pages": 474}
    assert (body["vat_permille"], body["units"]) == (70, 3)


async def test_a_number_is_one_by_its_name_and_an_isbn_keeps_its_zero() -> None:
    pages, api = made()
    api.answer("GET", "/shop/currency", 200, {"currency": "EUR"})
    api.answer("POST", "/shop/products", 201, {"id": "p-2"})
    lines = ["isbn: 0140449131", "pages: 474", "published: 0474", "series: 7"]
    await pages.post("/manage/products/add", {**EMMA, "attributes": "\n".join(lines)})
    expected = {"isbn": "0140449131", "pages": 474, "published": "0474", "series": "7"}
    assert api.sent[0][2]["attributes"] == expected


async def test_an_empty_vat_is_refused_and_the_form_begins_with_that_of_books() -> None:
    pages, api = made()
    api.answer("GET", "/shop/currency", 200, {"currency": "EUR"})
    assert (await pages.get("/manage/products/add")).value("vat") == "7"
    refused = await pages.post("/manage/products/add", {**EMMA, "vat": ""})
    assert refused.status == 422
    assert "VAT in percent: Fill this in." in refused.words
    assert api.sent == []


async def test_saving_sends_only_what_was_typed_anew() -> None:
    pages, api = made()
    stored = {
        **PRODUCT,
        "category": "c-1",
        "description": "Sand.\r\n\r\nA desert.",
        "attributes": {"isbn": 7},
    }
    api.answer("GET", "/shop/products/p-1", 200, stored)
    api.answer("GET", "/shop/categories", 200, [{"id": "c-1", "name": "Novels", "products": 1}])
    api.answer("PATCH", "/shop/products/p-1", 200, {})
    shown = await pages.get("/manage/products/p-1")
    typed = {
        "shown": shown.value("shown"),
        "name": "Dune",
        "price": "14.99",
        "vat": "7",
        "category": "c-1",
        "description": "Sand.\r\n\r\nA desert.",
        "attributes": "isbn: 7\r\npages: 412",
    }
    api.answer("GET", "/shop/products/p-1", 200, {**stored, "price": {**EURO, "amount": 999}})  # meanwhile
    assert (await pages.post("/manage/products/p-1", typed)).status == 303
    assert api.sent == [("PATCH", "/shop/products/p-1", {"attributes": {"isbn": 7, "pages": 412}})]
    assert (await pages.post("/manage/products/p-1", {**typed, "attributes": "isbn: 7"})).status == 303
    assert len(api.sent) == 1


async def test_a_category_is_kept_while_the_categories_cannot_be_read() -> None:
    pages, api = made()
    api.answer("GET", "/shop/products/p-1", 200, {**PRODUCT, "category": "c-1"})
    api.answer("GET", "/shop/categories", 503, {})
    shown = await pages.get("/manage/products/p-1")
    assert '<option value="c-1" selected>As it is</option>' in shown.html


async def test_the_units_page_asks_for_the_newest_of_a_long_history() -> None:
    pages, api = made()
    api.answer("GET", "/shop/products/p-1", 200, {**PRODUCT, **UNITS})
    events = [
        {"type": "shop.units-added.v1", "time": "2026-01-31T20:31:00Z", "data": {"units": number}}
        for number in range(120, 20, -1)
    ]
    api.answer("GET", "/shop/products/p-1/history", 200, events)
    shown = await pages.get("/manage/products/p-1/units")
    assert "More have come in 120" in shown.words
    assert shown.words.count("More have come in") == 10
    [asked] = [one.target for one in api.requests if "/history" in one.target]
    assert asked.endswith("/history?sort=-time&limit=100")


async def test_orders_to_be_shipped_are_a_number_without_a_list_that_has_others() -> None:
    pages, api = made()
    counts = {"orders": 9, "by_state": {}, "by_reason": {}, "stalled": 0, "to_ship": 6}
    api.answer("GET", "/shop/orders/summary", 200, counts)
    shown = await pages.get("/manage")
    assert "6 to be shipped" in shown.words
    assert "state=FINALIZED" not in shown.html


async def test_a_picture_goes_to_the_files_as_it_is() -> None:
    pages, api = made()
    api.answer("GET", "/shop/currency", 200, {"currency": "EUR"})
    api.answer("POST", "/shop/products", 201, {"id": "p-2"})
    api.answer("POST", "/files", 201, {"id": "f-1"})
    files = {"picture": ("cover.png", b"\x89PNG")}
    added = await pages.upload("/manage/products/add", {"name": "Emma", "price": "1.00", "vat": "7"}, files)
    assert added.status == 303
    sent = [one for one in api.requests if one.method == "POST"]
    assert await sent[0].body.read(100) == b"\x89PNG"
    assert b'"image":"f-1"' in await sent[1].body.read(10_000)


async def test_units_are_set_with_the_version_that_was_seen() -> None:
    pages, api = made()
    api.answer("GET", "/shop/products/p-1", 200, {**PRODUCT, **UNITS}, ETag='"7"')
    api.answer("PUT", "/shop/products/p-1/units", 412, {"type": "urn:bookshelf:problem:changed"})
    version = (await pages.get("/manage/products/p-1/units")).value("_version")
    fields = {"_version": version.replace("&#34;", '"'), "number": "9", "way": "set"}
    conflict = await pages.post("/manage/products/p-1/units", fields)
    assert conflict.status == 412
    assert "Something came between" in conflict.words
    [put] = [one for one in api.requests if one.method == "PUT"]
    assert put.headers["If-Match"] == '"7"'


async def test_credit_is_granted_with_its_reason() -> None:
    pages, api = made()
    api.answer("GET", "/shop/customers/a-1/credit", 200, CREDIT, ETag='"7"')
    api.answer("POST", "/shop/customers/a-1/credit/grants", 200, CREDIT)
    fields = {"amount": "5.00", "why": "torn pages", "way": "grant"}
    granted = await pages.post("/manage/customers/a-1", fields)
    assert granted.status == 303
    assert api.sent[0][2] == {"amount": {"amount": 500, "currency": "EUR"}, "why": "torn pages"}


async def test_what_cannot_be_read_is_marked_and_the_rest_is_shown() -> None:
    pages, api = made()
    api.answer("GET", "/shop/products", 200, [{**PRODUCT, **UNITS}])
    shown = await pages.get("/manage")
    assert shown.status == 200
    assert "The numbers of orders cannot be read right now." in shown.words
    assert "Dune" in shown.words


async def test_without_accounts_the_page_of_people_states_that() -> None:
    pages, _ = made()
    assert "Accounts are off here" in (await pages.get("/manage/people")).words


def test_the_csv_of_revenue_has_no_formulas() -> None:
    row = Earned(key="p-1", name="=1+1", gross=1499, units=1, currency="EUR", orders=1)
    assert to_csv([row]).decode().splitlines()[1] == "p-1,'=1+1,1,1,,,14.99,EUR"


async def test_only_admins_are_led_to_the_people() -> None:
    _, api = made()
    for scopes, led in (({"shop:manage"}, False), ({"shop:manage", "accounts:admin"}, True)):
        caller = Caller(actor="mia", account="a-m", owner="a-m", scopes=frozenset(scopes))
        shown = await Pages(SITE, api, caller=caller).get("/manage")
        assert ('href="/manage/people"' in shown.html) is led

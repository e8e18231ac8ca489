"""The pages of managers over a scripted API: what they send for a form, and what they show of a refusal."""

from support.pages import Pages, ScriptedApi

from bookshelf.shop.pages.managing.answers import Earned
from bookshelf.shop.pages.managing.revenue import to_csv
from bookshelf.shop.pages.managing.site import SITE

EURO = {"amount": 1499, "currency": "EUR"}
PRODUCT = {"id": "p-1", "name": "Dune", "price": EURO, "availability": "few", "vat_permille": 70}
UNITS = {"units": 5, "reserved": 1, "available": 4}
CREDIT = {"customer": "a-1", "balance": EURO, "reserved": EURO, "available": EURO}


def made() -> tuple[Pages, ScriptedApi]:
    api = ScriptedApi()
    return Pages(SITE, api), api


async def test_a_product_is_added_with_its_amount_and_its_attributes() -> None:
    pages, api = made()
    api.answer("GET", "/shop/products", 200, [PRODUCT])
    api.answer("POST", "/shop/products", 201, {"id": "p-2"})
    typed = {"name": "Emma", "price": "19.99", "vat": "7", "units": "3"}
    refused = await pages.post("/manage/products/add", {**typed, "price": "cheap"})
    assert refused.status == 422
    assert "Write an amount, like 19.99." in refused.words
    added = await pages.post(
        "/manage/products/add", {**typed, "attributes": "author: Jane Austen\npages: 474"}
    )
    assert added.status == 303
    [(method, path, body)] = api.sent
    assert (method, path) == ("POST", "/shop/products")
    assert body["price"] == {"amount": 1999, "currency": "EUR"}
    assert body["attributes"] == {"author": "Jane Austen", "pages": 474}
    assert (body["vat_permille"], body["units"]) == (70, 3)


async def test_a_picture_goes_to_the_files_as_it_is() -> None:
    pages, api = made()
    api.answer("GET", "/shop/products", 200, [PRODUCT])
    api.answer("POST", "/shop/products", 201, {"id": "p-2"})
    api.answer("POST", "/files", 201, {"id": "f-1"})
    files = {"picture": ("cover.png", b"\x89PNG")}
    added = await pages.upload("/manage/products/add", {"name": "Emma", "price": "1.00"}, files)
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

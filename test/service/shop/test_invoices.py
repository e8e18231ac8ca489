"""Invoices as they were written, also as a table, and the revenue that they sum up to."""

from datetime import timedelta

import pytest
from sqlalchemy import create_engine, insert
from support.shop import GOOD, Shop

from bookshelf.cqrs.errors import Invalid
from bookshelf.shop.credit import CREDIT, OpenCredit
from bookshelf.shop.invoice import INVOICE
from bookshelf.shop.invoice_queries import TABLE_MOST, InvoiceQueries, InvoicesQuery
from bookshelf.shop.invoices import TABLES, invoices
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER
from bookshelf.shop.order_commands import PlaceOrder
from bookshelf.shop.order_events import Terms
from bookshelf.shop.product import PRODUCT, AddProduct
from bookshelf.shop.values import OrderLine, ProductDetails


async def test_invoices_are_listed_and_summed_by_period_and_product() -> None:
    async with Shop() as shop:
        await shop.stock()
        await shop.place("o-1", 2)
        await shop.state(INVOICE, "o-1", number="2026-000001")
        shop.clock.move(timedelta(hours=11, minutes=30))  # the next day, in the shop's zone
        await shop.place("o-2", 1, GOOD)
        await shop.state(INVOICE, "o-2", number="2026-000002")
        listed = (await shop.get("accounting", "/shop/invoices")).json
        assert [invoice["number"] for invoice in listed] == ["2026-000002", "2026-000001"]
        first = await shop.get("accounting", "/shop/invoices/2026-000001")
        assert first.json == listed[1]
        assert first.json["vat"] == [{"permille": 70, "gross": 3000, "vat": 196, "net": 2804}]
        assert (first.json["order"], first.json["seller"]) == ("o-1", "Bookshelf")
        again = await shop.get("accounting", "/shop/invoices/2026-000001")
        assert again.body == first.body
        assert (await shop.get("accounting", "/shop/invoices/2026-000003")).status == 404

        async def earned(query: str) -> list[tuple[str, int, int]]:
            answer = await shop.get("accounting", f"/shop/revenue?{query}")
            assert answer.status == 200, answer.body
            return [(row["key"], row["gross"], row["orders"]) for row in answer.json]

        assert await earned("by=day") == [("2026-03-01", 3000, 1), ("2026-03-02", 1500, 1)]
        assert await earned("by=day&from=0001-01-01&to=0001-01-01") == []
        assert len(await earned("by=day&from=0001-01-01&to=9999-12-31")) == len(await earned("by=day"))
        assert await earned("by=day&from=2026-03-02&to=2026-03-31") == [("2026-03-02", 1500, 1)]
        assert await earned("by=month") == [("2026-03", 4500, 2)]
        assert await earned("by=year&limit=1") == [("2026", 4500, 2)]
        assert await earned("by=product") == [("p-1", 4500, 2)]
        [year] = (await shop.get("accounting", "/shop/revenue?by=year")).json
        assert year["vat"] + year["net"] == year["gross"] == 4500


async def test_invoices_are_a_table_of_all_days_or_of_some() -> None:
    async with Shop() as shop:
        await shop.stock()
        without = AddProduct(details=ProductDetails(name="Stamps"), price=Money(90, "EUR"), units=9)
        await shop.ask(PRODUCT, "p-2", without)
        await shop.place("o-1", 2)
        await shop.state(INVOICE, "o-1", number="2026-000001")
        shop.clock.move(timedelta(hours=11, minutes=30))  # the next day, in the shop's zone
        await shop.ask(CREDIT, "@sum", OpenCredit(amount=Money(10_000, "EUR")))
        lines = (OrderLine("p-1", 1), OrderLine("p-2", 1))
        await shop.ask(
            ORDER, "o-2", PlaceOrder(terms=Terms(customer="@sum"), lines=lines, at=shop.clock.now())
        )
        await shop.state(INVOICE, "o-2", number="2026-000002")
        everything = await shop.get("accounting", "/shop/invoices?format=csv&limit=1")
        assert everything.body.decode() == (
            "number,day,order,customer,currency,gross,net,vat,net 0%,vat 0%,net 7%,vat 7%\r\n"
            "2026-000001,2026-03-01,o-1,a-reader,EUR,30.00,28.04,1.96,,,28.04,1.96\r\n"
            "2026-000002,2026-03-02,o-2,'@sum,EUR,15.90,14.92,0.98,0.90,0.00,14.02,0.98\r\n"
        )
        assert everything.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert (everything.headers["Bookshelf-Count"], everything.headers["Vary"]) == ("2", "Accept")
        assert "Link" not in everything.headers
        first = "/shop/invoices?from=2026-03-01&to=2026-03-01"
        preferred = await shop.send("accounting", "GET", first, Accept="text/csv")
        assert [line[:11] for line in preferred.body.decode().splitlines()] == ["number,day,", "2026-000001"]
        shown = await shop.send("accounting", "GET", first, Accept="text/csv;q=0.5, application/json")
        assert [invoice["order"] for invoice in shown.json] == ["o-1"]
        tag = shown.headers["ETag"]
        assert (await shop.send("accounting", "GET", first, If_None_Match=tag)).status == 304
        named = await shop.send("accounting", "GET", f"{first}&format=json", Accept="text/csv")
        assert named.json == shown.json
        nothing = await shop.get("accounting", "/shop/invoices?format=csv&customer=a-nobody")
        assert nothing.body == b"number,day,order,customer,currency,gross,net,vat\r\n"
        assert "ETag" not in nothing.headers
        wrong = await shop.get("accounting", "/shop/invoices?format=pdf")
        assert wrong.status == 422


def test_a_table_is_of_ten_thousand_invoices_at_the_most() -> None:
    engine = create_engine("sqlite://")
    TABLES.create_all(engine)
    row = {"customer": "a-1", "day": "2026-03-01", "currency": "EUR", "gross": 1, "vat": 0, "net": 1}
    rows = [{"order": f"o-{n}", "number": f"2026-{n:06}", "data": "{}", **row} for n in range(TABLE_MOST + 1)]
    asked = InvoicesQuery(sees_all=True, format="csv")
    with engine.begin() as db:
        db.execute(insert(invoices), rows)
        with pytest.raises(Invalid, match="these are 10001; name fewer days"):
            InvoiceQueries().find(db, asked)
    engine.dispose()

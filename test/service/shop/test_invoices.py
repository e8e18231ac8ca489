"""Invoices as they were written, and the revenue that they sum up to."""

from datetime import timedelta

from support.shop import GOOD, Shop

from bookshelf.shop.invoice import INVOICE


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

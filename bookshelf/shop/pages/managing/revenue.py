"""Invoices and revenue: the list, charts by year, month and product, and both as CSV."""

import csv
from collections.abc import Mapping, Sequence
from datetime import date
from io import StringIO

import msgspec

from bookshelf.shop.money import Money, digits_of, plain_amount
from bookshelf.shop.pages.managing.answers import Earned, WrittenInvoice
from bookshelf.shop.pages.managing.form_parts import ROOT, names_of
from bookshelf.shop.pages.shared.example_orders import EXAMPLE_TIME
from bookshelf.shop.pages.shared.product_tiles import example_products, long_product
from bookshelf.shop.values import MANAGE, BoughtLine, VatSum
from bookshelf.site.api_adapters import PREFIX, target
from bookshelf.site.charts import Bars, bars
from bookshelf.site.page import Download, Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

INVOICES, REVENUE = f"{ROOT}/invoices", f"{ROOT}/revenue"
PERIODS: Mapping[str, str] = {
    "year": _("By year"),
    "month": _("By month"),
    "day": _("By day"),
    "product": _("By product"),
}
_PAGE, _CSV = 30, 1000
_OLDEST, _NEWEST = "number", "-number"
#: How many bars have room for their labels: of products, whose names are longer, fewer.
_BARS, _PRODUCTS = 12, 8
#: A cell that begins with one of these is a formula to some programs.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class InvoiceSearch(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from", "until": "to"}):
    """Of which days, in which order, and from where on. `sort` is number or -number."""

    since: str = ""
    until: str = ""
    sort: str = "-number"
    after: str = ""

    def address(self, **changes: str) -> str:
        """Return the address of a list of the same days, from its beginning on."""
        asked = msgspec.structs.replace(self, **{"after": "", **changes})
        sort = None if asked.sort == _NEWEST else asked.sort
        return target(INVOICES, from_=asked.since, to=asked.until, sort=sort, after=asked.after)


_ALL = InvoiceSearch()


class RevenueSearch(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from", "until": "to"}):
    """By what the revenue is summed, of which days; `form` csv is a file."""

    by: str = "month"
    since: str = ""
    until: str = ""
    form: str = ""


class InvoicesModel(Model):
    """A page of invoices, with the names of customers."""

    invoices: tuple[WrittenInvoice, ...]
    names: Mapping[str, str]
    count: int
    since: str
    until: str
    sort: str
    sort_address: str
    csv_address: str
    more_address: str
    first_address: str


class RevenueModel(Model):
    """The revenue as a chart and a table; the chart is None without any."""

    rows: tuple[Earned, ...]
    chart: Bars | None
    total: Money | None
    by: str
    since: str
    until: str
    periods: Mapping[str, tuple[str, str]]
    csv_address: str


async def show_invoices(request: PageRequest) -> Page:
    """Show the invoices, the newest first if nothing else is asked for."""
    query: InvoiceSearch = request.query
    if query.sort != _OLDEST:
        query = msgspec.structs.replace(query, sort=_NEWEST)
    days = {"from_": query.since, "to": query.until}
    asked = target("/shop/invoices", **days, sort=query.sort, limit=_PAGE, after=query.after)
    found = await request.api.get(asked, kind=list[WrittenInvoice])
    names = await names_of(request, (one.customer for one in found.body))
    return _list_page(found.body, names, found.total, found.cursor, query)


def _list_page(
    found: Sequence[WrittenInvoice],
    names: Mapping[str, str],
    count: int,
    cursor: str | None = None,
    query: InvoiceSearch = _ALL,
) -> Page:
    days = {"from_": query.since, "to": query.until}
    model = InvoicesModel(
        invoices=tuple(found),
        names=names,
        count=count,
        since=query.since,
        until=query.until,
        sort=query.sort,
        sort_address=query.address(sort=_OLDEST if query.sort == _NEWEST else _NEWEST),
        csv_address=target(f"{PREFIX}/shop/invoices", **days, format="csv"),
        more_address="" if cursor is None else query.address(after=cursor),
        first_address=query.address() if query.after else "",
    )
    return Page("invoices.html", model)


async def show_revenue(request: PageRequest) -> Page | Download:
    """Show the revenue, or answer it as CSV."""
    query: RevenueSearch = request.query
    if query.by not in PERIODS:
        query = msgspec.structs.replace(query, by="month")
    rows = await _earned(request, query)
    if query.form == "csv":
        return Download(
            body=to_csv(rows), media_type="text/csv; charset=utf-8", name=f"revenue-{query.by}.csv"
        )
    return _page(rows, query)


async def _earned(request: PageRequest, query: RevenueSearch) -> list[Earned]:
    """Return all rows of the revenue, page by page."""
    rows: list[Earned] = []
    cursor: str | None = ""
    while cursor is not None:
        asked = target(
            "/shop/revenue", by=query.by, from_=query.since, to=query.until, limit=_CSV, after=cursor
        )
        found = await request.api.get(asked, kind=list[Earned])
        rows += found.body
        cursor = found.cursor
    return rows


def to_csv(rows: Sequence[Earned]) -> bytes:
    """Return the revenue as CSV, amounts with a point, a name that looks like a formula with a quote."""
    written = StringIO()
    table = csv.writer(written)
    table.writerow(("key", "name", "orders", "units", "net", "vat", "gross", "currency"))
    for one in rows:
        name = one.name or ""
        amounts = (None if part is None else plain_amount(part, one.currency) for part in (one.net, one.vat))
        table.writerow(
            (
                one.key,
                f"'{name}" if name.startswith(_FORMULA) else name,
                one.orders,
                one.units,
                *amounts,
                plain_amount(one.gross, one.currency),
                one.currency,
            )
        )
    return written.getvalue().encode()


def _page(rows: Sequence[Earned], query: RevenueSearch) -> Page:
    shown = sorted(rows, key=lambda one: -one.gross) if query.by == "product" else list(rows)
    total = Money(sum(one.gross for one in rows), rows[0].currency) if rows else None
    drawn = shown[:_PRODUCTS] if query.by == "product" else shown[-_BARS:]
    model = RevenueModel(
        rows=tuple(shown if query.by == "product" else reversed(shown)),
        chart=bars([(_label(one), _units(one)) for one in drawn]) if drawn else None,
        total=total,
        by=query.by,
        since=query.since,
        until=query.until,
        periods={name: (text, _address(query, by=name)) for name, text in PERIODS.items()},
        csv_address=_address(query, form="csv"),
    )
    return Page("revenue.html", model)


def _units(one: Earned) -> float:
    return float(one.gross / 10 ** digits_of(one.currency))


_SHORT = 10
#: The year of a day and its dash, which its label leaves out; the dashes that a day has.
_YEAR, _DASHES = 5, 2


def _label(one: Earned) -> str:
    name = one.name or (one.key[_YEAR:] if one.key.count("-") == _DASHES else one.key)
    return name if len(name) <= _SHORT else f"{name[: _SHORT - 1]}…"


def _address(query: RevenueSearch, **changes: str) -> str:
    asked = msgspec.structs.replace(query, **changes)
    return target(REVENUE, by=asked.by, from_=asked.since, to=asked.until, form=asked.form)


def _months(count: int) -> list[Earned]:
    days = (date(2024 + n // 12, n % 12 + 1, 1) for n in range(count))
    return [
        Earned(
            key=f"{day:%Y-%m}",
            gross=20_000 + 7919 * n % 30_000,
            vat=1400,
            net=18_600,
            currency="EUR",
            orders=n,
        )
        for n, day in enumerate(days, start=1)
    ]


def _examples() -> Mapping[str, Page]:
    named = (*example_products(), long_product())
    products = [
        Earned(key=one.id, name=one.name, gross=one.price.amount * n, units=n, currency="EUR", orders=n)
        for n, one in enumerate(named, start=1)
    ]
    years = [Earned(key="2026", gross=10**12, vat=10**11, net=9 * 10**11, currency="EUR", orders=123_456)]
    return {
        "usual": _page(_months(12), RevenueSearch()),
        "products": _page(products, RevenueSearch(by="product")),
        "years": _page(years, RevenueSearch(by="year")),
        "empty": _page((), RevenueSearch()),
        "long": _page(_months(40), RevenueSearch(since="2024-01-01", until="2027-12-31")),
    }


def _list_examples() -> Mapping[str, Page]:
    line = BoughtLine(product="p-1", quantity=1, name="Dune", price=Money(1070, "EUR"), vat_permille=70)
    vat = VatSum(permille=70, gross=1070, vat=70, net=1000)
    invoices = [
        WrittenInvoice(
            number=f"2026-{n:06}",
            order=f"o-{n}",
            customer=f"a-{n}",
            lines=(line,),
            vat=(vat,),
            total=Money(1070 * n**n, "EUR"),
            finalized=EXAMPLE_TIME,
        )
        for n in range(8, 0, -1)
    ]
    return {
        "usual": _list_page(invoices, {"a-1": "Ann Reader"}, 8),
        "empty": _list_page((), {}, 0),
        "none": _list_page((), {}, 0, None, InvoiceSearch(since="2025-01-01", until="2025-01-31")),
        "long": _list_page(invoices, {"a-8": "Ann Eleonora Wilhelmina " * 8}, 12_345, "next"),
    }


PAGES = (
    PageRoute(
        INVOICES,
        get=show_invoices,
        title=_("Invoices"),
        params=InvoiceSearch,
        section=REVENUE,
        examples=_list_examples,
        requires=MANAGE,
    ),
    PageRoute(
        REVENUE,
        get=show_revenue,
        title=_("Revenue"),
        params=RevenueSearch,
        section=REVENUE,
        examples=_examples,
        requires=MANAGE,
    ),
)

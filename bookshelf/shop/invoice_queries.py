"""The questions that invoices answer: one's own, one of them; and the revenue of the shop."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import Select, func, select

from bookshelf.cqrs.errors import Invalid, NotFound
from bookshelf.cqrs.route import Answer, AnswerPage, OwnedOverseen, QueryRoute
from bookshelf.cqrs.view import View
from bookshelf.shop.invoice_table import invoice_table
from bookshelf.shop.invoices import invoice_lines, invoices
from bookshelf.shop.money import Money
from bookshelf.shop.payment_events import InvoiceWritten
from bookshelf.shop.values import BUY, MANAGE, ME, BoughtLine, Customer, VatSum
from bookshelf.shop.welcome import LOCAL_READER, account_of, customer_named
from bookshelf.storage.paging import After, Limit, Sort, count_rows, list_page

InvoiceNumber = Annotated[str, Meta(description="the number of the invoice", examples=["2026-000001"])]
#: The most invoices of one table.
TABLE_MOST = 10_000
_DIGITS = {"year": 4, "month": 7, "day": 10}
_event = msgspec.json.Decoder(InvoiceWritten).decode


class InvoiceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice, as it was written; it never changes."""

    number: InvoiceNumber
    order: str
    customer: str
    address: str | None
    seller: str
    seller_address: str
    lines: tuple[BoughtLine, ...]
    vat: tuple[VatSum, ...]
    total: Money
    ordered: datetime
    finalized: datetime


class RevenueAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was earned in a period in minor units, or with a product.

    `vat` and `net` are the sums of the invoices; a product has none, because VAT is computed for an invoice.
    """

    key: Annotated[str, Meta(description="2026, 2026-03, 2026-03-01, or the id of a product")]
    gross: int
    currency: str
    orders: int
    vat: int | None = None
    net: int | None = None
    units: int | None = None
    name: str | None = None


class InvoicesQuery(OwnedOverseen, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """Whose invoices, of which days of the shop's zone, both inclusive; how many, and from where on.

    As CSV all of them are answered, the oldest first, without `sort`, `limit` and `after`.
    """

    customer: Customer | None = None
    since: Annotated[date, Meta(description="the first day, in the shop's zone")] | None = None
    until: Annotated[date, Meta(description="the last day, in the shop's zone")] | None = None
    sort: Annotated[Literal["number", "-number"], Meta(description="the newest last, or first")] = "-number"
    format: Annotated[Literal["json", "csv"], Meta(description="csv: a table of all that match")] = "json"
    limit: Limit = 24
    after: After | None = None


class InvoiceQuery(OwnedOverseen, forbid_unknown_fields=True, kw_only=True):
    """Which invoice."""

    number: InvoiceNumber


class RevenueQuery(msgspec.Struct, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """By what the revenue is summed, of which days, both inclusive."""

    by: Annotated[
        Literal["year", "month", "day", "product"], Meta(description="what each entry of the answer is of")
    ] = "day"
    since: Annotated[date, Meta(description="the first day, in the shop's zone")] | None = None
    until: Annotated[date, Meta(description="the last day, in the shop's zone")] | None = None
    limit: Limit = 1000
    after: After | None = None


def _seen_by(asked: OwnedOverseen) -> Select[Any]:
    """Return the query of the invoices that a caller sees."""
    query = select(invoices, invoices.c.order.label("id"))  # a list is paged by it
    return query if asked.sees_all else query.where(invoices.c.customer == (asked.owner or LOCAL_READER))


@dataclass(frozen=True)
class InvoiceQueries:
    """The questions on invoices. `local_reader`: the account of that customer, by which others know it."""

    local_reader: str = LOCAL_READER

    def _shown(self, row: Any) -> InvoiceAnswer:  # noqa: ANN401 (a row)
        fields = msgspec.structs.asdict(_event(row.data))
        return InvoiceAnswer(order=row.order, **{**fields, "customer": self._account_of(row)})

    def _account_of(self, row: Any) -> str:  # noqa: ANN401 (a row)
        return account_of(row.customer, self.local_reader)

    def find(self, db: Any, asked: InvoicesQuery) -> Answer:  # noqa: ANN401 (the storage's connection)
        """Return a page of the invoices that match. Raises `Invalid`."""
        query = _seen_by(asked)
        if asked.customer is not None:
            named = customer_named(asked.customer, self.local_reader)
            customer = (asked.owner or LOCAL_READER) if asked.customer == ME else named
            query = query.where(invoices.c.customer == customer)
        if asked.since is not None:
            query = query.where(invoices.c.day >= asked.since.isoformat())
        if asked.until is not None:
            query = query.where(invoices.c.day <= asked.until.isoformat())
        if asked.format == "csv":
            return self._as_table(db, query)
        page = list_page(
            db,
            query,
            invoices.c.order,
            order=asked.sort,
            sort=Sort((invoices.c.number,), (str,)),
            limit=asked.limit,
            render=self._shown,
            after=asked.after,
        )
        return Answer(page.items, after=page.after, count=count_rows(db, query))

    def _as_table(self, db: Any, query: Select[Any]) -> Answer:  # noqa: ANN401 (as above)
        number = count_rows(db, query)
        if number > TABLE_MOST:
            few = f"has {TABLE_MOST} invoices at the most, and these are {number}"
            raise Invalid(f"{few}; name fewer days by from and to", field="format")
        rows = db.execute(query.order_by(invoices.c.number))
        return Answer(invoice_table(rows, self._account_of), count=number)

    def one(self, db: Any, asked: InvoiceQuery) -> Answer:  # noqa: ANN401 (as above)
        """Return an invoice. Raises `NotFound`, for those of others too."""
        row = db.execute(_seen_by(asked).where(invoices.c.number == asked.number)).first()
        if row is None:
            raise NotFound("there is no such invoice")
        return Answer(self._shown(row))


def _by_period(asked: RevenueQuery) -> Select[Any]:
    period = func.substr(invoices.c.day, 1, _DIGITS[asked.by]).label("id")
    sums = [func.sum(invoices.c[name]).label(name) for name in ("gross", "vat", "net")]
    code, count = func.max(invoices.c.currency).label("currency"), func.count().label("orders")
    return select(period, *sums, code, count).group_by("id")


def _by_product() -> Select[Any]:
    lines = invoice_lines.join(invoices, invoices.c.order == invoice_lines.c.order)
    sums = [func.sum(invoice_lines.c[name]).label(name) for name in ("gross", "units")]
    named = [func.max(column).label(column.name) for column in (invoices.c.currency, invoice_lines.c.name)]
    query = select(invoice_lines.c.product.label("id"), *sums, *named, func.count().label("orders"))
    return query.select_from(lines).group_by(invoice_lines.c.product)


def revenue(db: Any, asked: RevenueQuery) -> Answer:  # noqa: ANN401 (as above)
    """Return what was earned, by period or product. Raises `Invalid`."""
    grouped = _by_product() if asked.by == "product" else _by_period(asked)
    if asked.since is not None:
        grouped = grouped.where(invoices.c.day >= asked.since.isoformat())
    if asked.until is not None:
        grouped = grouped.where(invoices.c.day <= asked.until.isoformat())
    sums = grouped.subquery()
    page = list_page(
        db,
        select(sums),
        sums.c.id,
        order=asked.by,
        sort=Sort((sums.c.id,), (str,)),
        limit=asked.limit,
        render=lambda row: _earned(row._mapping),  # noqa: SLF001 (the public name of a row's columns)
        after=asked.after,
    )
    return Answer(page.items, after=page.after)


def _earned(row: Mapping[str, Any]) -> RevenueAnswer:
    numbers = {name: int(row[name]) for name in ("gross", "vat", "net", "units") if name in row}
    rest = {name: row[name] for name in ("currency", "name") if name in row}
    return msgspec.convert({"key": row["id"], "orders": row["orders"], **numbers, **rest}, RevenueAnswer)


def invoice_routes(
    view: View, page: Callable[[bytes], AnswerPage], local_reader: str = LOCAL_READER
) -> tuple[QueryRoute, ...]:
    """Return the routes of the view of invoices; `page` makes a printable page of one.

    `local_reader`: the account of the local reader.
    """
    queries = InvoiceQueries(local_reader)
    return (
        QueryRoute(
            path="/shop/invoices",
            summary="Invoices, the newest first: one's own; of everyone for managers",
            view=view,
            query=queries.find,
            params=InvoicesQuery,
            returns=list[InvoiceAnswer],
            counted=True,
            tabular=True,
            requires=BUY,
            oversees=MANAGE,
        ),
        QueryRoute(
            path="/shop/invoices/{number}",
            summary="An invoice",
            view=view,
            query=queries.one,
            params=InvoiceQuery,
            returns=InvoiceAnswer,
            page=page,
            requires=BUY,
            oversees=MANAGE,
        ),
        QueryRoute(
            path="/shop/revenue",
            summary="The revenue, by period or product",
            view=view,
            query=revenue,
            params=RevenueQuery,
            returns=list[RevenueAnswer],
            requires=MANAGE,
        ),
    )

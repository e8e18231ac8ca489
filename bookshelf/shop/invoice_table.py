"""Invoices as a table in CSV: one a line, with the net and the VAT of each rate."""

import csv
import re
from collections.abc import Callable, Iterable
from io import StringIO
from typing import Any

import msgspec

from bookshelf.shop.money import plain_amount
from bookshelf.shop.payment_events import InvoiceWritten

_FIRST = ("number", "day", "order", "customer", "currency", "gross", "net", "vat")
#: The beginnings of cells that spreadsheets run as formulas.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_read = msgspec.json.Decoder(InvoiceWritten).decode


def invoice_table(rows: Iterable[Any], account_of: Callable[[Any], str]) -> str:
    """Return rows of the view of invoices as CSV, amounts with a point; no cell is a formula.

    `account_of` returns the account of the customer of a row.
    The columns of a rate are empty for an invoice without it.
    """
    found = [(row, _read(row.data)) for row in rows]
    rates = sorted({rate.permille for _, invoice in found for rate in invoice.vat})
    written = StringIO()
    table = csv.writer(written)
    names = (f"{kind} {permille / 10:g}%" for permille in rates for kind in ("net", "vat"))
    table.writerow((*_FIRST, *names))
    for row, invoice in found:
        sums = (plain_amount(amount, row.currency) for amount in (row.gross, row.net, row.vat))
        table.writerow(
            (
                *(_guarded(text) for text in (row.number, row.day, row.order, account_of(row), row.currency)),
                *sums,
                *_of_rates(invoice, rates),
            )
        )
    return written.getvalue()


def _of_rates(invoice: InvoiceWritten, rates: Iterable[int]) -> Iterable[str]:
    own = {rate.permille: rate for rate in invoice.vat}
    for permille in rates:
        rate = own.get(permille)
        for amount in () if rate is None else (rate.net, rate.vat):
            yield plain_amount(amount, invoice.total.currency)
        yield from () if rate else ("", "")


def _guarded(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell

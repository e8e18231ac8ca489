"""The printable page of an invoice: the same bytes each time, in the shop's currency and time zone."""

import base64
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from bookshelf.cqrs.route import AnswerPage
from bookshelf.shop.invoice_queries import InvoiceAnswer
from bookshelf.shop.money import Money, show_amount

if TYPE_CHECKING:
    from jinja2 import Template

#: The language of the page. It is one for all readers, so that an invoice is the same to each of them.
_LOCALE = "en_GB"
_decode = msgspec.json.Decoder(InvoiceAnswer).decode


class InvoicePages:
    """Makes pages of invoices, of a shop in this time zone."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)

    @cached_property
    def _template(self) -> "Template":
        from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 (only a page needs it)

        source = (files("bookshelf.shop") / "templates" / "invoice.html").read_text(encoding="utf-8")
        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
        environment.filters |= {"money": _money, "day": self._day, "percent": _percent}
        return environment.from_string(source)

    @cached_property
    def _style(self) -> str:
        return (files("bookshelf.shop") / "templates" / "invoice.css").read_text(encoding="utf-8")

    @cached_property
    def _policy(self) -> str:
        digest = base64.b64encode(sha256(self._style.encode()).digest()).decode()
        return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"

    def page(self, body: bytes) -> AnswerPage:
        """Return the page of an invoice, which is JSON."""
        return AnswerPage(self._template.render(invoice=_decode(body), style=self._style), self._policy)

    def _day(self, moment: datetime) -> str:
        from babel.dates import format_date  # noqa: PLC0415 (CLDR takes long to load)

        text: str = format_date(moment.astimezone(self._zone), "long", locale=_LOCALE)
        return text


def _money(amount: int, currency: str) -> str:
    return show_amount(Money(amount, currency), _LOCALE)


def _percent(permille: int) -> str:
    return f"{permille / 10:g} %"

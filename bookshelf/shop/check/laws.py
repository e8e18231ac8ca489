"""Checks the laws that hold over several keys of the shop, and counts what each law was checked on."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from bookshelf.shop.check.ledger import Ledger, Violation
from bookshelf.shop.check.orders import OrderCount
from bookshelf.shop.order import PATIENCE, STALLED_AFTER

#: The laws by number. Laws 11 and 13 are those of accounts.
LAWS: Mapping[int, str] = {
    1: "no unit is promised or sold twice",
    2: "no credit is promised twice or below zero",
    3: "money is conserved",
    4: "each final order has one invoice, of what was held",
    5: "numbers of invoices have no gap",
    6: "every order comes to rest, and then holds nothing",
    7: "an order at rest keeps its total; its reasons were true",
    8: "one key leads to one order",
    9: "a cart loses lines through its customer or a final order",
    10: "a repetition changes nothing",
    12: "VAT and net add up to gross",
}
#: How long what must follow may take, beyond a deadline of the shop.
GRACE = timedelta(seconds=60)
Counts = dict[str, int]


class LawReport(msgspec.Struct, frozen=True):
    """What a law was checked on, in the log and in the rows of the views, and where it does not hold.

    `rows` is None if no rows were read. `violations` is their number; up to 100 are described.
    """

    law: int
    name: str
    log: Counts
    rows: Counts | None
    violations: int
    described: tuple[str, ...]


class ShopReport(msgspec.Struct, frozen=True):
    """The result of a check. `unreadable` describes records that cannot be read.

    `unknown`: how many records have a type that this release does not know; they are not counted.
    """

    records: int
    violations: int
    laws: tuple[LawReport, ...]
    unreadable: tuple[str, ...] = ()
    unknown: dict[str, int] = msgspec.field(default_factory=dict)


class Moment(msgspec.Struct, frozen=True):
    """The time that deadlines are compared with; None: everything must be at rest already."""

    now: datetime | None

    def is_over(self, since: datetime | None, wait: timedelta = timedelta(0)) -> bool:
        """Return True if what was to follow within this time must be there."""
        return self.now is None or since is None or since + wait + GRACE < self.now


def check_laws(ledger: Ledger, moment: Moment) -> None:
    """Check laws 3 to 9 over all keys; violations go into the ledger."""
    for key, order in ledger.orders.items():
        over = moment.is_over(order.since)
        for law, text in (*_rest(order, moment), *_reasons(ledger, key, order)):
            ledger.fail(law, key, text)
        for law, text in _followed(ledger, key, order, over=over):
            ledger.fail(law, key, text)
    _check_foreign(ledger)
    _check_holds(ledger, moment)
    for order_key, times in ledger.carts.items():
        order = ledger.orders.get(order_key, OrderCount())
        if times > 1 or order.status != "FINALIZED" or not order.terms.cart:
            text = f"a cart has lost its lines {times} times, and it is {order.status or 'not there'}"
            ledger.fail(9, order_key, text)
    for order_key in ledger.numbers.keys() - ledger.orders.keys():
        ledger.fail(5, order_key, "it has a number, and was not placed")


def _rest(order: OrderCount, moment: Moment) -> Iterator[tuple[int, str]]:
    """Check law 6 for one order."""
    if order.status == "PENDING" and moment.is_over(order.since, PATIENCE):
        yield 6, "it is PENDING past its deadline"
    declined = order.stalled == "capture-declined"
    if order.status == "APPROVED" and not declined and moment.is_over(order.since, STALLED_AFTER):
        yield 6, "it is APPROVED past its deadline, and no payment of it was declined"


def paid(ledger: Ledger, key: str, order: OrderCount) -> int:
    """Return what was taken or captured for an order, without what went back."""
    credit = ledger.credits.get(order.terms.customer)
    return ledger.captured[key] + (0 if credit is None else credit.taken[key])


def _followed(ledger: Ledger, key: str, order: OrderCount, *, over: bool) -> Iterator[tuple[int, str]]:
    """Check laws 1, 3, 4 and 5 for one order: what was paid and taken is what it has bought."""
    amount, invoice = paid(ledger, key, order), order.invoice
    units = {line.product: line.quantity for line in order.lines}
    stocks = {product: ledger.stocks[product] for product in units if product in ledger.stocks}
    taken = {product: stock.taken[key] for product, stock in stocks.items() if stock.taken[key]}
    match order.status:
        case "FINALIZED":
            due, bought = order.total or 0, units
        case "CANCELED" if over:
            due, bought = 0, {}
        case "PENDING":
            due, bought = 0, {}
        case _:  # on its way
            due, bought = min(amount, order.total or 0), taken
    if amount != due:
        yield 3, f"it is {order.status}, its total is {order.total}, and {amount} was paid"
    if taken != bought:
        yield 1, f"it is {order.status} with {units}, and has taken {taken}"
    if order.status == "FINALIZED" and invoice is None and over:
        yield 4, "it is final and has no invoice"
    if invoice is not None and invoice.number != ledger.numbers.get(key):
        yield 5, f"its invoice is {invoice.number}, and its number is {ledger.numbers.get(key)}"


def _reasons(ledger: Ledger, key: str, order: OrderCount) -> Iterator[tuple[int, str]]:
    """Check law 7: the reasons of a canceled order are those that its parts have given."""
    for reason in order.reasons:
        stock = ledger.stocks.get(reason.product)
        refused = None if stock is None else stock.refused.get(key)
        if reason.code in {"out-of-stock", "price-changed", "unknown-product", "no-longer-sold"}:
            given = None if refused is None else (refused.reason, refused.available)
            if given is None or given[0] != reason.code or reason.available not in {None, given[1]}:
                yield 7, f"its reason is {reason.code} of {reason.product}, and the answer was {given}"
        elif reason.code in {"insufficient-credit", "other-currency", "unknown-customer"}:
            credit = ledger.credits.get(order.terms.customer)
            answer = None if credit is None else credit.refused.get(key)
            if answer is None or answer.reason != reason.code or reason.needed not in {None, answer.needed}:
                yield 7, f"its reason is {reason.code}, and the credit has not answered that"


def _check_foreign(ledger: Ledger) -> None:
    """Check law 7: a credit refuses what it could pay only if the order is in another currency.

    That is so if the currency of a shop without products was changed after its first customers came.
    """
    for key, (currency, where) in ledger.foreign.items():
        if ledger.orders.get(key, OrderCount(currency=currency)).currency == currency:
            ledger.fail(7, where, f"another currency is not true: {key} is in {currency}, as this credit")


def _check_holds(ledger: Ledger, moment: Moment) -> None:
    """Check law 6: what is at rest, or is no order, holds nothing."""
    holds = [(key, stock.holds) for key, stock in ledger.stocks.items()]
    holds += [(key, credit.holds) for key, credit in ledger.credits.items()]
    for key, holders in holds:
        for holder in holders:
            order = ledger.orders.get(holder)
            if order is None:
                ledger.fail(6, key, f"something is held for {holder}, which was not placed")
            elif order.at_rest and moment.is_over(order.since):
                ledger.fail(6, key, f"something is held for {holder}, which is {order.status}")


def counts(ledger: Ledger) -> Mapping[int, Counts]:
    """Return what each law was checked on in the log."""
    orders, stocks = ledger.orders.values(), ledger.stocks.values()
    accounts = ledger.credits.values()
    final = [order for order in orders if order.status == "FINALIZED"]
    canceled = [order for order in orders if order.status == "CANCELED"]
    invoices = [order.invoice for order in orders if order.invoice is not None]
    invoiced = sum(invoice.total.amount for invoice in invoices)
    spent = sum(paid(ledger, key, order) for key, order in ledger.orders.items())
    balances = sum(credit.balance for credit in accounts)
    return {
        1: {
            "products": sum(stock.known for stock in stocks),
            "units": sum(stock.units for stock in stocks),
            "held": sum(stock.held for stock in stocks),
            "sold": sum(stock.taken.total() for stock in stocks),
        },
        2: {"credits": len(accounts), "balance": balances, "held": sum(credit.held for credit in accounts)},
        3: {
            "given": sum(credit.given for credit in accounts),
            "balance": balances,
            "paid": spent,
            "invoiced": invoiced,
        },
        4: {"final": len(final), "invoices": len(invoices)},
        5: {"series": len(ledger.series), "numbers": ledger.series.total()},
        6: {"orders": len(orders), "final": len(final), "canceled": len(canceled), "open": _open(orders)},
        7: {"at rest": len(final) + len(canceled), "reasons": sum(len(order.reasons) for order in canceled)},
        8: {"orders": len(orders)},
        9: {"carts ordered": ledger.carts.total(), "lines of carts": _lines_of_carts(ledger)},
        10: {"steps of processes": len(ledger.origins)},
        12: {"VAT sums": sum(len(invoice.vat) for invoice in invoices)},
    }


def _lines_of_carts(ledger: Ledger) -> int:
    return sum(map(len, ledger.cart_lines.values()))


def _open(orders: Iterable[OrderCount]) -> int:
    return sum(not order.at_rest for order in orders)


def report(
    ledger: Ledger, rows: Mapping[int, Counts] | None = None, of_rows: Iterable[Violation] = ()
) -> ShopReport:
    """Return what was counted, with the violations that the ledger has and those of the rows."""
    more = list(of_rows)
    of_log = counts(ledger)
    laws = tuple(
        LawReport(
            law=law,
            name=name,
            log=of_log[law],
            rows=None if rows is None else rows.get(law, {}),
            violations=ledger.found[law] + sum(violation.law == law for violation in more),
            described=tuple(
                f"{violation.where}: {violation.text}"
                for violation in (*ledger.violations, *more)
                if violation.law == law
            ),
        )
        for law, name in LAWS.items()
    )
    total = sum(law.violations for law in laws) + len(ledger.unreadable)
    unreadable, unknown = tuple(ledger.unreadable.values()), dict(sorted(ledger.unknown.items()))
    return ShopReport(ledger.records, total, laws, unreadable, unknown)

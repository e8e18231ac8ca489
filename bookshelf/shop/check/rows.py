"""Compares the rows of the shop's views with the records that they were made of."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bookshelf.shop import carts, catalogue, customers, invoices, orders
from bookshelf.shop.check.laws import Counts
from bookshelf.shop.check.ledger import Ledger, Violation

Row = Mapping[str, Any]
#: The tables that are read, by view.
TABLES: Mapping[str, tuple[str, ...]] = {
    "carts": (carts.cart_products.name, carts.cart_lines.name),
    "catalogue": (catalogue.products.name,),
    "customers": (customers.balances.name, customers.entries.name),
    "orders": (orders.orders.name, orders.order_events.name),
    "invoices": (invoices.invoices.name, invoices.invoice_lines.name),
}
#: Entries of a credit that are reservations: the balance is the sum of the others.
_RESERVATIONS = frozenset({"shop.credit-reserved.v1", "shop.credit-released.v1"})


def check_rows(view: str, tables: Mapping[str, Sequence[Row]], ledger: Ledger) -> Iterator[Violation]:
    """Yield the violations in the rows of a view; the ledger has the records up to the view's checkpoints."""
    found = [tables[name] for name in TABLES[view]]
    match view:
        case "carts":
            yield from _products(TABLES[view][0], found[0], ledger)
            yield from _carts(found[1], ledger)
        case "catalogue":
            yield from _products(TABLES[view][0], found[0], ledger)
        case "customers":
            yield from _customers(found[0], found[1], ledger)
        case "orders":
            yield from _orders(found[0], found[1], ledger)
        case "invoices":
            yield from _invoices(found[0], found[1], ledger)


def _differences(
    law: int, table: str, found: Mapping[str, object], counted: Mapping[str, object]
) -> Iterator[Violation]:
    for key in sorted(found.keys() | counted.keys()):
        if found.get(key) != counted.get(key):
            text = f"the row has {found.get(key)}, and the log {counted.get(key)}"
            yield Violation(law, f"{table} {key}", text)


def _products(table: str, rows: Sequence[Row], ledger: Ledger) -> Iterator[Violation]:
    found = {row["id"]: (row["units"], row["held"], row["price"], bool(row["removed"])) for row in rows}
    counted = {
        key: (stock.units, stock.held, stock.price.amount, stock.removed)
        for key, stock in ledger.stocks.items()
        if stock.price is not None
    }
    yield from _differences(1, table, found, counted)
    for row in rows:
        if not 0 <= row["held"] <= row["units"]:
            yield Violation(1, f"{table} {row['id']}", f"{row['held']} held of {row['units']}")


def _carts(rows: Sequence[Row], ledger: Ledger) -> Iterator[Violation]:
    found = {
        f"{row['cart']} {row['product']}": (row["quantity"], row["price"], row["currency"]) for row in rows
    }
    counted = {
        f"{cart} {product}": (quantity, price.amount, price.currency)
        for cart, lines in ledger.cart_lines.items()
        for product, (quantity, price) in lines.items()
    }
    yield from _differences(9, carts.cart_lines.name, found, counted)


def _customers(rows: Sequence[Row], entries: Sequence[Row], ledger: Ledger) -> Iterator[Violation]:
    found = {row["id"]: (row["balance"], row["held"]) for row in rows}
    counted = {
        key: (credit.balance, credit.held) for key, credit in ledger.credits.items() if credit.currency
    }
    yield from _differences(2, "customers_credit", found, counted)
    sums = dict.fromkeys(found, 0)
    for entry in entries:
        moved = 0 if entry["type"] in _RESERVATIONS else entry["amount"]
        sums[entry["customer"]] = sums.get(entry["customer"], 0) + moved
    yield from _differences(2, "customers_entry", sums, {row["id"]: row["balance"] for row in rows})
    for row in rows:
        if not 0 <= row["held"] <= row["balance"]:
            text = f"{row['held']} reserved of {row['balance']}"
            yield Violation(2, f"customers_credit {row['id']}", text)


def _orders(rows: Sequence[Row], events: Sequence[Row], ledger: Ledger) -> Iterator[Violation]:
    found = {row["id"]: (row["status"], row["customer"], row["invoice"]) for row in rows}
    counted = {
        key: (order.status, order.terms.customer, order.invoice.number if order.invoice else "")
        for key, order in ledger.orders.items()
    }
    yield from _differences(6, "orders_order", found, counted)
    kept = Counter(row["subject"] for row in events)
    yield from _differences(
        7, "orders_event", kept, {key: order.events for key, order in ledger.orders.items()}
    )


def _invoices(rows: Sequence[Row], lines: Sequence[Row], ledger: Ledger) -> Iterator[Violation]:
    found = {row["order"]: (row["number"], row["customer"], row["gross"]) for row in rows}
    counted = {
        key: (order.invoice.number, order.invoice.customer, order.invoice.total.amount)
        for key, order in ledger.orders.items()
        if order.invoice is not None
    }
    yield from _differences(4, "invoices_invoice", found, counted)
    for number, times in Counter(row["number"] for row in rows).items():
        if times > 1:
            yield Violation(5, f"invoices_invoice {number}", f"{times} invoices have this number")
    sums: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        sums[line["order"]] += line["gross"]
    yield from _differences(3, "invoices_line", sums, {row["order"]: row["gross"] for row in rows})
    for row in rows:
        if row["vat"] + row["net"] != row["gross"]:
            text = f"{row['vat']} and {row['net']} are not {row['gross']}"
            yield Violation(12, f"invoices_invoice {row['order']}", text)


def counts_of_rows(views: Mapping[str, Mapping[str, Sequence[Row]]]) -> Mapping[int, Counts]:
    """Return what each law was checked on in the rows of these views; a view may be missing."""
    products = _rows(views, "catalogue", catalogue.products.name)
    accounts = _rows(views, "customers", customers.balances.name)
    placed = _rows(views, "orders", orders.orders.name)
    written = _rows(views, "invoices", invoices.invoices.name)
    status = Counter(row["status"] for row in placed)
    final, canceled = status["FINALIZED"], status["CANCELED"]
    balance = sum(row["balance"] for row in accounts)
    held_credit, invoiced = sum(row["held"] for row in accounts), sum(row["gross"] for row in written)
    return {
        1: {
            "products": len(products),
            "units": sum(row["units"] for row in products),
            "held": sum(row["held"] for row in products),
        },
        2: {"credits": len(accounts), "balance": balance, "held": held_credit},
        3: {"balance": balance, "invoiced": invoiced},
        4: {"final": final, "invoices": len(written)},
        5: {"numbers": len({row["number"] for row in written})},
        6: {"orders": len(placed), "final": final, "canceled": canceled},
        7: {"events": len(_rows(views, "orders", orders.order_events.name))},
        9: {"lines of carts": len(_rows(views, "carts", carts.cart_lines.name))},
        12: {"invoices": len(written)},
    }


def _rows(views: Mapping[str, Mapping[str, Sequence[Row]]], view: str, table: str) -> Sequence[Row]:
    return views.get(view, {}).get(table, ())

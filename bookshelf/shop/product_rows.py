"""What views keep of a product's price and units: columns, and the handlers of the events that move them."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from sqlalchemy import BigInteger, Boolean, Column, Table, bindparam, update

from bookshelf.cqrs.message import Event
from bookshelf.cqrs.view import Change, Handler, Recorded
from bookshelf.shop import events
from bookshelf.storage.statements import TEXT

#: Up to this many units of a product are `few`.
FEW = 5
#: How often the number of an event is added to the units of a product, and to the held ones.
_MOVES: Mapping[type[Event], tuple[int, int]] = {
    events.UnitsAdded: (1, 0),
    events.UnitsReturned: (1, 0),
    events.StockReserved: (0, 1),
    events.StockReleased: (0, -1),
    events.StockTaken: (-1, -1),
}


def stock_columns() -> tuple[Column[Any], ...]:
    """Return new columns for a table of products, beside their `id`.

    `version` is the offset of the newest event of the product and of its stock.
    """
    return (
        Column("price", BigInteger, nullable=False),
        Column("currency", TEXT, nullable=False),
        Column("units", BigInteger, nullable=False),
        Column("held", BigInteger, nullable=False),
        Column("removed", Boolean, nullable=False),
        Column("version", BigInteger, nullable=False),
    )


def first_stock(event: events.ProductAdded, recorded: Recorded) -> dict[str, object]:
    """Return the values of these columns for a new product."""
    price = {"price": event.price.amount, "currency": event.price.currency}
    return {**price, "units": event.units, "held": 0, "removed": False, "version": recorded.offset}


def stock_handlers(products: Table) -> Mapping[type[Any], Handler]:
    """Return the handlers of all events that move these columns of a table, but that of new products."""
    changed = update(products).where(products.c.id == bindparam("row"))
    offset: Any = bindparam("offset")
    touch = changed.values(version=offset)
    reprice = changed.values(price=bindparam("amount"), currency=bindparam("code"), version=offset)
    remove = changed.values(removed=True, version=offset)
    count_anew = changed.values(units=bindparam("number"), version=offset)
    move = changed.values(
        units=products.c.units + bindparam("more"),
        held=products.c.held + bindparam("more_held"),
        version=offset,
    )

    def handle(event: Any, recorded: Recorded) -> Iterable[Change]:  # noqa: ANN401 (one of them)
        """Move the price or the units of a product."""
        row = {"row": recorded.subject, "offset": recorded.offset}
        match event:
            case events.ProductRepriced(price=price):
                yield reprice, {**row, "amount": price.amount, "code": price.currency}
            case events.ProductRemoved():
                yield remove, row
            case events.UnitsSet(units=units):
                yield count_anew, {**row, "number": units}
            case events.StockRefused():
                yield touch, row  # it moves nothing, but is the newest event of the stock
            case _:
                units, held = _MOVES[type(event)]
                number = event.units if isinstance(event, events.UnitsAdded) else event.quantity
                yield move, {**row, "more": units * number, "more_held": held * number}

    others = (events.ProductRepriced, events.ProductRemoved, events.UnitsSet, events.StockRefused)
    return dict.fromkeys((*others, *_MOVES), handle)


def availability_of(available: int) -> Literal["in", "few", "out"]:
    """Return what is shown of a number of units: `in`, `few` or `out`."""
    return "out" if available <= 0 else "few" if available <= FEW else "in"

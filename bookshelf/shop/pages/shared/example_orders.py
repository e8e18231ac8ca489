"""An order for the examples of pages, of customers and of managers."""

from datetime import UTC, datetime

import msgspec

from bookshelf.shop.money import Money
from bookshelf.shop.pages.shared.models import ShopOrder, ShopOrderLine
from bookshelf.shop.pages.shared.product_tiles import example_products

EXAMPLE_TIME = datetime(2026, 1, 31, 20, 31, tzinfo=UTC)


def example_order(state: str = "PENDING", **changes: object) -> ShopOrder:
    """Return an order in a state; its lines are two and one of the first example products."""
    first, second, *_others = example_products()
    lines = tuple(
        ShopOrderLine(product=one.id, quantity=n, name=one.name, price=one.price, answer="reserved")
        for n, one in ((2, first), (1, second))
    )
    order = ShopOrder(
        id="o-1",
        state=state,
        pay="credit",
        customer="a-1",
        placed=EXAMPLE_TIME,
        total=Money(4297, "EUR"),
        lines=lines,
        reasons=(),
        stalled="",
        shipped=None,
        tracking="",
        invoice=None,
        address="Ann Reader\n12 Shelf Lane\nLondon",
    )
    return msgspec.structs.replace(order, **changes)

"""All orders: filtered by state, customer, time and reason, the stalled ones first."""

from collections.abc import Mapping, Sequence

import msgspec

from bookshelf.shop.money import Money
from bookshelf.shop.pages.managing.form_parts import EXAMPLE_TIME, ROOT, names_of
from bookshelf.shop.pages.managing.today import REASONS
from bookshelf.shop.pages.shared.example_orders import example_order
from bookshelf.shop.pages.shared.models import ShopOrder, ShopOrderLine
from bookshelf.shop.pages.shared.order_texts import STATES, state_of
from bookshelf.shop.pages.shared.product_tiles import long_product
from bookshelf.shop.values import MANAGE
from bookshelf.site.api_adapters import target
from bookshelf.site.page import Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

ORDERS = f"{ROOT}/orders"
_PAGE, _STALLED = 30, 20


class OrderSearch(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from", "until": "to"}):
    """Which orders: of a state, a customer, some days, canceled for a reason, stalled; from where on."""

    state: str = ""
    customer: str = ""
    since: str = ""
    until: str = ""
    reason: str = ""
    stalled: bool = False
    after: str = ""


class ManagedOrder(msgspec.Struct, frozen=True):
    """An order in the table: its state as it is shown, its customer's name, and what it has."""

    order: ShopOrder
    state: str
    customer: str
    names: tuple[str, ...]


class ManagedOrdersModel(Model):
    """The stalled orders, None if they cannot be read, and a page of those that match."""

    stalled: tuple[ManagedOrder, ...] | None
    rows: tuple[ManagedOrder, ...]
    count: int
    search: OrderSearch
    states: Mapping[str, str]
    reasons: Mapping[str, str]
    state_addresses: Mapping[str, str]
    filtered: bool
    more_address: str


def _asked(query: OrderSearch, path: str, **more: object) -> str:
    return target(
        path,
        state=query.state,
        customer=query.customer,
        from_=query.since,
        to=query.until,
        reason=query.reason,
        stalled="true" if query.stalled else None,
        **more,
    )


async def show_orders(request: PageRequest) -> Page:
    """Show the orders that match; those that have stalled stand above all of them."""
    query: OrderSearch = request.query
    if query.state and query.state not in STATES:
        query = msgspec.structs.replace(query, state="")
    found = await request.api.get(
        _asked(query, "/shop/orders", limit=_PAGE, after=query.after), kind=list[ShopOrder]
    )
    stalled: Sequence[ShopOrder] | None = ()
    if query == OrderSearch():
        asked = target("/shop/orders", stalled="true", limit=_STALLED)
        held = await request.api.try_get(asked, kind=list[ShopOrder])
        stalled = None if held is None else held.body
    names = await names_of(request, (one.customer for one in (*found.body, *(stalled or ()))))
    return _page(stalled, found.body, query, found.total, found.cursor, names)


def to_row(order: ShopOrder, names: Mapping[str, str]) -> ManagedOrder:
    """Return an order as the table shows it."""
    customer = names.get(order.customer, order.customer)
    return ManagedOrder(order, state_of(order), customer, tuple(line.name or "…" for line in order.lines))


def _page(
    stalled: Sequence[ShopOrder] | None,
    found: Sequence[ShopOrder],
    query: OrderSearch,
    count: int,
    cursor: str | None = None,
    names: Mapping[str, str] | None = None,
) -> Page:
    named = names or {}
    without = msgspec.structs.replace(query, after="")
    states = {
        name: msgspec.structs.replace(without, state=name) for name in ("", *STATES) if name != "SHIPPED"
    }
    model = ManagedOrdersModel(
        stalled=None if stalled is None else tuple(to_row(one, named) for one in stalled),
        rows=tuple(to_row(one, named) for one in found),
        count=count,
        search=query,
        states=STATES,
        reasons=REASONS,
        state_addresses={name: _asked(one, ORDERS) for name, one in states.items()},
        filtered=without != OrderSearch(),
        more_address="" if cursor is None else _asked(without, ORDERS, after=cursor),
    )
    return Page("orders.html", model)


def example_orders() -> tuple[ShopOrder, ...]:
    """Return orders in several states, for examples of pages."""
    return (
        example_order(id="o-2"),
        example_order("APPROVED", id="o-3"),
        example_order("FINALIZED", id="o-4", invoice="2026-000001"),
        example_order("FINALIZED", id="o-5", shipped=EXAMPLE_TIME),
        example_order("CANCELED", id="o-6", total=None),
    )


def endless_order() -> ShopOrder:
    """Return an order with long texts and a large total."""
    long = long_product()
    line = ShopOrderLine(product=long.id, quantity=999, name=long.name, price=long.price, answer="waiting")
    return example_order(
        "APPROVED", id="o-long", stalled="timeout", lines=(line,) * 9, total=Money(10**12, "EUR")
    )


def _examples() -> Mapping[str, Page]:
    names = {"a-1": "Ann Reader"}
    stalled = (example_order("APPROVED", id="o-1", stalled="capture-declined"),)
    asked = OrderSearch(state="APPROVED", customer="a-" + "1" * 60, since="2026-01-01", reason="timeout")
    return {
        "usual": _page(stalled, example_orders(), OrderSearch(), 5, None, names),
        "empty": _page((), (), OrderSearch(), 0),
        "none": _page((), (), OrderSearch(state="CANCELED"), 0),
        "long": _page((), (endless_order(), *example_orders()), asked, 12_345, "next"),
        "failed": _page(None, example_orders(), OrderSearch(), 5),
    }


PAGES = (
    PageRoute(
        ORDERS,
        get=show_orders,
        title=_("Orders"),
        params=OrderSearch,
        section=ORDERS,
        examples=_examples,
        requires=MANAGE,
    ),
)

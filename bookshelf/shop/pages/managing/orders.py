"""All orders: filtered by state, customer, time and reason, the stalled ones first."""

from collections.abc import Mapping, Sequence

import msgspec

from bookshelf.shop.money import Money
from bookshelf.shop.pages.managing.form_parts import ROOT, names_of
from bookshelf.shop.pages.managing.today import REASONS
from bookshelf.shop.pages.shared.example_orders import EXAMPLE_TIME, example_order
from bookshelf.shop.pages.shared.models import ShopOrder, ShopOrderLine, products_of, with_names
from bookshelf.shop.pages.shared.order_texts import STATES, state_of
from bookshelf.shop.pages.shared.product_tiles import long_product
from bookshelf.shop.values import MANAGE
from bookshelf.site.api_adapters import target
from bookshelf.site.page import Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

ORDERS = f"{ROOT}/orders"
_PAGE, _STALLED = 30, 20
_NEWEST = "-placed"


_NAMES = {"since": "from", "until": "to", "to_ship": "to-ship"}


class OrderSearch(msgspec.Struct, frozen=True, kw_only=True, rename=_NAMES):
    """Which orders: of a state, a customer, some days, canceled for a reason, stalled, to be shipped.

    `customer` is a handle, an e-mail address or an id. `sort` is placed or -placed; `after` is from where on.
    """

    state: str = ""
    customer: str = ""
    since: str = ""
    until: str = ""
    reason: str = ""
    stalled: bool = False
    to_ship: bool = False
    sort: str = "-placed"
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
    to_ship_address: str
    sort_address: str
    more_address: str
    first_address: str


def _asked(query: OrderSearch, path: str, **more: object) -> str:
    return target(
        path,
        state=query.state,
        customer=query.customer,
        from_=query.since,
        to=query.until,
        reason=query.reason,
        stalled="true" if query.stalled else None,
        to_ship="true" if query.to_ship else None,
        sort=None if query.sort == _NEWEST else query.sort,
        **more,
    )


async def _with_id(request: PageRequest, query: OrderSearch) -> OrderSearch:
    """Return the query with the id of the customer whose handle or e-mail address was typed."""
    words = query.customer.strip()
    if not words:
        return query
    found = await request.api.try_get(target("/accounts", q=words))
    customer = str(found.body[0]["id"]) if found is not None and found.body else words
    return msgspec.structs.replace(query, customer=customer)


async def show_orders(request: PageRequest) -> Page:
    """Show the orders that match; those that have stalled stand above all of them."""
    query: OrderSearch = request.query
    if query.state and query.state not in STATES:
        query = msgspec.structs.replace(query, state="")
    if query.sort != "placed":
        query = msgspec.structs.replace(query, sort=_NEWEST)
    asked = await _with_id(request, query)
    found = await request.api.get(
        _asked(asked, "/shop/orders", limit=_PAGE, after=query.after), kind=list[ShopOrder]
    )
    stalled: Sequence[ShopOrder] | None = ()
    if query == OrderSearch(sort=query.sort):
        held = await request.api.try_get(
            target("/shop/orders", stalled="true", limit=_STALLED), kind=list[ShopOrder]
        )
        stalled = None if held is None else held.body
    names = await names_of(request, (one.customer for one in (*found.body, *(stalled or ()))))
    products = await products_of(request, (*found.body, *(stalled or ())))
    if stalled is not None:
        stalled = [with_names(one, products) for one in stalled]
    rows = [with_names(one, products) for one in found.body]
    return _page(stalled, rows, query, found.total, found.cursor, names)


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
    other_way = msgspec.structs.replace(without, sort="placed" if query.sort == _NEWEST else _NEWEST)
    to_ship = msgspec.structs.replace(without, state="", to_ship=not query.to_ship)
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
        filtered=without != OrderSearch(sort=query.sort),
        to_ship_address=_asked(to_ship, ORDERS),
        sort_address=_asked(other_way, ORDERS),
        first_address=_asked(without, ORDERS) if query.after else "",
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

"""The orders of a customer: all of them, and one that is followed until it is at rest."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec

from bookshelf.covers.drawing import GeneratedCover
from bookshelf.shop.money import Money
from bookshelf.shop.pages.shared.example_orders import EXAMPLE_TIME, example_order
from bookshelf.shop.pages.shared.models import (
    ShopOrder,
    ShopOrderEvent,
    ShopOrderLine,
    products_of,
    with_names,
)
from bookshelf.shop.pages.shared.order_texts import (
    CANNOT_CANCEL,
    STATES,
    Explained,
    OrderStep,
    explain,
    refused_as,
    state_of,
    steps_of,
)
from bookshelf.shop.pages.shared.product_tiles import long_product, product_cover
from bookshelf.shop.values import BUY, Reason
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

ORDERS = "/shop/orders"
NOTICES = {"order-canceled": _("Your order is canceled. Nothing was taken.")}
_PAGE, _COVERS = 24, 3
#: What an address is once the person is forgotten.
FORGOTTEN = "forgotten"


class OrderListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Orders of which state, and from where on."""

    state: str = ""
    after: str = ""


class OrderRow(msgspec.Struct, frozen=True):
    """An order in the list: its state, and what it has."""

    order: ShopOrder
    state: str
    names: tuple[str, ...]
    covers: tuple[GeneratedCover, ...]


class OrdersModel(Model):
    """The orders of a customer, the newest first."""

    rows: tuple[OrderRow, ...]
    count: int
    chosen: str
    states: Mapping[str, str]
    more_address: str


class BoughtTile(msgspec.Struct, frozen=True):
    """A line of an order with the cover of its product."""

    line: ShopOrderLine
    name: str
    cover: GeneratedCover


class OrderModel(Model):
    """An order: what has happened to it, why it was canceled, what it has; steps are None if unreadable."""

    order: ShopOrder
    state: str
    states: Mapping[str, str]
    steps: tuple[OrderStep, ...] | None
    reasons: tuple[Explained, ...]
    lines: tuple[BoughtTile, ...]
    forgotten: bool


class OwnCancelForm(Form):
    """The answer to the question has no fields."""


class OwnCancelModel(Model):
    """An order that may be canceled."""

    order: ShopOrder


def stream_of(name: str) -> str | None:
    """Return the path of the API's stream of an order, by the name order:ID; None for other names."""
    kind, _colon, order = name.partition(":")
    return f"{ORDERS}/{segment(order)}/events" if kind == "order" and order else None


async def show_orders(request: PageRequest) -> Page:
    """Show the orders."""
    query: OrderListQuery = request.query
    state = query.state if query.state in STATES else ""
    asked = target(ORDERS, customer="me", state=state, limit=_PAGE, after=query.after)
    found = await request.api.get(asked, kind=list[ShopOrder])
    products = await products_of(request, found.body)
    shown = [with_names(one, products) for one in found.body]
    return _list_page(shown, found.total, state, found.cursor)


def _list_page(found: Sequence[ShopOrder], count: int, state: str = "", cursor: str | None = None) -> Page:
    more = "" if cursor is None else target(ORDERS, state=state, after=cursor)
    model = OrdersModel(
        rows=tuple(map(_row, found)), count=count, chosen=state, states=STATES, more_address=more
    )
    return Page("orders.html", model)


def _row(order: ShopOrder) -> OrderRow:
    names = tuple(line.name or "" for line in order.lines)
    covers = tuple(product_cover(name) for name in names[:_COVERS] if name)
    return OrderRow(order, state_of(order), tuple(name for name in names if name), covers)


async def show_order(request: PageRequest) -> Page:
    """Show an order; the page follows it."""
    path = f"{ORDERS}/{segment(request.path['id'])}"
    found = await request.api.get(path, kind=ShopOrder)
    history = await request.api.try_get(f"{path}/history", kind=list[ShopOrderEvent])
    events = None if history is None else tuple(history.body)
    order = with_names(found.body, await products_of(request, [found.body]))
    return _page(order, events, found.version, request.language)


def _page(
    order: ShopOrder, events: tuple[ShopOrderEvent, ...] | None, version: str | None, language: str = "en"
) -> Page:
    names = {line.product: line.name for line in order.lines if line.name}
    currency = "EUR" if order.total is None else order.total.currency
    canceled = order.state == "CANCELED"
    model = OrderModel(
        order=order,
        state=state_of(order),
        states=STATES,
        steps=None if events is None else steps_of(events),
        reasons=tuple(explain(one, names, currency, language) for one in order.reasons if canceled),
        lines=tuple(
            BoughtTile(line, line.name or "", product_cover(line.name or "")) for line in order.lines
        ),
        forgotten=order.address == FORGOTTEN,
    )
    return Page("order.html", model, live=(f"order:{order.id}",), version=version)


async def show_cancel(request: PageRequest) -> Page | Redirect:
    """Ask whether an order is canceled; one that is not pending any more shows why instead."""
    path = f"{ORDERS}/{segment(request.path['id'])}"
    found = await request.api.get(path, kind=ShopOrder)
    if found.body.state != "PENDING" and request.submission is None:
        return Redirect(path)
    return _cancel_page(found.body)


def _cancel_page(order: ShopOrder) -> Page:
    return Page("cancel_order.html", OwnCancelModel(order=order))


async def cancel(request: PageRequest, _form: OwnCancelForm) -> Redirect:
    """Cancel an order that is pending; one that is canceled already is no error.

    Raises `ApiProblem`, `FormRefused`.
    """
    path = f"{ORDERS}/{segment(request.path['id'])}"
    with refused_as(request, CANNOT_CANCEL):
        await request.api.post(f"{path}/cancel")
    return Redirect(path, notice="order-canceled")


def _events(*names: str) -> tuple[ShopOrderEvent, ...]:
    return tuple(
        ShopOrderEvent(f"shop.{name}.v1", EXAMPLE_TIME + timedelta(seconds=n), "ann")
        for n, name in enumerate(("order-placed", "order-priced", *names))
    )


def _examples() -> Mapping[str, Page]:
    reasons = (
        Reason(code="out-of-stock", product="p-1", wanted=2, available=1),
        Reason(code="price-changed", product="p-2", agreed=1299, now=1399),
        Reason(code="insufficient-credit", needed=4297, available=100),
        *(Reason(code=code) for code in ("card-declined", "timeout", "held-back", "customer", "manager")),
        Reason(code="card-declined", decline="insufficient-funds"),
        *(Reason(code=code, product="p-9") for code in ("unknown-product", "no-longer-sold", "out-of-stock")),
        *(Reason(code=code) for code in ("unknown-customer", "total-too-large", "something-new")),
    )
    sent = example_order(
        "FINALIZED", shipped=EXAMPLE_TIME, tracking="JD0123456789", invoice="2026-00001", pay="card"
    )
    long = long_product()
    line = ShopOrderLine(product=long.id, quantity=999, name=long.name, price=long.price, answer="waiting")
    stalled = example_order(
        "APPROVED",
        stalled="capture-declined",
        lines=(line,) * 3,
        total=Money(10**12, "EUR"),
        address="forgotten",
    )
    return {
        "usual": _page(sent, _events("order-approved", "order-finalized", "order-shipped"), '"4"'),
        "pending": _page(example_order(), _events(), '"1"'),
        "canceled": _page(example_order("CANCELED", reasons=reasons), _events("order-canceled"), '"3"'),
        "long": _page(stalled, _events("order-approved", "order-stalled", "order-capture-retried"), '"3"'),
        "failed": _page(example_order(), None, '"1"'),
    }


def _list_examples() -> Mapping[str, Page]:
    orders = [
        example_order(id="o-1"),
        example_order("FINALIZED", id="o-2", shipped=EXAMPLE_TIME),
        example_order("CANCELED", id="o-3", total=None),
        example_order("APPROVED", id="o-4"),
    ]
    long = long_product()
    line = ShopOrderLine(product=long.id, quantity=999, name=long.name, price=long.price, answer="waiting")
    many = [msgspec.structs.replace(one, id=f"o-{n}{one.id}") for n in range(6) for one in orders]
    endless = example_order(id="o-5", lines=(line,) * 50, total=Money(10**12, "EUR"))
    return {
        "usual": _list_page(orders, 4),
        "empty": _list_page([], 0),
        "none": _list_page([], 0, "CANCELED"),
        "long": _list_page([endless, *many], 1234, "PENDING", "next"),
    }


def _cancel_examples() -> Mapping[str, Page]:
    long = long_product()
    line = ShopOrderLine(product=long.id, quantity=999, name=long.name, price=long.price, answer="waiting")
    return {"usual": _cancel_page(example_order()), "long": _cancel_page(example_order(lines=(line,) * 3))}


PAGES = (
    PageRoute(
        ORDERS,
        get=show_orders,
        title=_("Your orders"),
        params=OrderListQuery,
        section=ORDERS,
        examples=_list_examples,
        requires=BUY,
    ),
    PageRoute(
        f"{ORDERS}/{{id}}/cancel",
        get=show_cancel,
        post=cancel,
        form=OwnCancelForm,
        title=_("Cancel the order?"),
        section=ORDERS,
        examples=_cancel_examples,
        requires=BUY,
    ),
    PageRoute(
        f"{ORDERS}/{{id}}",
        get=show_order,
        title=_("Order"),
        section=ORDERS,
        examples=_examples,
        requires=BUY,
    ),
)

"""One order: every event with its actor and time; canceled, sent, or its capture tried again."""

from collections.abc import Mapping

import msgspec

from bookshelf.shop.money import Money, show_amount
from bookshelf.shop.pages.managing.form_parts import Note, event_name, locale_of, names_of
from bookshelf.shop.pages.managing.orders import (
    ORDERS,
    ManagedOrder,
    endless_order,
    to_row,
)
from bookshelf.shop.pages.managing.today import REASONS
from bookshelf.shop.pages.shared.example_orders import EXAMPLE_TIME, example_order
from bookshelf.shop.pages.shared.models import ShopOrder, ShopOrderEvent, products_of, with_names
from bookshelf.shop.pages.shared.order_texts import (
    CANNOT_CANCEL,
    CANNOT_CAPTURE,
    CANNOT_SHIP,
    STATES,
    refused_as,
)
from bookshelf.shop.values import MANAGE, Reason
from bookshelf.site.api_adapters import segment
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

NOTICES = {
    "order-canceled": _("The order is canceled."),
    "order-shipped": _("The order is on its way."),
    "capture-again": _("The payment is tried again."),
}
#: The events of an order in words; others are shown by their names.
_EVENTS: Mapping[str, str] = {
    "order-placed": _("Placed"),
    "order-priced": _("All prices are known"),
    "stock-answered": _("The stock has answered"),
    "payment-answered": _("The payment has answered"),
    "order-approved": _("Approved"),
    "part-taken": _("A part is taken"),
    "order-finalized": _("Finalized: paid, and taken from the stock"),
    "order-stalled": _("Stalled"),
    "order-capture-retried": _("The payment is tried again"),
    "order-shipped": _("Shipped"),
    "order-canceled": _("Canceled"),
}
_STALLED: Mapping[str, str] = {
    "capture-declined": _(
        "The payment was declined after the order was approved. Try it again, or cancel it."
    ),
    "timeout": _("A part has not answered for a long time. It goes on by itself once it does."),
}
_OTHERWISE = _("It does not go on.")


class ManagedOrderForm(Form):
    """What to do with an order: `step` is ship or capture; the number of the parcel."""

    step: str = ""
    tracking: Note = ""


class ManagedOrderModel(Model):
    """An order; `steps` are its events with their texts and the names of actors, None if unreadable."""

    row: ManagedOrder
    states: Mapping[str, str]
    reasons: tuple[tuple[str, str], ...]
    steps: tuple[tuple[str, ShopOrderEvent, str], ...] | None
    stalled: str
    can_cancel: bool
    can_ship: bool
    can_capture: bool


class CancelOrderForm(Form):
    """The answer to the question has no fields."""


class CancelOrderModel(Model):
    """An order that may be canceled."""

    row: ManagedOrder


def _path(request: PageRequest) -> str:
    return f"/shop/orders/{segment(request.path['id'])}"


async def show_order(request: PageRequest) -> Page:
    """Show an order."""
    found = await request.api.get(_path(request), kind=ShopOrder)
    history = await request.api.try_get(f"{_path(request)}/history", kind=list[ShopOrderEvent])
    events = None if history is None else history.body
    people = {found.body.customer, *(event.actor for event in events or ())}
    names = await names_of(request, (one for one in people if one.startswith("a-")))
    order = with_names(found.body, await products_of(request, [found.body]))
    return _page(order, events, found.version, names, locale_of(request))


def _page(
    order: ShopOrder,
    events: list[ShopOrderEvent] | None,
    version: str | None = '"1"',
    names: Mapping[str, str] | None = None,
    locale: str = "en_GB",
) -> Page:
    named = names or {}
    row = to_row(order, named)
    model = ManagedOrderModel(
        row=row,
        states=STATES,
        reasons=tuple((REASONS.get(one.code, one.code), _about(one, order, locale)) for one in order.reasons),
        steps=None
        if events is None
        else tuple(
            (_EVENTS.get(event_name(one.type), ""), one, named.get(one.actor, one.actor)) for one in events
        ),
        stalled=_STALLED.get(order.stalled, _OTHERWISE) if order.stalled else "",
        can_cancel=order.state == "PENDING" or bool(order.state == "APPROVED" and order.stalled),
        can_ship=row.state == "FINALIZED",
        can_capture=order.stalled == "capture-declined",
    )
    return Page("order.html", model, version=version)


def _about(reason: Reason, order: ShopOrder, locale: str) -> str:
    """Return the numbers of a reason and the name of its product, as far as there are some."""
    currency = "EUR" if order.total is None else order.total.currency
    names = {line.product: line.name for line in order.lines if line.name}
    amounts = [
        show_amount(Money(one, currency), locale)
        for one in (reason.agreed, reason.now, reason.needed)
        if one is not None
    ]
    counts = [f"{reason.available or 0} / {reason.wanted}"] if reason.wanted is not None else []
    parts = (names.get(reason.product, reason.product), reason.decline, *counts, *amounts)
    return " · ".join(part for part in parts if part)


async def show_cancel(request: PageRequest) -> Page:
    """Ask whether an order is canceled."""
    found = await request.api.get(_path(request), kind=ShopOrder)
    names = await names_of(request, [found.body.customer])
    return _cancel_page(found.body, names)


def _cancel_page(order: ShopOrder, names: Mapping[str, str]) -> Page:
    return Page("cancel_order.html", CancelOrderModel(row=to_row(order, names)))


async def cancel_order(request: PageRequest, _form: CancelOrderForm) -> Redirect:
    """Cancel an order. Raises `ApiProblem`, `FormRefused`."""
    with refused_as(request, CANNOT_CANCEL):
        await request.api.post(f"{_path(request)}/cancel")
    return Redirect(f"{ORDERS}/{segment(request.path['id'])}", notice="order-canceled")


async def change_order(request: PageRequest, form: ManagedOrderForm) -> Redirect:
    """Note that an order was sent, or have its payment tried again. Raises `ApiProblem`, `FormRefused`."""
    address = f"{ORDERS}/{segment(request.path['id'])}"
    match form.step:
        case "ship":
            body = {"tracking": form.tracking} if form.tracking else {}
            with refused_as(request, CANNOT_SHIP):
                await request.api.post(f"{_path(request)}/shipped", body)
            return Redirect(address, notice="order-shipped")
        case "capture":
            with refused_as(request, CANNOT_CAPTURE):
                await request.api.post(f"{_path(request)}/capture")
            return Redirect(address, notice="capture-again")
    return Redirect(address)


def _examples() -> Mapping[str, Page]:
    names = {"a-1": "Ann Reader"}
    events = [
        ShopOrderEvent(f"shop.{name}.v1", EXAMPLE_TIME, actor)
        for name, actor in (("order-placed", "a-1"), ("order-priced", ""), ("order-approved", "ordering"))
    ]
    reasons = (
        Reason(code="out-of-stock", product="p-1", wanted=2, available=1),
        Reason(code="price-changed", product="p-2", agreed=1299, now=1399),
        Reason(code="insufficient-credit", needed=4297, available=100),
        Reason(code="card-declined", decline="insufficient-funds"),
        Reason(code="something-new"),
    )
    stalled = example_order("APPROVED", stalled="capture-declined", pay="card")
    sent = example_order("FINALIZED", shipped=EXAMPLE_TIME, tracking="JD0123456789", invoice="2026-000001")
    long = msgspec.structs.replace(endless_order(), address="forgotten")
    return {
        "usual": _page(example_order("FINALIZED", invoice="2026-000001"), events, names=names),
        "pending": _page(example_order(), events[:1], names=names),
        "sent": _page(sent, events, names=names),
        "stalled": _page(stalled, events, names=names),
        "canceled": _page(example_order("CANCELED", reasons=reasons), events, names=names),
        "long": _page(long, [*events, ShopOrderEvent("shop.something-new.v1", EXAMPLE_TIME, "x" * 80)] * 8),
        "failed": _page(example_order(), None),
    }


def _cancel_examples() -> Mapping[str, Page]:
    names = {"a-1": "Ann Reader"}
    return {"usual": _cancel_page(example_order(), names), "long": _cancel_page(endless_order(), names)}


PAGES = (
    PageRoute(
        f"{ORDERS}/{{id}}/cancel",
        get=show_cancel,
        post=cancel_order,
        form=CancelOrderForm,
        title=_("Cancel the order?"),
        section=ORDERS,
        examples=_cancel_examples,
        requires=MANAGE,
    ),
    PageRoute(
        f"{ORDERS}/{{id}}",
        get=show_order,
        post=change_order,
        form=ManagedOrderForm,
        title=_("Order"),
        section=ORDERS,
        examples=_examples,
        requires=MANAGE,
    ),
)

"""The texts of orders: states, events, and the reasons of cancellations with what a customer can do."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.shop.money import Money, show_amount
from bookshelf.shop.pages.shared.models import ShopOrder, ShopOrderEvent
from bookshelf.shop.values import Reason
from bookshelf.site.api_adapters import ApiProblem, FieldFault
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import _
from bookshelf.site.page_request import PageRequest

STATES: Mapping[str, str] = {
    "PENDING": _("Pending"),
    "APPROVED": _("Approved"),
    "FINALIZED": _("Finalized"),
    "SHIPPED": _("Shipped"),
    "CANCELED": _("Canceled"),
}
_LOCALES = {"en": "en_GB", "de": "de_DE"}
#: The events of an order that its customer is shown, in words; the others are of no interest there.
_EVENTS: Mapping[str, str] = {
    "order-placed": _("Ordered"),
    "order-approved": _("Approved: everything is reserved for you"),
    "order-finalized": _("Paid, and being packed"),
    "order-stalled": _("Something holds it up. We look into it"),
    "order-capture-retried": _("The payment is tried again"),
    "order-shipped": _("On its way to you"),
    "order-canceled": _("Canceled"),
}


#: What a refused step of an order means: the API refuses it if the order is in another state by now.
CANNOT_CANCEL = _("The order cannot be canceled any more: it is approved, and goes forward.")
CANNOT_SHIP = _("Only an order that is paid, and not shipped yet, can be shipped.")
CANNOT_CAPTURE = _("There is no declined payment of this order that could be tried again.")
NO_ORDERS = _("The shop takes no orders at the moment. Your cart stays as it is; try it later.")
_CONFLICT = "conflict"


@contextmanager
def refused_as(request: PageRequest, text: str) -> Iterator[None]:
    """Raise `FormRefused` with a text if the API refuses a step of an order; any other `ApiProblem` stays."""
    try:
        yield
    except ApiProblem as problem:
        if problem.kind != _CONFLICT:
            raise
        raise FormRefused(FieldFault("", request.translate(text))) from None


class OrderStep(NamedTuple):
    """What has happened to an order, and when."""

    text: str
    time: datetime


class Explained(NamedTuple):
    """Why an order was canceled, what can be done, and the address where; the address may be empty."""

    why: Phrase
    advice: str
    address: str
    link: str


def state_of(order: ShopOrder) -> str:
    """Return the state of an order as it is shown: one that was sent is SHIPPED."""
    return "SHIPPED" if order.shipped is not None else order.state


def steps_of(events: tuple[ShopOrderEvent, ...]) -> tuple[OrderStep, ...]:
    """Return what a customer is shown of a history."""
    named = ((event.type.split(".")[1] if "." in event.type else "", event.time) for event in events)
    return tuple(OrderStep(_EVENTS[name], time) for name, time in named if name in _EVENTS)


def explain(reason: Reason, names: Mapping[str, str], currency: str, language: str) -> Explained:
    """Return a reason in words. `names` are the names of products by id, as far as they are known."""
    name = names.get(reason.product, "")
    locale = _LOCALES.get(language, "en_GB")
    why = _why(reason, name, lambda amount: show_amount(Money(amount or 0, currency), locale))
    return Explained(_of_product(why, name), *_ways(reason))


def _of_product(why: Phrase, name: str) -> Phrase:
    return phrase("{name}: {why}", name=name, why=why) if name else why


def _why(reason: Reason, name: str, money: Callable[[int | None], str]) -> Phrase:
    match reason.code:
        case "out-of-stock" if not reason.available:
            return phrase("out of stock")
        case "out-of-stock":
            there, wanted = reason.available or 0, reason.wanted or 0
            return phrase("only {there} left, and you wanted {wanted}", there=there, wanted=wanted)
        case "price-changed":
            was, now = money(reason.agreed), money(reason.now)
            return phrase("the price was {was} and is now {now}", was=was, now=now)
        case "insufficient-credit":
            needed, left = money(reason.needed), money(reason.available)
            return phrase(
                "Your credit is not enough: {needed} is needed, {left} is left", needed=needed, left=left
            )
        case "card-declined":
            return _declined(reason.decline)
    return _plain(reason.code, name)


def _declined(decline: str) -> Phrase:
    if decline == "insufficient-funds":
        return phrase("Your card was declined: there is not enough money on it")
    return phrase("Your card was declined")


def _plain(code: str, name: str) -> Phrase:
    """Return the text of a reason without numbers."""
    texts = {
        "unknown-product": phrase("There is no such product"),
        "no-longer-sold": phrase("no longer sold") if name else phrase("A product is no longer sold"),
        "unknown-customer": phrase("You have no credit here yet"),
        "other-currency": phrase("Your credit is in another currency than the prices"),
        "total-too-large": phrase("The total is too large for one order"),
        "held-back": phrase("The shop could not work on this order"),
        "timeout": phrase("The shop did not answer in time"),
        "customer": phrase("You have canceled it"),
        "manager": phrase("The shop has canceled it"),
    }
    return texts.get(code, phrase("The order could not be carried out"))


_SHOW, _CART, _NONE = "show", "cart", ""
_LINKS: Mapping[str, str] = {_SHOW: _("Show it"), _CART: _("To the cart"), _NONE: ""}
_REST = (_("Order the rest without it. If you ordered from your cart, all of it is still there."), _CART)
_LESS = (_("Pay by card, or order less."), _CART)
_AGAIN = (_("Nothing was taken. Order again; what was in your cart is still there."), _CART)
_STILL_THERE = (_("Nothing was taken. If you ordered from your cart, all of it is still there."), _CART)
#: What to do about a reason, and where.
_ADVICE: Mapping[str, tuple[str, str]] = {
    "out-of-stock": _REST,
    "no-longer-sold": _REST,
    "unknown-product": _REST,
    "price-changed": (_("Order it again at the new price; in your cart, accept that first."), _SHOW),
    "insufficient-credit": _LESS,
    "unknown-customer": _LESS,
    "other-currency": (_("Pay by card, or ask the shop to set your credit anew."), _CART),
    "card-declined": (_("Nothing was charged. Use another card, or your credit."), _CART),
    "total-too-large": (_("Make two orders of it."), _CART),
    "held-back": (_("Nothing was taken. We have to repair something; try again tomorrow."), _NONE),
    "customer": _STILL_THERE,
}
_FEWER = (_("Order as many as there are."), _SHOW)


def _ways(reason: Reason) -> tuple[str, str, str]:
    """Return what to do about a reason, the address where, and the text of the link."""
    fewer = reason.code == "out-of-stock" and reason.available
    advice, where = _FEWER if fewer else _ADVICE.get(reason.code, _AGAIN)
    address = {_SHOW: f"/shop/products/{reason.product}", _CART: "/shop/cart", _NONE: ""}[where]
    return advice, address, _LINKS[where]

"""The payment of an order by card: authorized, then captured, or voided. Its key is the order's id.

The provider is called by the connector (cards.py), for each event that requests something.
"""

from typing import ClassVar, Literal

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.shop.events import EVENTS, TOPIC
from bookshelf.shop.money import Money
from bookshelf.shop.payment_events import (
    PAYMENT_EVENTS,
    CaptureDeclined,
    CaptureRequested,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRequested,
    PaymentVoided,
    VoidRequested,
)


class Authorize(Command, frozen=True, kw_only=True):
    """Hold an amount on the card of a token."""

    TYPE: ClassVar[str] = "shop.authorize.v1"
    amount: Money
    card: str


class Capture(Command, frozen=True, kw_only=True):
    """Have the authorized amount paid; after a declined capture, once more."""

    TYPE: ClassVar[str] = "shop.capture.v1"


class Void(Command, frozen=True, kw_only=True):
    """Hold nothing for the order any more."""

    TYPE: ClassVar[str] = "shop.void.v1"


class NoteAuthorized(Command, frozen=True, kw_only=True):
    """Note that the provider holds the amount."""

    TYPE: ClassVar[str] = "shop.note-authorized.v1"
    authorization: str


class NoteDeclined(Command, frozen=True, kw_only=True):
    """Note that the provider declines the card."""

    TYPE: ClassVar[str] = "shop.note-declined.v1"
    decline: str


class NoteCaptured(Command, frozen=True, kw_only=True):
    """Note that the amount is paid."""

    TYPE: ClassVar[str] = "shop.note-captured.v1"


class NoteCaptureDeclined(Command, frozen=True, kw_only=True):
    """Note that the provider declines the capture."""

    TYPE: ClassVar[str] = "shop.note-capture-declined.v1"
    decline: str


class NoteVoided(Command, frozen=True, kw_only=True):
    """Note that the provider holds nothing for the order."""

    TYPE: ClassVar[str] = "shop.note-voided.v1"


class Payment(State, frozen=True):
    """The state of a payment. A void that meets an open authorization is called after that has ended."""

    status: Literal[
        "",
        "requested",
        "authorized",
        "declined",
        "capturing",
        "captured",
        "capture-declined",
        "voiding",
        "voided",
    ] = ""
    amount: Money | None = None
    authorization: str = ""


def decide(state: Payment, command: Command) -> list[Event]:  # noqa: PLR0911 (one for each command)
    """Return the events that a command leads to; none for what the payment is past of."""
    match command, state.status:
        case Authorize(amount=amount, card=card), "":
            return [PaymentRequested(amount=amount, card=card)]
        case NoteAuthorized(authorization=authorization), "requested" | "voiding":
            return [PaymentAuthorized(authorization=authorization)]
        case NoteDeclined(decline=decline), "requested" | "voiding":
            return [PaymentDeclined(decline=decline)]
        case Capture(), "authorized" | "capture-declined" if state.amount is not None:
            return [CaptureRequested(amount=state.amount, authorization=state.authorization)]
        case NoteCaptured(), "capturing" if state.amount is not None:
            return [PaymentCaptured(amount=state.amount)]
        case NoteCaptureDeclined(decline=decline), "capturing":
            return [CaptureDeclined(decline=decline)]
        case Void(), "requested" | "authorized" | "capture-declined":
            return [VoidRequested()]
        case NoteVoided(), "voiding":
            return [PaymentVoided()]
    return []


def evolve(state: Payment, event: Event) -> Payment:  # noqa: PLR0911 (one for each event)
    """Return the payment after an event."""
    replace = msgspec.structs.replace
    match event:
        case PaymentRequested(amount=amount):
            return Payment(status="requested", amount=amount)
        case PaymentAuthorized(authorization=authorization):
            status = "voiding" if state.status == "voiding" else "authorized"
            return replace(state, status=status, authorization=authorization)
        case PaymentDeclined():
            return state if state.status == "voiding" else replace(state, status="declined")
        case CaptureRequested():
            return replace(state, status="capturing")
        case PaymentCaptured():
            return replace(state, status="captured")
        case CaptureDeclined():
            return replace(state, status="capture-declined")
        case VoidRequested():
            return replace(state, status="voiding")
        case PaymentVoided():
            return replace(state, status="voided")
    return state


PAYMENT = Aggregate(
    name="payment",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Payment(),
    decide=decide,
    evolve=evolve,
    takes=(
        *(Authorize, Capture, Void),
        *(NoteAuthorized, NoteDeclined, NoteCaptured, NoteCaptureDeclined, NoteVoided),
    ),
    folds=PAYMENT_EVENTS,
)

"""The credit of a customer: its balance, and what is reserved of it for orders. Its key is the account."""

from typing import ClassVar

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, Invalid, NotFound
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.shop.events import (
    CREDIT_EVENTS,
    EVENTS,
    TOPIC,
    CreditGranted,
    CreditOpened,
    CreditRefused,
    CreditReleased,
    CreditReserved,
    CreditReturned,
    CreditSet,
    CreditTaken,
)
from bookshelf.shop.money import MOST, Money


class OpenCredit(Command, frozen=True, kw_only=True):
    """Open the credit of a customer with an amount; once."""

    TYPE: ClassVar[str] = "shop.open-credit.v1"
    amount: Money


class GrantCredit(Command, frozen=True, kw_only=True):
    """Give the customer more credit; one that is not there is opened with `opening`, or with nothing."""

    TYPE: ClassVar[str] = "shop.grant-credit.v1"
    amount: Money
    why: str = ""
    opening: Money | None = None


class SetCredit(Command, frozen=True, kw_only=True):
    """Set the credit, what is reserved among it.

    A credit that was opened in another currency than the amount is in that of the amount from then on, if
    no order has used it; `foreign`: not so, because the amount is not in the currency of the shop.
    """

    TYPE: ClassVar[str] = "shop.set-credit.v1"
    amount: Money
    why: str = ""
    foreign: bool = False


class ReserveCredit(Command, frozen=True, kw_only=True):
    """Reserve an amount for an order. With `opening`, a credit that is not there is opened with that."""

    TYPE: ClassVar[str] = "shop.reserve-credit.v1"
    order: str
    amount: Money
    opening: Money | None = None


class ReleaseCredit(Command, frozen=True, kw_only=True):
    """Reserve nothing for an order any more."""

    TYPE: ClassVar[str] = "shop.release-credit.v1"
    order: str


class TakeCredit(Command, frozen=True, kw_only=True):
    """Take what is reserved for an order."""

    TYPE: ClassVar[str] = "shop.take-credit.v1"
    order: str


class ReturnCredit(Command, frozen=True, kw_only=True):
    """Give an amount back that an order has taken; release what is still reserved for it."""

    TYPE: ClassVar[str] = "shop.return-credit.v1"
    order: str
    amount: Money


class Credit(State, frozen=True):
    """The balance in minor units, and what is reserved of it for each order; `held` is the sum of that.

    `currency` is empty before it is opened. `given`: the customer has had the starting credit. `used`: an
    amount was reserved of it for an order, at any time.
    """

    currency: str = ""
    balance: int = 0
    given: bool = False
    held: int = 0
    holds: dict[str, int] = msgspec.field(default_factory=dict)
    used: bool = False

    @property
    def available(self) -> int:
        """What another order can have."""
        return self.balance - self.held


def decide(state: Credit, command: Command) -> list[Event]:  # noqa: PLR0911 (one for each command)
    """Return the events that a command leads to. Raises `Conflict`, `Invalid`, `NotFound`.

    What an order asks for is always answered with an event.
    """
    match command:
        case OpenCredit(amount=amount) if not state.given:
            return [*_checked(state, amount), CreditOpened(amount=amount)]
        case ReserveCredit():
            return _reserved(state, command)
        case ReleaseCredit(order=order) | ReturnCredit(order=order) if order in state.holds:
            return [CreditReleased(order=order, amount=_held(state, order))]
        case TakeCredit(order=order) if order in state.holds:
            return [CreditTaken(order=order, amount=_held(state, order))]
        case ReturnCredit(order=order, amount=amount):
            return [CreditReturned(order=order, amount=amount)]
        case GrantCredit(amount=amount, why=why, opening=opening):
            opened = CreditOpened(amount=opening or Money(0, amount.currency))
            after = state if state.currency else evolve(state, opened)
            begun = [] if state.currency else [opened]
            return [*_checked(after, amount), *begun, CreditGranted(amount=amount, why=why)]
        case SetCredit():
            return _set(state, command)
    return []


def _held(state: Credit, order: str) -> Money:
    return Money(state.holds[order], state.currency)


def _checked(state: Credit, added: Money) -> list[Event]:
    """Return nothing. Raises `Conflict`, `Invalid` for an amount that cannot be added."""
    if state.currency not in {"", added.currency}:
        raise Invalid(f"is in {state.currency}, as this credit", field="amount.currency")
    if state.balance + added.amount > MOST:
        raise Conflict(f"a credit has up to {MOST} minor units; it has {state.balance}")
    return []


def _set(state: Credit, command: SetCredit) -> list[Event]:
    amount = command.amount
    if not state.currency:
        raise NotFound("this customer has no credit yet; grant one")
    if amount.currency != state.currency:
        return _set_anew(state, command)
    if amount.amount < state.held:
        raise Conflict(f"{state.held} minor units are reserved for orders; set at least as many")
    if amount.amount == state.balance:
        return []
    return [CreditSet(amount=amount, former=state.balance, why=command.why)]


def _set_anew(state: Credit, command: SetCredit) -> list[Event]:
    """Set a credit in another currency: the currency of the shop was changed after the credit was opened."""
    if command.foreign:
        raise Invalid(f"is in {state.currency}, as this credit", field="amount.currency")
    if state.used:  # what an order has taken may come back, in the currency of the order
        raise Conflict(f"orders have used this credit: it stays in {state.currency}")
    return [CreditSet(amount=command.amount, former=state.balance, why=command.why)]


def _reserved(state: Credit, command: ReserveCredit) -> list[Event]:
    order, amount = command.order, command.amount
    if order in state.holds:  # one for each order
        return []
    if not state.currency and command.opening is not None:
        opened = CreditOpened(amount=command.opening)
        return [opened, *_reserved(evolve(state, opened), command)]
    reason = "insufficient-credit" if state.currency == amount.currency else "other-currency"
    if not state.currency:
        reason = "unknown-customer"
    if state.currency != amount.currency or amount.amount > state.available:
        needed = amount.amount
        return [CreditRefused(order=order, reason=reason, needed=needed, available=state.available)]
    return [CreditReserved(order=order, amount=amount)]


def evolve(state: Credit, event: Event) -> Credit:  # noqa: PLR0911 (one for each event)
    """Return the credit after an event."""
    replace = msgspec.structs.replace
    match event:
        case CreditReserved(order=order, amount=amount):
            holds = {**state.holds, order: amount.amount}
            return replace(state, held=state.held + amount.amount, holds=holds, used=True)
        case CreditReleased(order=order):
            return _without(state, order)
        case CreditTaken(order=order, amount=amount):
            return replace(_without(state, order), balance=state.balance - amount.amount)
        case CreditOpened(amount=amount):
            given = state.given or amount.amount > 0
            return replace(
                state, currency=amount.currency, balance=state.balance + amount.amount, given=given
            )
        case CreditGranted(amount=amount) | CreditReturned(amount=amount):
            return replace(state, balance=state.balance + amount.amount)
        case CreditSet(amount=amount):
            return replace(state, currency=amount.currency, balance=amount.amount)
    return state


def _without(state: Credit, order: str) -> Credit:
    holds = dict(state.holds)
    amount = holds.pop(order, 0)
    return msgspec.structs.replace(state, held=state.held - amount, holds=holds)


CREDIT = Aggregate(
    name="credit",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Credit(),
    decide=decide,
    evolve=evolve,
    takes=(OpenCredit, GrantCredit, SetCredit, ReserveCredit, ReleaseCredit, TakeCredit, ReturnCredit),
    folds=CREDIT_EVENTS,
)

"""A claim: which account holds a handle or an e-mail address. Its id is an HMAC of that (fields.py)."""

from typing import ClassVar

from bookshelf.accounts.events import (
    CLAIM_EVENTS,
    EVENTS,
    TOPIC,
    Claimed,
    ClaimRefused,
    ClaimReleased,
)
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.message import Command, Event, State


class Claim(Command, frozen=True):
    """Ask for the handle or address, for an account."""

    TYPE: ClassVar[str] = "accounts.claim.v1"
    account: str


class ReleaseClaim(Command, frozen=True):
    """Give the handle or address up, if this account holds it."""

    TYPE: ClassVar[str] = "accounts.release-claim.v1"
    account: str


class ClaimHolder(State, frozen=True):
    """The account that holds the claim; empty if it is free."""

    account: str = ""


def decide(state: ClaimHolder, command: Command) -> list[Event]:
    """Return the events that a command leads to; a claim is always answered with one."""
    match command:
        case Claim(account=account) if state.account in {"", account}:
            return [Claimed(account=account)]
        case Claim(account=account):
            return [ClaimRefused(account=account)]
        case ReleaseClaim(account=account) if state.account == account:
            return [ClaimReleased(account=account)]
    return []


def evolve(state: ClaimHolder, event: Event) -> ClaimHolder:
    """Return the holder after an event."""
    match event:
        case Claimed(account=account):
            return ClaimHolder(account=account)
        case ClaimReleased():
            return ClaimHolder()
    return state


CLAIM = Aggregate(
    name="claim",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=ClaimHolder(),
    decide=decide,
    evolve=evolve,
    takes=(Claim, ReleaseClaim),
    folds=CLAIM_EVENTS,
)

"""An account: opened once its handle and e-mail address are claimed; its person may change and end it."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

import msgspec

from bookshelf.accounts import events
from bookshelf.accounts.events import ACCOUNT_EVENTS, EVENTS, TOPIC
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, NotFound
from bookshelf.cqrs.message import Command, Event, State, sealed

#: How long a request waits for its claims.
PATIENCE = timedelta(seconds=30)
#: The reason of a rejection for want of an answer.
TIMEOUT = "timeout"


class OpenAccount(Command, frozen=True):
    """Ask for an account. Handle, name, e-mail and password (its hash) are sealed texts."""

    TYPE: ClassVar[str] = "accounts.open-account.v1"
    handle: Annotated[str, sealed("handle")]
    name: Annotated[str, sealed("name")]
    email: Annotated[str, sealed("email")]
    password: Annotated[str, sealed("password")]
    handle_claim: str
    email_claim: str
    groups: tuple[str, ...]
    at: datetime


class NoteClaim(Command, frozen=True):
    """Note that a claim is held by the account, or by another one."""

    TYPE: ClassVar[str] = "accounts.note-claim.v1"
    claim: str
    held: bool


class ExpireRequest(Command, frozen=True):
    """Reject what still waits for a claim."""

    TYPE: ClassVar[str] = "accounts.expire-request.v1"


class RenameAccount(Command, frozen=True):
    """Give the person another name, a sealed text."""

    TYPE: ClassVar[str] = "accounts.rename-account.v1"
    name: Annotated[str, sealed("name")]


class ChangeEmail(Command, frozen=True):
    """Ask for another e-mail address, a sealed text; it has this claim."""

    TYPE: ClassVar[str] = "accounts.change-email.v1"
    email: Annotated[str, sealed("email")]
    claim: str
    at: datetime


class SetAddress(Command, frozen=True):
    """Set the postal address, a sealed text; None clears it."""

    TYPE: ClassVar[str] = "accounts.set-address.v1"
    address: Annotated[str, sealed("address")] | None = None


class SetPassword(Command, frozen=True):
    """Set the hash of the password, a sealed text. `same`: it is a new hash of the same password."""

    TYPE: ClassVar[str] = "accounts.set-password.v1"
    password: Annotated[str, sealed("password")]
    same: bool = False


class JoinGroup(Command, frozen=True):
    """Put the account into a group."""

    TYPE: ClassVar[str] = "accounts.join-group.v1"
    group: str


class LeaveGroup(Command, frozen=True):
    """Take the account out of a group; its sessions end."""

    TYPE: ClassVar[str] = "accounts.leave-group.v1"
    group: str


class Suspend(Command, frozen=True):
    """Refuse sign-in from now on; the sessions end."""

    TYPE: ClassVar[str] = "accounts.suspend.v1"


class Resume(Command, frozen=True):
    """Admit sign-in again."""

    TYPE: ClassVar[str] = "accounts.resume.v1"


class EndSessions(Command, frozen=True):
    """End all sessions of the account."""

    TYPE: ClassVar[str] = "accounts.end-sessions.v1"


class Forget(Command, frozen=True):
    """Forget the person."""

    TYPE: ClassVar[str] = "accounts.forget.v1"


class PendingEmail(State, frozen=True):
    """An address that was asked for."""

    email: str
    claim: str
    at: datetime


class Account(State, frozen=True):
    """The state of an account. `answers` has what the claims of its request have led to.

    `unanswered` are claims of changes that were rejected before the claim had answered; `reasons` are those
    of the last rejection.
    """

    status: Literal["none", "requested", "open", "rejected", "forgotten"] = "none"
    handle: str = ""
    name: str = ""
    email: str = ""
    address: str | None = None
    password: str = ""
    handle_claim: str = ""
    email_claim: str = ""
    groups: tuple[str, ...] = ()
    suspended: bool = False
    epoch: int = 0
    at: datetime | None = None
    answers: dict[str, bool] = msgspec.field(default_factory=dict)
    pending: PendingEmail | None = None
    unanswered: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def claims(self) -> tuple[str, ...]:
        """Every claim that it holds or has asked for."""
        pending = () if self.pending is None else (self.pending.claim,)
        return tuple(dict.fromkeys((self.handle_claim, self.email_claim, *pending)))

    @property
    def is_open(self) -> bool:
        """True from its opening until it is forgotten."""
        return self.status == "open"


def decide(state: Account, command: Command) -> list[Event]:
    """Return the events that a command leads to. Raises `NotFound`, `Conflict`."""
    match command:
        case OpenAccount() if state.status != "none":
            raise Conflict("this id is taken")
        case OpenAccount():
            return [events.AccountRequested(**msgspec.structs.asdict(command))]
        case NoteClaim(claim=claim, held=held):
            return _noted(state, claim, held=held)
        case ExpireRequest():
            return _expired(state)
        case Forget() if state.status == "forgotten":
            return []
        case _ if not state.is_open:
            raise NotFound("there is no such account")
        case ChangeEmail():
            return _email_change(state, command)
    return _of_open(state, command)


def _noted(state: Account, claim: str, *, held: bool) -> list[Event]:
    """Return what a claim's answer leads to. It is always noted, so that a repetition is recognised."""
    if state.status in {"none", "forgotten"}:
        return []
    noted = events.AccountClaimNoted(claim=claim, held=held)
    pending = state.pending
    if pending is not None and pending.claim == claim:
        if held:
            former = state.email_claim
            return [noted, events.EmailChanged(email=pending.email, claim=claim, former=former)]
        return [noted, events.EmailChangeRejected(claim=claim, reason="email-taken")]
    after = evolve(state, noted)
    if state.status != "requested" or not {state.handle_claim, state.email_claim} <= after.answers.keys():
        return [noted]
    named = (("handle-taken", state.handle_claim), ("email-taken", state.email_claim))
    reasons = tuple(reason for reason, asked in named if not after.answers[asked])
    if reasons:
        return [noted, events.AccountRejected(reasons=reasons, claims=state.claims)]
    return [noted, events.AccountOpened(name=state.name)]


def _expired(state: Account) -> list[Event]:
    if state.status == "requested":
        return [events.AccountRejected(reasons=(TIMEOUT,), claims=state.claims)]
    if state.pending is not None:
        return [events.EmailChangeRejected(claim=state.pending.claim, reason=TIMEOUT)]
    return []


def _email_change(state: Account, command: ChangeEmail) -> list[Event]:
    if state.pending is not None:
        raise Conflict("an earlier change of the address is not decided yet; try again in a moment")
    if command.claim in state.unanswered:  # the answer to come would look like one to this change
        raise Conflict("an earlier change to this address is not decided yet; try again in a moment")
    if command.claim == state.email_claim:  # the same address, perhaps written in another way
        if command.email == state.email:
            return []
        return [events.EmailChanged(email=command.email, claim=command.claim, former=command.claim)]
    return [events.EmailChangeRequested(**msgspec.structs.asdict(command))]


def _of_open(state: Account, command: Command) -> list[Event]:  # noqa: PLR0911 (one for each command)
    ended = events.SessionsEnded(epoch=state.epoch + 1)
    match command:
        case RenameAccount(name=name):
            return [] if name == state.name else [events.AccountRenamed(name=name)]
        case SetAddress(address=address):
            return [] if address == state.address else [events.AddressSet(address=address)]
        case SetPassword(password=password, same=same):
            changed = events.PasswordChanged(password=password)
            return [changed] if same else [changed, ended]
        case JoinGroup(group=group):
            return [] if group in state.groups else [events.GroupJoined(group=group)]
        case LeaveGroup(group=group):
            return [events.GroupLeft(group=group), ended] if group in state.groups else []
        case Suspend():
            return [] if state.suspended else [events.AccountSuspended(), ended]
        case Resume():
            return [events.AccountResumed()] if state.suspended else []
        case EndSessions():
            return [ended]
        case Forget():
            return [events.AccountForgotten(claims=state.claims)]
    return []


def evolve(state: Account, event: Event) -> Account:  # noqa: PLR0911 (one for each event)
    """Return the account after an event."""
    replace = msgspec.structs.replace
    match event:
        case events.AccountRequested():
            return Account(status="requested", **msgspec.structs.asdict(event))
        case events.AccountClaimNoted(claim=claim, held=held):
            answers = {**state.answers, claim: held} if state.status == "requested" else {}
            unanswered = tuple(other for other in state.unanswered if other != claim)
            return replace(state, answers=answers, unanswered=unanswered)
        case events.AccountOpened():
            return replace(state, status="open", answers={})
        case events.AccountRejected(reasons=reasons):
            return Account(status="rejected", reasons=reasons)
        case events.AccountForgotten():
            return Account(status="forgotten", epoch=state.epoch + 1)
        case events.EmailChangeRequested(email=email, claim=claim, at=at):
            return replace(state, pending=PendingEmail(email=email, claim=claim, at=at), reasons=())
        case events.EmailChanged(email=email, claim=claim):
            return replace(state, email=email, email_claim=claim, pending=None, reasons=())
        case events.EmailChangeRejected(claim=claim, reason=reason):
            late = (claim,) if reason == TIMEOUT else ()
            return replace(state, pending=None, unanswered=state.unanswered + late, reasons=(reason,))
    return _changed(state, event)


def _changed(state: Account, event: Event) -> Account:  # noqa: PLR0911 (one for each event)
    replace = msgspec.structs.replace
    match event:
        case events.AccountRenamed(name=name):
            return replace(state, name=name)
        case events.AddressSet(address=address):
            return replace(state, address=address)
        case events.PasswordChanged(password=password):
            return replace(state, password=password)
        case events.GroupJoined(group=group):
            return replace(state, groups=(*state.groups, group))
        case events.GroupLeft(group=group):
            return replace(state, groups=tuple(other for other in state.groups if other != group))
        case events.AccountSuspended() | events.AccountResumed():
            return replace(state, suspended=isinstance(event, events.AccountSuspended))
        case events.SessionsEnded(epoch=epoch):
            return replace(state, epoch=epoch)
    return state


def due(state: Account) -> tuple[datetime, Command] | None:
    """Return when what waits for a claim is rejected."""
    if state.status == "requested" and state.at is not None:
        return state.at + PATIENCE, ExpireRequest()
    if state.pending is not None:
        return state.pending.at + PATIENCE, ExpireRequest()
    return None


ACCOUNT = Aggregate(
    name="account",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Account(),
    decide=decide,
    evolve=evolve,
    due=due,
    takes=(
        OpenAccount,
        NoteClaim,
        RenameAccount,
        ChangeEmail,
        SetAddress,
        SetPassword,
        JoinGroup,
        LeaveGroup,
        Suspend,
        Resume,
        EndSessions,
        Forget,
    ),
    folds=ACCOUNT_EVENTS,
)

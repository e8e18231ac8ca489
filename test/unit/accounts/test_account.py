"""Accounts: opened with both claims, changed by their person, ended once and for all."""

from datetime import timedelta

import pytest
from support.fixed_infrastructure import NOW
from support.spec import given

from bookshelf.accounts import events
from bookshelf.accounts.account import (
    ACCOUNT,
    Account,
    ChangeEmail,
    EndSessions,
    ExpireRequest,
    Forget,
    JoinGroup,
    LeaveGroup,
    NoteClaim,
    OpenAccount,
    RenameAccount,
    Resume,
    SetAddress,
    SetPassword,
    Suspend,
)
from bookshelf.cqrs.errors import Conflict, NotFound
from bookshelf.cqrs.message import Command, Event

FIELDS = {"handle": "H", "name": "N", "email": "E", "password": "P", "groups": ("reader",), "at": NOW}
CLAIMS = {"handle_claim": "h-1", "email_claim": "e-1"}
OPEN = OpenAccount(**FIELDS, **CLAIMS)  # type: ignore[arg-type]
REQUESTED = events.AccountRequested(**FIELDS, **CLAIMS)  # type: ignore[arg-type]
OPENED = (REQUESTED, events.AccountOpened())
CHANGE = ChangeEmail(email="E2", claim="e-2", at=NOW)
CHANGING = (*OPENED, events.EmailChangeRequested(email="E2", claim="e-2", at=NOW))


def noted(claim: str, *, held: bool = True) -> events.AccountClaimNoted:
    return events.AccountClaimNoted(claim=claim, held=held)


def test_an_account_is_opened_once_both_claims_are_held() -> None:
    given(ACCOUNT).when(OPEN).then(REQUESTED)
    given(ACCOUNT, REQUESTED).when(OPEN).refused(Conflict)
    given(ACCOUNT, REQUESTED).when(NoteClaim(claim="h-1", held=True)).then(noted("h-1"))
    for first, second in (("h-1", "e-1"), ("e-1", "h-1")):
        last = given(ACCOUNT, REQUESTED, noted(first)).when(NoteClaim(claim=second, held=True))
        last.then(noted(second), events.AccountOpened(name="N"))


def test_a_claim_of_another_account_rejects_the_request_with_every_reason() -> None:
    for held, reasons in ((True, ("handle-taken",)), (False, ("handle-taken", "email-taken"))):
        before = given(ACCOUNT, REQUESTED, noted("h-1", held=False))
        answer = events.AccountRejected(reasons=reasons, claims=("h-1", "e-1"))
        before.when(NoteClaim(claim="e-1", held=held)).then(noted("e-1", held=held), answer)


def test_one_claim_that_answers_twice_opens_nothing() -> None:
    given(ACCOUNT, REQUESTED, noted("h-1")).when(NoteClaim(claim="h-1", held=True)).then(noted("h-1"))


def test_a_request_is_rejected_after_30_seconds_and_a_late_claim_changes_nothing() -> None:
    assert ACCOUNT.due is not None
    assert ACCOUNT.due(ACCOUNT.fold([REQUESTED])) == (NOW + timedelta(seconds=30), ExpireRequest())
    rejected = events.AccountRejected(reasons=("timeout",), claims=("h-1", "e-1"))
    given(ACCOUNT, REQUESTED).when(ExpireRequest()).then(rejected)
    given(ACCOUNT, REQUESTED, noted("h-1"), rejected).when(NoteClaim(claim="e-1", held=True)).then(
        noted("e-1")
    )
    given(ACCOUNT, REQUESTED, rejected).when(ExpireRequest()).then()
    given(ACCOUNT, *OPENED).when(ExpireRequest()).then()
    assert ACCOUNT.due(ACCOUNT.fold(OPENED)) is None


def test_what_was_rejected_or_forgotten_keeps_no_personal_text() -> None:
    rejected = events.AccountRejected(reasons=("email-taken",), claims=("h-1", "e-1"))
    assert ACCOUNT.fold([REQUESTED, rejected]) == Account(status="rejected", reasons=("email-taken",))
    forgotten = events.AccountForgotten(claims=("h-1", "e-1"))
    assert ACCOUNT.fold([*OPENED, forgotten]) == Account(status="forgotten", epoch=1)


def test_an_address_is_changed_once_its_claim_is_held() -> None:
    given(ACCOUNT, *OPENED).when(CHANGE).then(CHANGING[-1])
    changed = events.EmailChanged(email="E2", claim="e-2", former="e-1")
    given(ACCOUNT, *CHANGING).when(NoteClaim(claim="e-2", held=True)).then(noted("e-2"), changed)
    refused = events.EmailChangeRejected(claim="e-2", reason="email-taken")
    given(ACCOUNT, *CHANGING).when(NoteClaim(claim="e-2", held=False)).then(noted("e-2", held=False), refused)
    given(ACCOUNT, *CHANGING).when(CHANGE).refused(Conflict, match="earlier change")
    assert ACCOUNT.fold([*CHANGING, noted("e-2"), changed]).claims == ("h-1", "e-2")


def test_the_same_address_in_another_spelling_needs_no_claim() -> None:
    other = events.EmailChanged(email="E3", claim="e-1", former="e-1")
    given(ACCOUNT, *OPENED).when(ChangeEmail(email="E3", claim="e-1", at=NOW)).then(other)
    given(ACCOUNT, *OPENED).when(ChangeEmail(email="E", claim="e-1", at=NOW)).then()


def test_an_address_whose_claim_has_not_answered_in_time_waits_for_that_answer() -> None:
    """Else that answer would look like one to the next change, whose claim another account may get."""
    assert ACCOUNT.due is not None
    assert ACCOUNT.due(ACCOUNT.fold(CHANGING)) == (NOW + timedelta(seconds=30), ExpireRequest())
    late = events.EmailChangeRejected(claim="e-2", reason="timeout")
    given(ACCOUNT, *CHANGING).when(ExpireRequest()).then(late)
    given(ACCOUNT, *CHANGING, late).when(CHANGE).refused(Conflict)
    given(ACCOUNT, *CHANGING, late).when(NoteClaim(claim="e-2", held=True)).then(noted("e-2"))
    given(ACCOUNT, *CHANGING, late, noted("e-2")).when(CHANGE).then(CHANGING[-1])


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (RenameAccount(name="N2"), [events.AccountRenamed(name="N2")]),
        (RenameAccount(name="N"), []),
        (SetAddress(address="A"), [events.AddressSet(address="A")]),
        (SetAddress(), []),
        (SetPassword(password="P2"), [events.PasswordChanged(password="P2"), events.SessionsEnded(epoch=1)]),  # noqa: S106
        (SetPassword(password="P2", same=True), [events.PasswordChanged(password="P2")]),  # noqa: S106
        (JoinGroup(group="admin"), [events.GroupJoined(group="admin")]),
        (JoinGroup(group="reader"), []),
        (LeaveGroup(group="reader"), [events.GroupLeft(group="reader"), events.SessionsEnded(epoch=1)]),
        (LeaveGroup(group="admin"), []),
        (Suspend(), [events.AccountSuspended(), events.SessionsEnded(epoch=1)]),
        (Resume(), []),
        (EndSessions(), [events.SessionsEnded(epoch=1)]),
        (Forget(), [events.AccountForgotten(claims=("h-1", "e-1"))]),
    ],
)
def test_an_open_account_takes_changes(command: Command, expected: list[Event]) -> None:
    given(ACCOUNT, *OPENED).when(command).then(*expected)
    for before in ((), (REQUESTED,), (REQUESTED, events.AccountRejected(reasons=("timeout",), claims=()))):
        given(ACCOUNT, *before).when(command).refused(NotFound)


def test_each_end_of_sessions_has_an_epoch_of_its_own() -> None:
    past = (*OPENED, events.AccountSuspended(), events.SessionsEnded(epoch=1))
    given(ACCOUNT, *past).when(Suspend()).then()
    given(ACCOUNT, *past).when(Resume()).then(events.AccountResumed())
    given(ACCOUNT, *past).when(EndSessions()).then(events.SessionsEnded(epoch=2))


def test_nothing_follows_account_forgotten() -> None:
    past = (*CHANGING, events.AccountForgotten(claims=("h-1", "e-1", "e-2")))
    given(ACCOUNT, *CHANGING).when(Forget()).then(past[-1])
    ignored: list[Command] = [Forget(), NoteClaim(claim="e-2", held=True), ExpireRequest()]
    for command in ignored:
        given(ACCOUNT, *past).when(command).then()
    given(ACCOUNT, *past).when(OPEN).refused(Conflict)
    refused: list[Command] = [RenameAccount(name="X"), EndSessions(), Resume()]
    for command in refused:
        given(ACCOUNT, *past).when(command).refused(NotFound)

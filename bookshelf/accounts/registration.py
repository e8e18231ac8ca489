"""The process of registration: accounts claim their handle and e-mail address, and release them."""

from collections.abc import Iterable

from bookshelf.accounts.account import ACCOUNT, NoteClaim
from bookshelf.accounts.claim import CLAIM, Claim, ReleaseClaim
from bookshelf.accounts.events import (
    EVENTS,
    TOPIC,
    AccountForgotten,
    AccountRejected,
    AccountRequested,
    Claimed,
    ClaimRefused,
    EmailChanged,
    EmailChangeRejected,
    EmailChangeRequested,
)
from bookshelf.cqrs.process import Process, Send, on
from bookshelf.cqrs.view import Recorded


def claim_both(event: AccountRequested, recorded: Recorded) -> Iterable[Send]:
    """Claim the handle and the address of a new account."""
    for claim in (event.handle_claim, event.email_claim):
        yield Send(CLAIM, claim, Claim(account=recorded.subject))


def note_claim(event: Claimed | ClaimRefused, recorded: Recorded) -> Iterable[Send]:
    """Note with the account what its claim has led to."""
    yield Send(ACCOUNT, event.account, NoteClaim(claim=recorded.subject, held=isinstance(event, Claimed)))


def release_all(event: AccountRejected | AccountForgotten, recorded: Recorded) -> Iterable[Send]:
    """Release what the account has claimed."""
    for claim in event.claims:
        yield Send(CLAIM, claim, ReleaseClaim(account=recorded.subject))


def claim_address(event: EmailChangeRequested, recorded: Recorded) -> Iterable[Send]:
    """Claim the new address."""
    yield Send(CLAIM, event.claim, Claim(account=recorded.subject))


def release_former_address(event: EmailChanged, recorded: Recorded) -> Iterable[Send]:
    """Release the address that was changed, unless it is the same one, written in another way."""
    if event.former != event.claim:
        yield Send(CLAIM, event.former, ReleaseClaim(account=recorded.subject))


def release_new_address(event: EmailChangeRejected, recorded: Recorded) -> Iterable[Send]:
    """Release the address that was asked for."""
    yield Send(CLAIM, event.claim, ReleaseClaim(account=recorded.subject))


REGISTRATION = Process(
    name="registration",
    topic=TOPIC,
    catalogue=EVENTS,
    arrows=(
        on(AccountRequested, then=[claim_both]),
        on(Claimed, ClaimRefused, then=[note_claim]),
        on(EmailChangeRequested, then=[claim_address]),
        on(EmailChanged, then=[release_former_address]),
        on(EmailChangeRejected, then=[release_new_address]),  # compensation
        on(AccountRejected, AccountForgotten, then=[release_all]),  # compensation
    ),
)

"""The arrows of registration: claims follow requests, and are released by what ends them."""

from support.fixed_infrastructure import NOW
from support.spec import on_event

from bookshelf.accounts import events
from bookshelf.accounts.account import ACCOUNT, NoteClaim
from bookshelf.accounts.claim import CLAIM, Claim, ReleaseClaim
from bookshelf.accounts.registration import REGISTRATION
from bookshelf.cqrs.process import Send


def claim(subject: str) -> Send:
    return Send(CLAIM, subject, Claim(account="a-1"))


def release(subject: str) -> Send:
    return Send(CLAIM, subject, ReleaseClaim(account="a-1"))


def test_a_request_claims_handle_and_address() -> None:
    requested = events.AccountRequested(
        handle="H",
        name="N",
        email="E",
        password="P",  # noqa: S106 (a sealed text)
        handle_claim="h-1",
        email_claim="e-1",
        groups=(),
        at=NOW,
    )
    on_event(REGISTRATION, requested, subject="a-1").sends(claim("h-1"), claim("e-1"))


def test_the_answer_of_a_claim_goes_to_the_account_that_asked() -> None:
    for event, held in ((events.Claimed(account="a-1"), True), (events.ClaimRefused(account="a-1"), False)):
        noted = Send(ACCOUNT, "a-1", NoteClaim(claim="h-1", held=held))
        on_event(REGISTRATION, event, subject="h-1").sends(noted)
    on_event(REGISTRATION, events.ClaimReleased(account="a-1"), subject="h-1").sends()


def test_a_change_of_the_address_claims_the_new_one_and_releases_what_is_not_kept() -> None:
    asked = events.EmailChangeRequested(email="E", claim="e-2", at=NOW)
    on_event(REGISTRATION, asked, subject="a-1").sends(claim("e-2"))
    changed = events.EmailChanged(email="E", claim="e-2", former="e-1")
    on_event(REGISTRATION, changed, subject="a-1").sends(release("e-1"))
    same = events.EmailChanged(email="E", claim="e-1", former="e-1")
    on_event(REGISTRATION, same, subject="a-1").sends()
    rejected = events.EmailChangeRejected(claim="e-2", reason="email-taken")
    on_event(REGISTRATION, rejected, subject="a-1").sends(release("e-2"))


def test_a_rejected_or_forgotten_account_releases_every_claim() -> None:
    claims = ("h-1", "e-1", "e-2")
    for event in (
        events.AccountRejected(reasons=("timeout",), claims=claims),
        events.AccountForgotten(claims=claims),
    ):
        on_event(REGISTRATION, event, subject="a-1").sends(*map(release, claims))

"""A claim has one holder, and each request for it gets an answer."""

from support.spec import given

from bookshelf.accounts.claim import CLAIM, Claim, ReleaseClaim
from bookshelf.accounts.events import Claimed, ClaimRefused, ClaimReleased

HELD = Claimed(account="a-1")


def test_one_account_holds_a_claim() -> None:
    given(CLAIM).when(Claim(account="a-1")).then(HELD)
    given(CLAIM, HELD).when(Claim(account="a-1")).then(HELD)
    given(CLAIM, HELD).when(Claim(account="a-2")).then(ClaimRefused(account="a-2"))
    given(CLAIM, HELD, ClaimRefused(account="a-2")).when(Claim(account="a-3")).then(
        ClaimRefused(account="a-3")
    )


def test_only_the_holder_releases_a_claim() -> None:
    given(CLAIM, HELD).when(ReleaseClaim(account="a-2")).then()
    given(CLAIM, HELD).when(ReleaseClaim(account="a-1")).then(ClaimReleased(account="a-1"))
    given(CLAIM).when(ReleaseClaim(account="a-1")).then()
    given(CLAIM, HELD, ClaimReleased(account="a-1")).when(Claim(account="a-2")).then(Claimed(account="a-2"))

"""Sessions: their refresh token rotates in one chain, and an ended session stays ended."""

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st
from support.fixed_infrastructure import NOW
from support.spec import given

from bookshelf.accounts.events import SessionEnded, SessionOpened, SessionRotated, SessionUsed
from bookshelf.accounts.session import SESSION, EndSession, OpenSession, RotateRefresh, Session, UseSession
from bookshelf.cqrs.errors import Conflict, NotFound

if TYPE_CHECKING:
    from bookshelf.cqrs.message import Event

TOKEN, HOUR = timedelta(seconds=600), timedelta(hours=1)
OPEN = OpenSession(
    account="a-1",
    epoch=2,
    browser=False,
    at=NOW,
    until=NOW + TOKEN,
    ends=NOW + 12 * HOUR,
    idle_s=3600,
    client="c",
    program="P",
    network="N",
)
OPENED = SessionOpened(**msgspec.structs.asdict(OPEN))
REUSED = SessionEnded(account="a-1", reason="reuse")


def rotate(n: int, client: str = "c", after_s: float = 0) -> RotateRefresh:
    at = NOW + timedelta(seconds=after_s)
    return RotateRefresh(n=n, client=client, at=at, until=at + TOKEN)


def rotated(n: int, client: str = "c", after_s: float = 0) -> SessionRotated:
    at = NOW + timedelta(seconds=after_s)
    return SessionRotated(n=n, client=client, at=at, until=at + TOKEN)


def test_a_session_is_opened_once() -> None:
    given(SESSION).when(OPEN).then(OPENED)
    given(SESSION, OPENED).when(OPEN).refused(Conflict)
    assert SESSION.fold([OPENED]).is_open


def test_the_present_token_is_answered_with_the_next_from_any_client() -> None:
    given(SESSION, OPENED).when(rotate(0)).then(rotated(1))
    given(SESSION, OPENED, rotated(1)).when(rotate(1, "elsewhere", 3600)).then(rotated(2, "elsewhere", 3600))


def test_the_former_token_is_answered_again_for_10_seconds_from_the_same_client() -> None:
    past = given(SESSION, OPENED, rotated(1), rotated(2, after_s=60))
    past.when(rotate(1, after_s=70)).then()
    past.when(rotate(1, after_s=70.001)).then(REUSED)
    past.when(rotate(1, "elsewhere", 61)).then(REUSED)
    past.when(rotate(0, after_s=61)).then(REUSED)
    past.when(rotate(3, after_s=61)).then(REUSED)
    given(SESSION, OPENED).when(rotate(-1)).then(REUSED)


def test_an_ended_session_stays_ended() -> None:
    signed_out = SessionEnded(account="a-1", reason="signed-out")
    given(SESSION, OPENED).when(EndSession(reason="signed-out")).then(signed_out)
    given(SESSION, OPENED, signed_out).when(EndSession(reason="idle")).then()
    for command in (rotate(0), UseSession(at=NOW, until=NOW)):
        given(SESSION, OPENED, signed_out).when(command).refused(NotFound)
        given(SESSION).when(command).refused(NotFound)


def test_a_session_ends_by_itself_when_idle_or_at_its_end() -> None:
    assert SESSION.due is not None
    assert SESSION.due(SESSION.fold([OPENED])) == (NOW + TOKEN + HOUR, EndSession(reason="idle"))
    given(SESSION, OPENED).when(UseSession(at=NOW, until=NOW + 2 * HOUR)).then(
        SessionUsed(at=NOW, until=NOW + 2 * HOUR)
    )
    used = SESSION.fold([OPENED, SessionUsed(at=NOW, until=NOW + 2 * HOUR)])
    assert SESSION.due(used) == (NOW + 3 * HOUR, EndSession(reason="idle"))
    late = SESSION.fold([OPENED, rotated(1, after_s=12 * 3600)])
    assert SESSION.due(late) == (NOW + 12 * HOUR, EndSession(reason="expired"))
    assert SESSION.due(SESSION.fold([OPENED, REUSED])) is None
    assert SESSION.due(Session()) is None


#: Which of the tokens that were given out so far is used, by which client, and how much later.
USES = st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["c", "thief"]), st.floats(0, 15)), max_size=30)


@settings(max_examples=100, deadline=None)
@examples(USES)
def test_a_chain_of_refresh_tokens_never_forks(uses: list[tuple[int, str, float]]) -> None:
    """Law 11: whatever is used, each token has one successor, and an older token ends the session."""
    past: list[Event] = [OPENED]
    given_out = [0]
    successors: dict[int, int] = {}
    now_s = 0.0
    for which, client, later_s in uses:
        n, now_s = given_out[which % len(given_out)], now_s + later_s
        before = SESSION.fold(past)
        try:
            past += SESSION.decide(before, rotate(n, client, now_s))
        except NotFound:
            assert not before.is_open
            continue
        after = SESSION.fold(past)
        if after.ended:
            assert n < before.n
            continue
        assert successors.setdefault(n, after.n) == after.n == n + 1
        given_out.append(after.n)


@settings(max_examples=50, deadline=None)
@examples(st.floats(0, 10), st.integers(1, 5))
def test_racing_refreshes_of_one_client_all_succeed(apart_s: float, tabs: int) -> None:
    past: list[Event] = [OPENED]
    for tab in range(tabs + 1):
        past += SESSION.decide(SESSION.fold(past), rotate(0, "c", apart_s * tab / tabs))
        assert SESSION.fold(past).is_open
        assert SESSION.fold(past).n == 1

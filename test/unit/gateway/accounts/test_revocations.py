"""Revocations: which identities they cover, how long they are kept, and what is withheld without answers."""

import asyncio

import pytest
from structlog.testing import capture_logs

from bookshelf.http.message import request
from bookshelf.http.problem import Problem
from gateway.accounts.revocations import KEPT_S, RevocationFollower, RevocationMetrics, Revocations
from gateway.accounts.users_client import Revoked, UsersFault
from gateway.auth import Identity, Requirement, TokenGuard, Verifier

STAFF = Identity("a-1", frozenset({"read", "accounts:admin", "shop:manage"}), "s-1")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def revocations(clock: Clock) -> Revocations:
    return Revocations(clock)


def test_a_session_and_the_epochs_of_an_account_are_covered(revocations: Revocations) -> None:
    revocations.note(["s-1"], [("a-2", 3)])
    covered = [Identity("a-1", session="s-1"), Identity("a-2", session="s-2", epoch=2)]
    valid = [Identity("a-1", session="s-3"), Identity("a-2", epoch=3), Identity("s-1"), Identity("a-3")]
    assert [revocations.covers(identity) for identity in (*covered, *valid)] == [True] * 2 + [False] * 4


def test_an_epoch_never_goes_back(revocations: Revocations) -> None:
    assert revocations.note([], [("a-1", 3)]) == ["a-1"]
    assert revocations.note([], [("a-1", 2)]) == []
    assert revocations.covers(Identity("a-1", epoch=2))


def test_revocations_are_kept_while_tokens_live(revocations: Revocations, clock: Clock) -> None:
    revocations.note(["s-1"], [("a-1", 1)])
    clock.now += 3600
    revocations.note(["s-2"], [])
    assert revocations.covers(Identity("a-9", session="s-1"))
    clock.now += KEPT_S - 3600 + 1
    revocations.note([], [])
    left = [Identity("a-9", session="s-1"), Identity("a-1"), Identity("a-9", session="s-2")]
    assert [revocations.covers(identity) for identity in left] == [False, False, True]


def test_the_scopes_of_staff_are_withheld_after_60_s_without_an_answer(
    revocations: Revocations, clock: Clock
) -> None:
    reader = Identity("a-1", frozenset({"read"}))
    clock.now += 60
    assert revocations.limit(STAFF) == STAFF
    clock.now += 1
    limited = revocations.limit(STAFF)
    assert limited.scopes == {"read"}
    assert limited.withheld == {"accounts:admin", "shop:manage"}
    assert revocations.limit(reader) == reader
    [metric] = RevocationMetrics(revocations).collect()
    assert (metric.name, metric.samples[0].value) == ("bookshelf_gateway_revocations_age_seconds", 61.0)
    revocations.note([], [])
    assert revocations.limit(STAFF) == STAFF


async def test_a_route_that_needs_a_withheld_scope_is_503(revocations: Revocations, clock: Clock) -> None:
    class Staff(Verifier):
        def verify(self, _token: str) -> Identity:
            return revocations.limit(STAFF)

        async def renewed(self) -> bool:
            return False

    clock.now += 61
    asked = request("GET", "/x", b"", Authorization="Bearer x")
    guard = TokenGuard(Staff())
    await guard.authorize(asked, Requirement(frozenset({"read"})))
    assert asked.scopes == {"read"}
    for scopes, kind in (("accounts:admin", "unavailable"), ("write", "forbidden")):
        with pytest.raises(Problem) as refused:
            await guard.authorize(asked, Requirement(frozenset({scopes})))
        assert refused.value.kind == kind


class Users:
    """Answers polls as the test lists them: revoked sessions, or a fault; then the clock goes on."""

    def __init__(self, clock: Clock, *answers: str | None, is_there: bool = True) -> None:
        self.is_there = is_there
        self.asked: list[str | None] = []
        self.ended: list[str] = []
        self._answers = list(answers)
        self._clock = clock

    async def revocations(self, after: str | None) -> Revoked:
        self.asked.append(after)
        if not self._answers:
            raise asyncio.CancelledError
        answer = self._answers.pop(0)
        self._clock.now += 40
        if answer is None:
            raise UsersFault("no instance of users is ready")
        return Revoked(f"0@{len(self.asked)}", [answer] if answer else [], {})


async def follow(users: Users, revocations: Revocations) -> list[str]:
    async def pause(_seconds: float) -> None:
        pass

    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await RevocationFollower(users, revocations, users.ended.extend, pause).run()  # type: ignore[arg-type]
    return [entry["event"] for entry in logs]


async def test_each_answer_is_followed_by_a_poll_from_there(clock: Clock, revocations: Revocations) -> None:
    users = Users(clock, "", "s-1", "s-1")
    assert await follow(users, revocations) == []
    assert (users.asked, users.ended) == ([None, "0@1", "0@2", "0@3"], ["s-1"])
    assert revocations.covers(Identity("a", session="s-1"))


async def test_after_a_fault_everything_is_asked_again_and_60_s_of_faults_are_reported_once(
    clock: Clock, revocations: Revocations
) -> None:
    users = Users(clock, "s-1", None, None, None, "", None)
    assert await follow(users, revocations) == ["revocations-unknown", "revocations-known-again"]
    assert users.asked == [None, "0@1", None, None, None, "0@5", None]
    assert revocations.covers(Identity("a", session="s-1"))


async def test_a_gateway_that_never_had_the_service_withholds_nothing(
    clock: Clock, revocations: Revocations
) -> None:
    assert await follow(Users(clock, None, None, None, is_there=False), revocations) == []
    assert not revocations.is_blind

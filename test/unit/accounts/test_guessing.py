"""Failed sign-ins are counted so that guessing ends, and the account's own devices still sign in."""

from typing import Any

import pytest

from bookshelf.accounts.handlers.guessing import (
    ACCOUNT_MAX,
    NETWORK_MAX,
    PAIR_MAX,
    WINDOW_S,
    GuessLimits,
    MemoryCounters,
    RedisCounters,
    SignInAttempt,
)


class Seconds:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def limits(seconds: Seconds) -> GuessLimits:
    return GuessLimits(MemoryCounters(seconds))


async def fail(limits: GuessLimits, attempt: SignInAttempt, times: int) -> None:
    for _ in range(times):
        await limits.note_failure(attempt)


async def test_ten_failures_lock_an_account_for_one_network_and_15_minutes(
    limits: GuessLimits, seconds: Seconds
) -> None:
    here, elsewhere = SignInAttempt("a-1", "10.0.0.1"), SignInAttempt("a-1", "10.0.0.2")
    await fail(limits, here, PAIR_MAX - 1)
    assert not await limits.is_locked(here)
    await fail(limits, here, 1)
    assert await limits.is_locked(here)
    assert not await limits.is_locked(elsewhere)
    assert not await limits.is_locked(SignInAttempt("a-2", "10.0.0.1"))
    seconds.now = WINDOW_S
    assert not await limits.is_locked(here)


async def test_a_network_that_fails_too_often_is_blocked(limits: GuessLimits) -> None:
    for number in range(NETWORK_MAX):
        assert not await limits.is_network_blocked("10.0.0.1")
        await fail(limits, SignInAttempt(f"a-{number}", "10.0.0.1"), 1)
    assert await limits.is_network_blocked("10.0.0.1")
    assert not await limits.is_network_blocked("10.0.0.2")


async def test_many_networks_lock_an_account_but_not_for_its_own_device(limits: GuessLimits) -> None:
    for number in range(ACCOUNT_MAX):
        await fail(limits, SignInAttempt("a-1", f"10.0.1.{number}"), 1)
    assert await limits.is_locked(SignInAttempt("a-1", "10.0.0.1"))
    own = SignInAttempt("a-1", "10.0.0.1", "device")
    assert not await limits.is_locked(own)
    await fail(limits, own, PAIR_MAX)
    assert await limits.is_locked(own)
    assert not await limits.is_locked(SignInAttempt("a-1", "10.0.0.1", "another"))


async def test_a_network_registers_20_accounts_an_hour(limits: GuessLimits, seconds: Seconds) -> None:
    assert [await limits.may_register("10.0.0.1") for _ in range(21)] == [True] * 20 + [False]
    assert await limits.may_register("10.0.0.2")
    seconds.now = 3600
    assert await limits.may_register("10.0.0.1")


async def test_counters_in_redis_that_cannot_be_reached_are_those_of_the_process() -> None:
    class Unreachable:
        def pipeline(self, **_: object) -> Any:  # noqa: ANN401 (as redis-py has it)
            raise ConnectionError("refused")

        async def get(self, _key: str) -> None:
            raise ConnectionError("refused")

    counters = RedisCounters(Unreachable())
    assert [await counters.add("a", 60) for _ in range(3)] == [1, 2, 3]
    assert await counters.get("a") == 3

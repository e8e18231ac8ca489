"""A breaker: opens after failures in a row, and is closed again by one trial."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bookshelf.circuit_breaker import BreakerLimits, CircuitBreaker

FUSE = BreakerLimits(failures=3, first_s=1.0, longest_s=4.0)


def opened(at: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker(FUSE)
    breaker.trip(at)
    return breaker


def test_a_breaker_opens_at_the_configured_number_of_consecutive_failures() -> None:
    breaker = CircuitBreaker(FUSE)
    for failed in (True, True, False, True, True):
        breaker.failed(0.0) if failed else breaker.succeeded()
    assert breaker.state(0.0) == "closed"
    breaker.failed(0.0)
    assert (breaker.state(0.0), breaker.allows(0.9)) == ("open", False)


def test_after_its_time_a_breaker_admits_exactly_one_trial() -> None:
    breaker = opened()
    assert breaker.allows(1.0)
    assert breaker.enter(1.0)
    assert breaker.state(1.0) == "half-open"
    assert not breaker.allows(100.0)
    assert not breaker.enter(100.0)


def test_a_successful_trial_closes_the_breaker() -> None:
    breaker = opened()
    breaker.succeeded(trial=breaker.enter(1.0))
    assert (breaker.closed, breaker.allows(1.0)) == (True, True)


def test_each_failed_trial_doubles_the_wait_up_to_the_maximum() -> None:
    breaker, now, waits = opened(), 1.0, []
    for _ in range(4):
        breaker.failed(now, trial=breaker.enter(now))
        waits.append(next(s for s in range(1, 100) if breaker.allows(now + s)))
        now += waits[-1]
    assert waits == [2, 4, 4, 4]


def test_after_closing_the_first_wait_is_short_again() -> None:
    breaker = opened()
    breaker.failed(1.0, trial=breaker.enter(1.0))
    breaker.succeeded(trial=breaker.enter(3.0))
    breaker.trip(3.0)
    assert (breaker.allows(3.9), breaker.allows(4.0)) == (False, True)


def test_an_abandoned_trial_is_followed_by_another_trial() -> None:
    breaker = opened()
    breaker.left(trial=breaker.enter(1.0))
    assert breaker.enter(1.0)


def test_requests_admitted_before_opening_do_not_change_an_open_breaker() -> None:
    breaker = opened()
    breaker.succeeded()
    breaker.failed(0.5)
    breaker.left()
    assert (breaker.state(0.9), breaker.state(1.0)) == ("open", "half-open")


@given(st.lists(st.booleans()))
def test_a_breaker_is_open_exactly_after_the_configured_consecutive_failures(failures: list[bool]) -> None:
    breaker, row, expected = CircuitBreaker(FUSE), 0, False
    for failed in failures:
        breaker.failed(0.0) if failed else breaker.succeeded()
        row = row + 1 if failed else 0
        expected = expected or row == FUSE.failures
    assert breaker.closed is not expected


class Machine(RuleBasedStateMachine):
    """Requests that come, go well, fail and are given up in any order, while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = CircuitBreaker(FUSE)
        self.now = 0.0
        self.inside: list[bool] = []

    @rule(seconds=st.floats(0, 5))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.breaker.allows(self.now))
    @rule()
    def one_comes(self) -> None:
        self.inside.append(self.breaker.enter(self.now))

    @precondition(lambda self: self.inside)
    @rule(data=st.data(), how=st.sampled_from(["succeeded", "failed", "left"]))
    def one_ends(self, data: st.DataObject, how: str) -> None:
        trial = self.inside.pop(data.draw(st.integers(0, len(self.inside) - 1)))
        if how == "succeeded":
            self.breaker.succeeded(trial=trial)
        elif how == "failed":
            self.breaker.failed(self.now, trial=trial)
        else:
            self.breaker.left(trial=trial)

    @invariant()
    def at_most_one_trial_is_under_way(self) -> None:
        assert sum(self.inside) <= 1

    @invariant()
    def no_one_is_let_in_beside_a_trial(self) -> None:
        assert not (any(self.inside) and self.breaker.allows(self.now))

    @invariant()
    def it_never_stays_shut_for_ever(self) -> None:
        assert any(self.inside) or self.breaker.allows(self.now + FUSE.longest_s)


TestMachine = Machine.TestCase

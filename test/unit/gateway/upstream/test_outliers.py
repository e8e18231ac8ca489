"""Outliers: who answers badly or slowly is ejected, and brought back by one probe."""

from support.endpoints import TOUCHY, endpoint, timed

from gateway.upstream.endpoint import UpstreamEndpoint
from gateway.upstream.outliers import OutlierDetection


def judged(
    one: UpstreamEndpoint, *peers: UpstreamEndpoint, bad: bool = False, trial: bool = False, now: float = 0.0
) -> OutlierDetection:
    outliers = OutlierDetection(TOUCHY)
    outliers.answered(one, now, bad=bad, trial=trial, peers=[one, *peers])
    return outliers


def test_bad_answers_in_a_row_eject() -> None:
    one = endpoint("a")
    judged(one, bad=True)
    judged(one)
    judged(one, bad=True)
    assert one.ejection.closed
    assert judged(one, bad=True).ejected == 1
    assert not one.ejection.closed


def test_who_takes_many_times_what_the_others_take_is_ejected() -> None:
    one = timed("a", 0.5)
    judged(one, timed("b", 0.1), timed("c", 0.12))
    assert (one.ejection.closed, one.samples) == (False, 0)


def test_who_is_slow_like_everyone_is_not() -> None:
    one = timed("a", 0.5)
    judged(one, timed("b", 0.4), timed("c", 0.01), timed("d", 0.6))
    assert one.ejection.closed


def test_who_is_fast_enough_in_itself_is_not() -> None:
    one = timed("a", 0.09)
    judged(one, timed("b", 0.001))
    assert one.ejection.closed


def test_a_few_slow_answers_prove_nothing() -> None:
    one = timed("a", 5.0, samples=4)
    judged(one, timed("b", 0.1))
    assert one.ejection.closed


def test_nobody_is_measured_against_who_is_ejected_or_new() -> None:
    one, ejected = timed("a", 0.5), timed("b", 0.01)
    ejected.ejection.trip(0.0)
    judged(one, ejected, timed("c", 0.01, samples=1))
    assert one.ejection.closed


def test_a_probe_that_goes_well_brings_back() -> None:
    one = endpoint("a")
    one.ejection.trip(0.0)
    one.took(0.01)
    judged(one, timed("b", 0.1), trial=one.ejection.enter(1.0), now=1.0)
    assert one.ejection.closed


def test_a_probe_that_is_slow_again_does_not() -> None:
    one = endpoint("a")
    one.ejection.trip(0.0)
    one.took(0.5)
    judged(one, timed("b", 0.1), trial=one.ejection.enter(1.0), now=1.0)
    assert (one.ejection.closed, one.ejection.allows(2.9), one.samples) == (False, False, 0)


def test_what_an_ejected_one_answers_beside_the_probe_says_nothing() -> None:
    one = endpoint("a")
    one.ejection.trip(0.0)
    judged(one, timed("b", 0.1), now=0.5)
    assert not one.ejection.closed

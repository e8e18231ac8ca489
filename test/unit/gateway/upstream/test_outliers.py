"""Outlier detection: an endpoint that answers badly or slowly is ejected, and readmitted by one probe."""

from support.endpoints import TOUCHY, endpoint, timed

from gateway.upstream.endpoint import UpstreamEndpoint
from gateway.upstream.pool import OutlierDetection


def judged(
    one: UpstreamEndpoint, *peers: UpstreamEndpoint, bad: bool = False, trial: bool = False, now: float = 0.0
) -> OutlierDetection:
    outliers = OutlierDetection(TOUCHY)
    outliers.answered(one, now, bad=bad, trial=trial, peers=[one, *peers])
    return outliers


def test_consecutive_bad_responses_eject_an_upstream_endpoint() -> None:
    one = endpoint("a")
    judged(one, bad=True)
    judged(one)
    judged(one, bad=True)
    assert one.ejection.closed
    assert judged(one, bad=True).ejected == 1
    assert not one.ejection.closed


def test_an_upstream_endpoint_many_times_slower_than_the_others_is_ejected() -> None:
    one = timed("a", 0.5)
    judged(one, timed("b", 0.1), timed("c", 0.12))
    assert (one.ejection.closed, one.samples) == (False, 0)


def test_an_upstream_endpoint_as_slow_as_the_others_is_not_ejected() -> None:
    one = timed("a", 0.5)
    judged(one, timed("b", 0.4), timed("c", 0.01), timed("d", 0.6))
    assert one.ejection.closed


def test_an_upstream_endpoint_below_the_absolute_limit_is_not_ejected() -> None:
    one = timed("a", 0.09)
    judged(one, timed("b", 0.001))
    assert one.ejection.closed


def test_a_few_slow_responses_do_not_eject() -> None:
    one = timed("a", 5.0, samples=4)
    judged(one, timed("b", 0.1))
    assert one.ejection.closed


def test_ejected_and_new_endpoints_are_not_part_of_the_comparison() -> None:
    one, ejected = timed("a", 0.5), timed("b", 0.01)
    ejected.ejection.trip(0.0)
    judged(one, ejected, timed("c", 0.01, samples=1))
    assert one.ejection.closed


def test_a_successful_probe_readmits_the_endpoint() -> None:
    one = endpoint("a")
    one.ejection.trip(0.0)
    one.took(0.01)
    judged(one, timed("b", 0.1), trial=one.ejection.enter(1.0), now=1.0)
    assert one.ejection.closed


def test_a_slow_probe_does_not_readmit_the_endpoint() -> None:
    one = endpoint("a")
    one.ejection.trip(0.0)
    one.took(0.5)
    judged(one, timed("b", 0.1), trial=one.ejection.enter(1.0), now=1.0)
    assert (one.ejection.closed, one.ejection.allows(2.9), one.samples) == (False, False, 0)


def test_other_responses_of_an_ejected_endpoint_are_ignored() -> None:
    one = endpoint("a")
    one.ejection.trip(0.0)
    judged(one, timed("b", 0.1), now=0.5)
    assert not one.ejection.closed

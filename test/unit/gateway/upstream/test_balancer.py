"""The choice of an upstream endpoint: the owner first, else the less busy of two; open breakers never."""

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from support.endpoints import endpoint

from gateway.upstream.endpoint import UpstreamEndpoint
from gateway.upstream.pool import Balancer


def balancer() -> Balancer:
    return Balancer(Random(1).random)  # noqa: S311 (the same each time)


def named(one: UpstreamEndpoint | None) -> str | None:
    return None if one is None else one.instance.id


def test_of_two_endpoints_the_less_busy_is_chosen() -> None:
    both = [endpoint("a", 3), endpoint("b", 2)]
    assert {named(balancer().choose(both, 0.0)) for _ in range(20)} == {"b"}


def test_equally_busy_endpoints_are_chosen_equally_often() -> None:
    chooser = balancer()
    found = Counter(named(chooser.choose([endpoint(name) for name in "abcd"], 0.0)) for _ in range(4000))
    assert set(found) == set("abcd")
    assert min(found.values()) > 900


def test_the_busiest_endpoint_is_never_chosen() -> None:
    chooser, three = balancer(), [endpoint("a", 1), endpoint("b", 9), endpoint("c", 2)]
    assert "b" not in {named(chooser.choose(three, 0.0)) for _ in range(200)}


def test_without_endpoints_none_is_chosen() -> None:
    assert balancer().choose([], 0.0) is None


def test_the_owner_is_chosen_first_even_if_it_is_busy() -> None:
    owner = endpoint("owner", 50)
    assert balancer().choose([endpoint("a"), owner], 0.0, (), owner) is owner


def test_an_owner_that_was_tried_or_has_an_open_breaker_is_not_chosen() -> None:
    owner, other = endpoint("owner"), endpoint("other")
    assert balancer().choose([owner, other], 0.0, [owner], owner) is other
    owner.breaker.trip(0.0)
    assert balancer().choose([owner, other], 0.0, (), owner) is other


def test_an_endpoint_that_was_tried_is_not_chosen_again() -> None:
    one, two = endpoint("a"), endpoint("b")
    assert balancer().choose([one, two], 0.0, [one]) is two
    assert balancer().choose([one, two], 0.0, [one, two]) is None


def test_when_all_endpoints_are_ejected_all_are_chosen() -> None:
    both = [endpoint("a"), endpoint("b")]
    for one in both:
        one.ejection.trip(0.0)
    chooser = balancer()
    assert {named(chooser.choose(both, 0.5)) for _ in range(50)} == {"a", "b"}


def test_a_half_open_endpoint_gets_exactly_one_trial() -> None:
    one = endpoint("a")
    one.breaker.trip(0.0)
    assert balancer().choose([one], 0.9) is None
    assert balancer().choose([one], 1.0) is one
    assert one.breaker.enter(1.0)
    assert balancer().choose([one], 1.0) is None


states = st.lists(
    st.tuples(st.integers(0, 5), st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=6
)


@given(states, st.randoms())
def test_the_chosen_endpoint_is_allowed_and_of_the_best_kind(
    given_states: list[tuple[int, bool, bool, bool]], random: Random
) -> None:
    everyone, tried = [], []
    for number, (busy, broken, ejected, was_tried) in enumerate(given_states):
        one = endpoint(str(number), busy)
        if broken:
            one.breaker.trip(0.0)
        if ejected:
            one.ejection.trip(0.0)
        if was_tried:
            tried.append(one)
        everyone.append(one)
    chosen = Balancer(random.random).choose(everyone, 0.5, tried)
    may = [one for one in everyone if one not in tried and one.breaker.closed]
    assert (chosen is None) is (not may)
    if chosen is not None:
        assert chosen in may
        assert chosen.ejection.closed or not any(one.ejection.closed for one in may)

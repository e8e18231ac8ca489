"""Admissions: signed names of gates, which count for a time."""

from hypothesis import given
from hypothesis import strategies as st

from bookshelf.runtime.agent.gate import Admissions, Gate, admissions_now


class Moment:
    """The time, which a test sets."""

    seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_list_has_the_names_that_were_added() -> None:
    admissions = Admissions(b"key")
    chain = admissions.add(admissions.add("", "gateway"), "booklist")
    assert admissions.names(chain) == {"gateway", "booklist"}
    assert Admissions(b"other").names(chain) == frozenset()


def test_an_old_admission_does_not_count() -> None:
    now = Moment()
    admissions = Admissions(b"key", now)
    chain = admissions.add("", "gateway")
    now.seconds += 180
    assert admissions.names(chain) == {"gateway"}
    now.seconds += 1
    assert admissions.names(chain) == frozenset()
    assert admissions.add("", "gateway") != chain


@given(st.text(max_size=300))
def test_any_other_text_has_no_names(text: str) -> None:
    assert Admissions(b"key").names(text) == frozenset()


def test_names_beyond_the_eighth_do_not_count() -> None:
    admissions, chain = Admissions(b"key"), ""
    for number in range(10):
        chain = admissions.add(chain, f"s{number}")
    assert admissions.names(chain) == {f"s{number}" for number in range(8)}


def test_a_node_that_joins_admits_nothing() -> None:
    admissions = Admissions(b"key")
    gate = Gate("books", admissions)
    gate.pause("", None)
    assert not gate.admits(admissions.add("", "gateway"))


def test_calls_carry_admissions_only_while_a_gate_may_be_paused() -> None:
    admissions = Admissions(b"key")
    gate = Gate("books", admissions)
    with gate.counted("GET /books", ""):
        assert admissions.names(admissions_now()) == {"books"}
        admissions.is_needed = lambda: False
        assert not admissions_now()
        admissions.is_needed = lambda: True  # a rollout opens while the request is in progress
        assert admissions.names(admissions_now()) == {"books"}
    assert not admissions_now()

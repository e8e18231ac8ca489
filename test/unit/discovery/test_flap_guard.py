from bookshelf.discovery.consul.discovery import CatalogSnapshot, FlapGuard
from bookshelf.discovery.port import Instance

GRACE_S = 5.0


def instances(names: str) -> tuple[Instance, ...]:
    return tuple(
        Instance(id=name, service="newbook", tags=("books",), address="127.0.0.1", port=8081)
        for name in names
    )


class Heard:
    """A flap guard with an answer each second; the letters of an answer are its ready instances."""

    def __init__(self) -> None:
        self.guard = FlapGuard(GRACE_S)

    def hear(self, ready: str, at: float, confessed: str = "", *, doubtful: bool = False) -> str:
        self.guard.apply(CatalogSnapshot(instances(ready), frozenset(confessed), doubtful), at)
        return self.at(at)

    def at(self, now: float) -> str:
        """The letters of the instances in the snapshot, with a question mark if it is stale."""
        snapshot = self.guard.snapshot(now)
        return "".join(one.id for one in snapshot.instances) + ("?" if snapshot.stale else "")


def test_new_ready_instances_are_accepted() -> None:
    assert Heard().hear("ba", at=0) == "ab"


def test_an_instance_missing_from_a_list_of_others_is_removed() -> None:
    answered = Heard()
    answered.hear("abc", at=0)
    assert answered.hear("ac", at=1) == "ac"


def test_an_empty_list_is_accepted_after_the_grace_period() -> None:
    answered = Heard()
    answered.hear("ab", at=0)
    assert answered.hear("", at=1) == "ab?"
    assert answered.hear("", at=5.9) == "ab?"
    assert answered.at(6) == ""
    assert answered.hear("", at=7) == ""


def test_a_self_reported_fault_is_accepted_at_once() -> None:
    answered = Heard()
    answered.hear("ab", at=0)
    assert answered.hear("", at=1, confessed="a") == "b?"
    assert answered.hear("", at=2, confessed="ab") == ""


def test_after_a_suspect_answer_missing_instances_are_kept_until_they_return() -> None:
    answered = Heard()
    answered.hear("abc", at=0)
    assert answered.hear("", at=1, doubtful=True) == "abc?"
    assert answered.hear("b", at=2) == "abc?"
    assert answered.hear("bc", at=3) == "abc?"
    assert answered.hear("abc", at=4) == "abc"


def test_a_kept_instance_that_does_not_return_is_removed() -> None:
    answered = Heard()
    answered.hear("abc", at=0)
    answered.hear("b", at=1, doubtful=True)
    assert answered.at(5.9) == "abc?"
    assert answered.at(6) == "b"


def test_repeated_suspect_answers_do_not_extend_the_grace_period() -> None:
    answered = Heard()
    answered.hear("ab", at=0)
    for second in range(1, 6):
        assert answered.hear("", at=second, doubtful=True) == "ab?"
    assert answered.hear("", at=6, doubtful=True) == ""


def test_an_instance_kept_during_an_outage_gets_a_new_grace_period_after_it() -> None:
    answered = Heard()
    answered.hear("ab", at=0)
    assert answered.hear("a", at=1, doubtful=True) == "ab?"
    answered.guard.lost()
    assert answered.hear("a", at=60, doubtful=True) == "ab?"
    assert answered.hear("a", at=64.9) == "ab?"
    assert answered.hear("a", at=65) == "a"


def test_an_instance_that_returned_can_be_kept_again() -> None:
    answered = Heard()
    answered.hear("a", at=0)
    answered.hear("", at=1)
    answered.hear("a", at=5)
    assert answered.hear("", at=7) == "a?"
    assert answered.at(11) == "a?"
    assert answered.at(12) == ""


def test_this_process_s_own_registrations_take_precedence() -> None:
    answered = Heard()
    answered.hear("ab", at=0)
    answered.guard.deny("a")
    assert answered.at(0) == "b"
    assert answered.hear("ab", at=1) == "b"
    assert answered.hear("", at=2) == "b?"
    answered.guard.allow("a")
    assert answered.hear("ab", at=3) == "ab"


def test_the_next_expiry_is_known_while_an_instance_is_kept() -> None:
    answered = Heard()
    answered.hear("ab", at=0)
    assert answered.guard.next_end(0) is None
    answered.hear("a", at=1, doubtful=True)
    answered.hear("", at=2)
    assert answered.guard.next_end(2) == 6
    assert answered.guard.next_end(6) == 7
    assert answered.guard.next_end(7) is None

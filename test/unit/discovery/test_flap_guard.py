from bookshelf.discovery.consul.flap_guard import CatalogSnapshot, FlapGuard
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
        self.belief = FlapGuard(GRACE_S)

    def hear(self, ready: str, at: float, confessed: str = "", *, doubtful: bool = False) -> str:
        self.belief.apply(CatalogSnapshot(instances(ready), frozenset(confessed), doubtful), at)
        return self.at(at)

    def at(self, now: float) -> str:
        """The letters of the instances in the snapshot, with a question mark if it is stale."""
        snapshot = self.belief.snapshot(now)
        return "".join(one.id for one in snapshot.instances) + ("?" if snapshot.stale else "")


def test_new_ready_instances_are_accepted() -> None:
    assert Heard().hear("ba", at=0) == "ab"


def test_an_instance_missing_from_a_list_of_others_is_removed() -> None:
    heard = Heard()
    heard.hear("abc", at=0)
    assert heard.hear("ac", at=1) == "ac"


def test_an_empty_list_is_accepted_after_the_grace_period() -> None:
    heard = Heard()
    heard.hear("ab", at=0)
    assert heard.hear("", at=1) == "ab?"
    assert heard.hear("", at=5.9) == "ab?"
    assert heard.at(6) == ""
    assert heard.hear("", at=7) == ""


def test_a_self_reported_fault_is_accepted_at_once() -> None:
    heard = Heard()
    heard.hear("ab", at=0)
    assert heard.hear("", at=1, confessed="a") == "b?"
    assert heard.hear("", at=2, confessed="ab") == ""


def test_after_a_suspect_answer_missing_instances_are_kept_until_they_return() -> None:
    heard = Heard()
    heard.hear("abc", at=0)
    assert heard.hear("", at=1, doubtful=True) == "abc?"
    assert heard.hear("b", at=2) == "abc?"
    assert heard.hear("bc", at=3) == "abc?"
    assert heard.hear("abc", at=4) == "abc"


def test_a_kept_instance_that_does_not_return_is_removed() -> None:
    heard = Heard()
    heard.hear("abc", at=0)
    heard.hear("b", at=1, doubtful=True)
    assert heard.at(5.9) == "abc?"
    assert heard.at(6) == "b"


def test_repeated_suspect_answers_do_not_extend_the_grace_period() -> None:
    heard = Heard()
    heard.hear("ab", at=0)
    for second in range(1, 6):
        assert heard.hear("", at=second, doubtful=True) == "ab?"
    assert heard.hear("", at=6, doubtful=True) == ""


def test_an_instance_kept_during_an_outage_gets_a_new_grace_period_after_it() -> None:
    heard = Heard()
    heard.hear("ab", at=0)
    assert heard.hear("a", at=1, doubtful=True) == "ab?"
    heard.belief.lost()
    assert heard.hear("a", at=60, doubtful=True) == "ab?"
    assert heard.hear("a", at=64.9) == "ab?"
    assert heard.hear("a", at=65) == "a"


def test_an_instance_that_returned_can_be_kept_again() -> None:
    heard = Heard()
    heard.hear("a", at=0)
    heard.hear("", at=1)
    heard.hear("a", at=5)
    assert heard.hear("", at=7) == "a?"
    assert heard.at(11) == "a?"
    assert heard.at(12) == ""


def test_this_process_s_own_registrations_take_precedence() -> None:
    heard = Heard()
    heard.hear("ab", at=0)
    heard.belief.deny("a")
    assert heard.at(0) == "b"
    assert heard.hear("ab", at=1) == "b"
    assert heard.hear("", at=2) == "b?"
    heard.belief.allow("a")
    assert heard.hear("ab", at=3) == "ab"


def test_the_next_expiry_is_known_while_an_instance_is_kept() -> None:
    heard = Heard()
    heard.hear("ab", at=0)
    assert heard.belief.next_end(0) is None
    heard.hear("a", at=1, doubtful=True)
    heard.hear("", at=2)
    assert heard.belief.next_end(2) == 6
    assert heard.belief.next_end(6) == 7
    assert heard.belief.next_end(7) is None

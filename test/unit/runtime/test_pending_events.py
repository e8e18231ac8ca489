"""Pending events: an owner's appended events that are not read back yet, on top of the committed state."""

import pytest
from support.counter_context import TALLY, Count, Tally, counted
from support.fixed_infrastructure import CountedIds
from support.owners import sent

from bookshelf.log.port import NewRecord, Record
from bookshelf.runtime.aggregate.command import CommandHandler
from bookshelf.runtime.aggregate.replay import PendingEvents
from bookshelf.runtime.aggregate.snapshot import UNSETTLED, DecodedEvent, SnapshotFold
from bookshelf.runtime.aggregate.state_cache import StateCache
from bookshelf.runtime.aggregate.state_store import MemoryStateStore

HANDLER = CommandHandler(TALLY, CountedIds())


class Desk:
    """Pending events of one key, over a log with given records."""

    def __init__(self) -> None:
        self._states = StateCache(TALLY, MemoryStateStore(), None)
        self._states.fresh(["a"])
        self.pending = PendingEvents(SnapshotFold(TALLY), self._states)
        self._offset = 0

    def say(self, by: int) -> list[DecodedEvent]:
        events = HANDLER.decide(self.pending.head("a"), sent("a", Count(by=by))) or []
        self.pending.add("a", events)
        return events

    def log(self, record: NewRecord) -> int:
        """The log returns a record."""
        self.pending.read_back(Record("tallies", 0, self._offset, record.key, record.value))
        self._offset += 1
        return self._offset - 1

    def log_mine(self, *events: DecodedEvent) -> None:
        for one in events:
            self.log(NewRecord("a", one.value))

    def settle(self, offsets: list[int], events: list[DecodedEvent]) -> None:
        self.pending.settle("a", dict(zip((one.envelope.id for one in events), offsets, strict=True)))

    @property
    def seen(self) -> tuple[int, int]:
        """The sum and the version that the next command is decided on."""
        head = self.pending.head("a")
        return head.state.sum, head.version

    @property
    def known(self) -> Tally:
        """The state by the log alone."""
        state: Tally = self._states.get("a").state
        return state


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_pending_events_are_visible_at_once_and_committed_after_reading_back(desk: Desk) -> None:
    events = desk.say(5)
    assert (desk.seen, desk.known.sum) == ((5, UNSETTLED), 0)
    desk.settle([0], events)
    assert desk.seen == (5, 0)
    desk.log_mine(*events)
    assert (desk.seen, desk.known.sum) == ((5, 0), 5)


def test_an_event_read_back_before_its_append_returns_is_applied_once(desk: Desk) -> None:
    events = desk.say(5)
    desk.log_mine(*events)
    desk.settle([0], events)
    assert (desk.seen, desk.known) == ((5, 0), Tally(sum=5, said=1))


def test_events_of_other_writers_in_between_are_applied_first(desk: Desk) -> None:
    events = desk.say(5)
    desk.log(counted("a", 100, source="another"))
    assert (desk.seen, desk.known.sum) == ((105, UNSETTLED), 100)
    desk.settle([1], events)
    desk.log_mine(*events)
    assert (desk.seen, desk.known.sum) == ((105, 1), 105)


def test_pending_events_are_removed_one_by_one_when_read_back(desk: Desk) -> None:
    first, second = desk.say(1), desk.say(2)
    desk.log_mine(*first)
    assert (desk.seen[0], desk.known.sum) == (3, 1)
    desk.settle([0, 1], [*first, *second])
    desk.log_mine(*second)
    assert (desk.seen, desk.known.sum) == ((3, 1), 3)


def test_pending_events_of_a_failed_append_are_dropped_alone(desk: Desk) -> None:
    events = desk.say(1)
    desk.settle([0], events)
    desk.say(10)
    desk.pending.drop_unsettled()
    assert desk.seen == (1, 0)


def test_after_reading_to_the_end_only_the_log_determines_the_state(desk: Desk) -> None:
    desk.say(1)
    desk.pending.clear()
    assert (desk.seen, desk.known.sum) == ((0, -1), 0)


def test_an_unreadable_record_leaves_pending_events(desk: Desk) -> None:
    events = desk.say(5)
    desk.log(NewRecord("a", b"\xff"))
    desk.settle([1], events)
    desk.log_mine(*events)
    assert desk.seen == (5, 1)
    assert desk.pending.head("a").faults

"""Aggregate snapshots: the fold of the log, pending events on top, and the completed commands."""

import msgspec
import pytest
from support.counter_context import TALLY, Count, Counted, Tally, counted, said
from support.fixed_infrastructure import NOW, CountedIds
from support.owners import keyed, sent

from bookshelf.cqrs.envelope import ANSWERED, decode_envelope
from bookshelf.cqrs.errors import Changed, HeldBack, KeyReused, Malformed, NotFound
from bookshelf.log.port import NewRecord, Record
from bookshelf.runtime.aggregate.command_handler import CommandHandler
from bookshelf.runtime.aggregate.snapshot import (
    NONE,
    REMEMBERED,
    UNSETTLED,
    AggregateSnapshot,
    CompletedCommand,
    SnapshotFold,
    spill,
)

FOLD = SnapshotFold(TALLY)
AT_MS = int(NOW.timestamp() * 1000)
HANDLER = CommandHandler(TALLY, CountedIds())
EMPTY: AggregateSnapshot[Tally] = AggregateSnapshot(Tally())


def change_of(record: NewRecord) -> str:
    """Return the id of a change whose first event this is."""
    return decode_envelope(record.value).id


def folded(*records: NewRecord) -> AggregateSnapshot[Tally]:
    held = EMPTY
    for offset, new in enumerate(records):
        held, _ = FOLD.apply(held, Record("tallies", 0, offset, new.key, new.value))
    return held


def test_a_snapshot_is_a_fold_and_its_version_is_the_newest_event_s_offset() -> None:
    held = folded(counted("a", 1), counted("a", 2, source="another"))
    assert (held.state, held.version) == (Tally(sum=3, said=2), 1)
    assert folded().version == NONE


def test_unknown_types_do_not_change_a_snapshot() -> None:
    held = folded(counted("a", 1), said("test.other.v1", "a", b"{}", command="key"))
    assert (held.state, held.version, held.done) == (Tally(sum=1, said=1), 0, ())


def test_a_completed_command_of_this_service_is_kept_with_its_result() -> None:
    records = counted("a", 1, command="x"), counted("a", 2, command="y")
    held = folded(*records)
    assert held.recall("x") == CompletedCommand("x", "", 0, 0, AT_MS, change_of(records[0]))
    assert held.recall("y") == CompletedCommand("y", "", 1, 1, AT_MS, change_of(records[1]))
    assert held.recall("z") is None


def test_a_command_of_several_events_is_kept_once_with_the_last_offset() -> None:
    records = [counted("a", 1, command="x") for _ in range(3)]
    assert folded(*records).done == (CompletedCommand("x", "", 2, 2, AT_MS, change_of(records[0])),)


def test_commands_of_other_services_are_not_kept() -> None:
    assert folded(counted("a", 1, source="another", command="x")).done == ()


def test_a_command_without_events_is_kept_as_answered() -> None:
    held = folded(counted("a", 1), said(ANSWERED, "a", b"{}", command="x"))
    assert held.recall("x") == CompletedCommand("x", "", 0, 1, AT_MS)
    assert held.version == 0


def test_the_newest_commands_stay_in_the_snapshot_and_older_ones_are_moved_to_the_store() -> None:
    many = folded(*[counted("a", 1, command=str(n)) for n in range(REMEMBERED + 10)])
    held, older = spill(many)
    assert [done.command for done in older] == [str(n) for n in range(10)]
    assert [done.command for done in held.done] == [str(n) for n in range(10, REMEMBERED + 10)]
    assert (many.spilled, held.spilled) == (False, True)
    assert spill(held) == (held, ())


def test_the_command_that_created_an_aggregate_is_kept() -> None:
    many = [counted("a", 1, command=str(n)) for n in range(REMEMBERED)]
    began = [counted("a", 1, command="x"), counted("a", 1, command="x")]
    held, _ = spill(folded(*began, *many))
    assert held.recall("x") == CompletedCommand("x", "", 1, 1, AT_MS, change_of(began[0]))
    assert (held.first, folded(counted("a", source="another"), *many).creator) == (0, None)


def test_an_unreadable_record_is_a_fault_and_changes_nothing_else() -> None:
    held = folded(counted("a", 1, command="x"), NewRecord("a", b"\xff"), counted("a", 5))
    assert held.faults is not None
    assert held.faults.offsets == (1,)
    with pytest.raises(Malformed, match=r"^not a CloudEvents 1\.0 envelope"):
        FOLD.read(Record("tallies", 0, 1, "a", b"\xff"))
    assert held.recall("x") is not None


def test_a_snapshot_is_restored_from_its_bytes() -> None:
    held = folded(counted("a", 1, command="x"), NewRecord("a", b"\xff"))
    decoder = msgspec.msgpack.Decoder(AggregateSnapshot[Tally])
    assert decoder.decode(msgspec.msgpack.encode(held)) == held


def test_an_event_envelope_names_the_actor_of_its_command() -> None:
    one = sent("a", Count(by=2), id="x", hash="h", actor="ann", correlation="c", traceparent="t")
    [word] = HANDLER.decide(EMPTY, one) or []
    assert (word.event, word.offset) == (Counted(by=2), UNSETTLED)
    envelope = decode_envelope(word.value)
    assert (envelope.source, envelope.type, envelope.subject) == ("tally", Counted.TYPE, "a")
    assert (envelope.commandid, envelope.commandhash, envelope.actor) == ("x", "h", "ann")
    assert (envelope.correlationid, envelope.traceparent, envelope.time) == ("c", "t", one.at)


def test_every_event_has_its_own_id() -> None:
    words = HANDLER.decide(EMPTY, sent("a", Count(times=3))) or []
    assert len({word.envelope.id for word in words}) == 3


@pytest.mark.parametrize(("key", "types"), [("", []), ("h", [ANSWERED])])
def test_a_command_without_events_is_recorded_only_with_a_key(key: str, types: list[str]) -> None:
    words = HANDLER.decide(EMPTY, sent("a", Count(by=0), hash=key))
    assert [word.envelope.type for word in words or []] == types


def test_a_completed_command_is_a_repetition() -> None:
    held = EMPTY
    for word in HANDLER.decide(EMPTY, keyed("a", "key", 2)) or []:
        held = FOLD.after(held, word)
    assert HANDLER.decide(held, keyed("a", "key", 2)) is None
    with pytest.raises(KeyReused):
        HANDLER.decide(held, keyed("a", "key", 3))


def test_a_repetition_is_recognised_before_any_other_check() -> None:
    held = folded(counted("a", 1, command="x"), NewRecord("a", b"\xff"))
    assert HANDLER.decide(held, sent("a", id="x", expects=frozenset({99}))) is None


def test_an_aggregate_with_a_fault_refuses_commands() -> None:
    with pytest.raises(HeldBack, match="offset 0 cannot be read"):
        HANDLER.decide(folded(NewRecord("a", b"\xff")), sent("a"))


@pytest.mark.parametrize("expects", [{1}, set(), {NONE}, {UNSETTLED}])
def test_a_command_on_another_version_is_refused_as_changed(expects: set[int]) -> None:
    with pytest.raises(Changed):
        HANDLER.decide(folded(counted("a", 1)), sent("a", expects=frozenset(expects)))


def test_a_refusal_has_the_message_of_the_domain() -> None:
    with pytest.raises(NotFound, match="nothing was counted yet"):
        HANDLER.decide(EMPTY, sent("a", Count(must=True)))

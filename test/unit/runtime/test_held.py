"""What an owner holds: the fold of its log, its own newest sayings on top, and what it answered lately."""

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
JUDGE = CommandHandler(TALLY, CountedIds())
EMPTY: AggregateSnapshot[Tally] = AggregateSnapshot(Tally())


def change_of(record: NewRecord) -> str:
    """Return the id of a change whose first event this is."""
    return decode_envelope(record.value).id


def folded(*records: NewRecord) -> AggregateSnapshot[Tally]:
    held = EMPTY
    for offset, new in enumerate(records):
        held, _ = FOLD.apply(held, Record("tallies", 0, offset, new.key, new.value))
    return held


def test_what_is_held_is_a_fold_and_the_version_is_the_newest_events_offset() -> None:
    held = folded(counted("a", 1), counted("a", 2, source="another"))
    assert (held.state, held.version) == (Tally(sum=3, said=2), 1)
    assert folded().version == NONE


def test_types_that_are_not_known_move_nothing() -> None:
    held = folded(counted("a", 1), said("test.other.v1", "a", b"{}", command="key"))
    assert (held.state, held.version, held.done) == (Tally(sum=1, said=1), 0, ())


def test_a_command_of_this_service_is_remembered_with_what_it_left_behind() -> None:
    records = counted("a", 1, command="x"), counted("a", 2, command="y")
    held = folded(*records)
    assert held.recall("x") == CompletedCommand("x", "", 0, 0, AT_MS, change_of(records[0]))
    assert held.recall("y") == CompletedCommand("y", "", 1, 1, AT_MS, change_of(records[1]))
    assert held.recall("z") is None


def test_a_command_of_several_events_is_remembered_once_with_the_last() -> None:
    records = [counted("a", 1, command="x") for _ in range(3)]
    assert folded(*records).done == (CompletedCommand("x", "", 2, 2, AT_MS, change_of(records[0])),)


def test_another_services_commands_are_its_own_to_remember() -> None:
    assert folded(counted("a", 1, source="another", command="x")).done == ()


def test_a_command_that_said_nothing_is_remembered_as_answered() -> None:
    held = folded(counted("a", 1), said(ANSWERED, "a", b"{}", command="x"))
    assert held.recall("x") == CompletedCommand("x", "", 0, 1, AT_MS)
    assert held.version == 0


def test_the_newest_commands_stay_with_the_state_and_the_older_ones_are_spilled() -> None:
    many = folded(*[counted("a", 1, command=str(n)) for n in range(REMEMBERED + 10)])
    held, older = spill(many)
    assert [done.command for done in older] == [str(n) for n in range(10)]
    assert [done.command for done in held.done] == [str(n) for n in range(10, REMEMBERED + 10)]
    assert (many.spilled, held.spilled) == (False, True)
    assert spill(held) == (held, ())


def test_the_command_that_began_an_aggregate_is_never_forgotten() -> None:
    many = [counted("a", 1, command=str(n)) for n in range(REMEMBERED)]
    began = [counted("a", 1, command="x"), counted("a", 1, command="x")]
    held, _ = spill(folded(*began, *many))
    assert held.recall("x") == CompletedCommand("x", "", 1, 1, AT_MS, change_of(began[0]))
    assert (held.first, folded(counted("a", source="another"), *many).creator) == (0, None)


def test_a_record_that_cannot_be_read_is_a_fault_and_changes_nothing_else() -> None:
    held = folded(counted("a", 1, command="x"), NewRecord("a", b"\xff"), counted("a", 5))
    assert held.faults is not None
    assert held.faults.offsets == (1,)
    with pytest.raises(Malformed, match=r"^not a CloudEvents 1\.0 envelope"):
        FOLD.read(Record("tallies", 0, 1, "a", b"\xff"))
    assert held.recall("x") is not None


def test_what_is_held_comes_back_from_its_bytes() -> None:
    held = folded(counted("a", 1, command="x"), NewRecord("a", b"\xff"))
    decoder = msgspec.msgpack.Decoder(AggregateSnapshot[Tally])
    assert decoder.decode(msgspec.msgpack.encode(held)) == held


def test_a_saying_is_sealed_with_who_asked_for_it() -> None:
    one = sent("a", Count(by=2), id="x", hash="h", actor="ann", correlation="c", traceparent="t")
    [word] = JUDGE.judge(EMPTY, one) or []
    assert (word.event, word.offset) == (Counted(by=2), UNSETTLED)
    envelope = decode_envelope(word.value)
    assert (envelope.source, envelope.type, envelope.subject) == ("tally", Counted.TYPE, "a")
    assert (envelope.commandid, envelope.commandhash, envelope.actor) == ("x", "h", "ann")
    assert (envelope.correlationid, envelope.traceparent, envelope.time) == ("c", "t", one.at)


def test_every_saying_has_an_id_of_its_own() -> None:
    words = JUDGE.judge(EMPTY, sent("a", Count(times=3))) or []
    assert len({word.envelope.id for word in words}) == 3


@pytest.mark.parametrize(("key", "types"), [("", []), ("h", [ANSWERED])])
def test_nothing_to_say_is_written_down_only_for_a_key(key: str, types: list[str]) -> None:
    words = JUDGE.judge(EMPTY, sent("a", Count(by=0), hash=key))
    assert [word.envelope.type for word in words or []] == types


def test_a_command_that_was_carried_out_has_no_verdict() -> None:
    held = EMPTY
    for word in JUDGE.judge(EMPTY, keyed("a", "key", 2)) or []:
        held = FOLD.after(held, word)
    assert JUDGE.judge(held, keyed("a", "key", 2)) is None
    with pytest.raises(KeyReused):
        JUDGE.judge(held, keyed("a", "key", 3))


def test_what_was_carried_out_is_known_before_anything_else_is_asked() -> None:
    held = folded(counted("a", 1, command="x"), NewRecord("a", b"\xff"))
    assert JUDGE.judge(held, sent("a", id="x", expects=frozenset({99}))) is None


def test_an_aggregate_with_a_fault_takes_no_command() -> None:
    with pytest.raises(HeldBack, match="offset 0 cannot be read"):
        JUDGE.judge(folded(NewRecord("a", b"\xff")), sent("a"))


@pytest.mark.parametrize("expects", [{1}, set(), {NONE}, {UNSETTLED}])
def test_another_version_is_a_change(expects: set[int]) -> None:
    with pytest.raises(Changed):
        JUDGE.judge(folded(counted("a", 1)), sent("a", expects=frozenset(expects)))


def test_the_domain_refuses_in_its_own_words() -> None:
    with pytest.raises(NotFound, match="nothing was counted yet"):
        JUDGE.judge(EMPTY, sent("a", Count(must=True)))

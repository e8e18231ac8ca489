"""Aggregate snapshots: the fold of the log, pending events on top, and the completed commands."""

from dataclasses import replace
from typing import ClassVar

import msgspec
import pytest
from support.counter_context import TALLY, Count, Counted, Tally, counted, said
from support.fixed_infrastructure import NOW, CountedIds
from support.owners import keyed, sent

from bookshelf.cqrs.catalogue import Catalogue, Upcast
from bookshelf.cqrs.envelope import ANSWERED, decode_envelope, encode_envelope
from bookshelf.cqrs.errors import Changed, HeldBack, KeyReused, Malformed, NotFound
from bookshelf.cqrs.message import Event
from bookshelf.log.port import NewRecord, Record
from bookshelf.runtime.aggregate.command import CommandHandler, CommandRequest
from bookshelf.runtime.aggregate.snapshot import (
    NONE,
    REMEMBERED,
    UNSETTLED,
    AggregateSnapshot,
    CompletedCommand,
    SnapshotFold,
    memory_of,
    spill,
)

FOLD = SnapshotFold(TALLY)
AT_MS = int(NOW.timestamp() * 1000)
HANDLER = CommandHandler(TALLY, CountedIds())
EMPTY: AggregateSnapshot[Tally] = AggregateSnapshot(Tally())


def change_of(record: NewRecord) -> str:
    """Return the id of a change whose first event this is."""
    return decode_envelope(record.value).id


def record_of(new: NewRecord) -> Record:
    return Record("tallies", 0, 0, new.key, new.value)


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


def test_events_that_an_aggregate_does_not_fold_do_not_concern_it_unless_they_are_its_own() -> None:
    class Other(Event, frozen=True):
        TYPE: ClassVar[str] = "test.other.v1"

    fold = SnapshotFold(replace(TALLY, catalogue=Catalogue(Counted, Other), folds=(Counted,)))
    other = said(Other.TYPE, "b", b"{}", source="another")
    assert not fold.concerns(record_of(other))
    assert SnapshotFold(replace(TALLY, catalogue=Catalogue(Counted, Other))).concerns(record_of(other))
    for concerning in (
        counted("a", 1, source="another"),
        said(Other.TYPE, "b", b"{}", command="key"),
        said(ANSWERED, "b", b"{}", command="key"),
        said("test.from-the-future.v1", "b", b"{}", source="another"),
        NewRecord("b", b"no envelope"),
    ):
        assert fold.concerns(record_of(concerning))


def test_a_retired_event_concerns_those_that_fold_what_it_becomes() -> None:
    class Other(Event, frozen=True):
        TYPE: ClassVar[str] = "test.other.v1"

    upcast = Upcast("test.former.v1", Counted, lambda data: data)
    catalogue = Catalogue(Counted, Other, upcasts=(upcast,))
    former = record_of(said("test.former.v1", "a", b'{"by": 1}', source="another"))
    assert SnapshotFold(replace(TALLY, catalogue=catalogue, folds=(Counted,))).concerns(former)
    assert not SnapshotFold(replace(TALLY, catalogue=catalogue, folds=(Other,))).concerns(former)


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


ORIGIN = "saga:orders/2@7"


def carried_out(held: AggregateSnapshot[Tally], request: CommandRequest) -> AggregateSnapshot[Tally]:
    for event in HANDLER.decide(held, request) or []:
        held = FOLD.after(held, event)
    return held


def test_events_name_the_origin_of_their_command_and_the_snapshot_keeps_the_highest() -> None:
    held = carried_out(EMPTY, sent("a", Count(times=2), id="saga-orders-2-7-0", origin=ORIGIN))
    assert held.origins == {"saga:orders/2": 7}
    held = carried_out(held, sent("a", origin="saga:orders/2@9"))
    held = carried_out(held, sent("a", origin="saga:orders/1@3"))
    assert held.origins == {"saga:orders/2": 9, "saga:orders/1": 3}
    assert held.done == ()  # the memory of clients' commands is another one
    assert memory_of(held) > memory_of(msgspec.structs.replace(held, origins={}))


@pytest.mark.parametrize("origin", [ORIGIN, "saga:orders/2@6"])
def test_a_command_whose_origin_is_not_higher_is_a_repetition(origin: str) -> None:
    held = carried_out(EMPTY, sent("a", origin=ORIGIN))
    assert HANDLER.decide(held, sent("a", origin=origin)) is None


@pytest.mark.parametrize("origin", ["saga:orders/2@8", "saga:orders/1@0", "other:orders/2@0"])
def test_a_command_of_a_higher_origin_or_of_another_partition_is_decided(origin: str) -> None:
    held = carried_out(EMPTY, sent("a", origin=ORIGIN))
    assert len(HANDLER.decide(held, sent("a", origin=origin)) or []) == 1


def test_the_origin_replaces_the_id_in_recognising_a_repetition() -> None:
    held = carried_out(EMPTY, sent("a", id="x"))
    assert len(HANDLER.decide(held, sent("a", id="x", origin=ORIGIN)) or []) == 1


def test_origins_in_events_of_other_services_are_not_kept() -> None:
    record = counted("a", source="another")
    envelope = msgspec.structs.replace(decode_envelope(record.value), origin=ORIGIN)
    assert folded(NewRecord("a", encode_envelope(envelope))).origins == {}


def test_an_origin_without_events_leaves_nothing_behind() -> None:
    assert HANDLER.decide(EMPTY, sent("a", Count(by=0), origin=ORIGIN)) == []


def test_a_snapshot_that_a_former_release_stored_has_no_origins() -> None:
    held = folded(counted("a", 1, command="x"))
    stored = msgspec.msgpack.encode(msgspec.to_builtins(held)[:8])
    assert msgspec.msgpack.Decoder(AggregateSnapshot[Tally]).decode(stored) == held

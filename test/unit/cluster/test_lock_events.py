"""docs/events.md names every event of locks with its fields, and the golden log has a value of each."""

import re

import msgspec
from support.process import ROOT

from bookshelf.cluster.lock import LOCK
from bookshelf.cluster.lock_events import LOCK_EVENTS
from bookshelf.cqrs.envelope import decode_envelope, encode_envelope

LINES = (ROOT / "test/fixtures/golden/locks.jsonl").read_bytes().splitlines()
ENVELOPES = [decode_envelope(line) for line in LINES]


def test_every_event_has_its_place_in_the_docs() -> None:
    page = (ROOT / "docs/events.md").read_text(encoding="utf-8")
    section = page.partition("## Topic `locks`")[2].partition("\n## ")[0]
    for event in LOCK_EVENTS:
        [line] = [line for line in section.splitlines() if line.startswith(f"| `{event.TYPE}`")]
        named = set(re.findall(r"`(\w+)`", line.rpartition(" | ")[2]))
        assert {field.name for field in msgspec.structs.fields(event)} <= named, line


def test_the_golden_log_has_every_field_and_folds_as_it_always_did() -> None:
    for event in LOCK_EVENTS:
        written = {name for e in ENVELOPES if e.type == event.TYPE for name in msgspec.json.decode(e.data)}
        assert written == {field.name for field in msgspec.structs.fields(event)}, event
    events = [LOCK_EVENTS.decode(e.type, bytes(e.data)) for e in ENVELOPES]
    states = [LOCK.fold([e for e in events[:number] if e is not None]) for number in range(1, 6)]
    assert [state.holder for state in states] == ["node1", "node1", "", "node2", ""]
    assert LOCK.catalogue.decode("cluster.unknown.v1", b"{}") is None


def test_what_is_written_today_has_the_same_bytes() -> None:
    kinds = {kind.TYPE: kind for kind in LOCK_EVENTS}
    for line, envelope in zip(LINES, ENVELOPES, strict=True):
        assert encode_envelope(envelope) == line
        event = msgspec.json.decode(envelope.data, type=kinds[envelope.type])
        assert msgspec.json.encode(event) == bytes(envelope.data)

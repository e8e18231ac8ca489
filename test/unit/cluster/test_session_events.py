"""The events of sessions: a golden sample of each, and its place in the docs."""

import re

import msgspec
from support.process import ROOT

from bookshelf.cluster.session import CLIENT_SESSION
from bookshelf.cluster.session_events import EVENTS, TOPIC
from bookshelf.cluster.shared_state import SHARED_STATE
from bookshelf.cqrs.envelope import decode_envelope, encode_envelope
from bookshelf.cqrs.message import Event

LINES = (ROOT / "test/fixtures/golden/sessions.jsonl").read_bytes().splitlines()


def events_of(source: str) -> list[Event]:
    envelopes = [envelope for envelope in map(decode_envelope, LINES) if envelope.source == source]
    decoded = [EVENTS.decode(envelope.type, bytes(envelope.data)) for envelope in envelopes]
    return [event for event in decoded if event is not None]


def test_every_event_has_a_golden_sample_that_is_written_the_same_today() -> None:
    assert {decode_envelope(line).type for line in LINES} == {event.TYPE for event in EVENTS}
    for line in LINES:
        envelope = decode_envelope(line)
        event = EVENTS.decode(envelope.type, bytes(envelope.data))
        assert msgspec.json.encode(event) == bytes(envelope.data)
        assert encode_envelope(envelope) == line


def test_the_golden_log_folds_to_the_states_that_it_always_folded_to() -> None:
    told = events_of("client-session")
    changed, copied = CLIENT_SESSION.fold(told[:3]), CLIENT_SESSION.fold(told[:4])
    assert copied.content == changed.content
    assert copied.content.values["group/counters/n"].json == '[1,2.5,{"a":null}]'
    assert CLIENT_SESSION.fold(told[3:4]) == copied
    assert CLIENT_SESSION.fold(told).closed == "idle"
    shared = events_of("shared-state")
    assert SHARED_STATE.fold(shared).content == SHARED_STATE.fold(shared[:1]).content


def test_every_event_has_its_place_in_the_docs() -> None:
    page = (ROOT / "docs/events.md").read_text(encoding="utf-8")
    section = page.partition(f"## Topic `{TOPIC}`")[2].partition("\n## ")[0]
    for event in EVENTS:
        [line] = [line for line in section.splitlines() if f"`{event.TYPE}`" in line]
        named = set(re.findall(r"`(\w+)`", line.replace(f"`{event.TYPE}`", "")))
        assert named == {field.name for field in msgspec.structs.fields(event)}, line

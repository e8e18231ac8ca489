"""docs/events.md names every event of photos with its fields, and the golden log has a value of each."""

import re

import msgspec
from support.process import ROOT

from bookshelf.cqrs.envelope import decode_envelope, encode_envelope
from bookshelf.photos.events import EVENTS

LINES = (ROOT / "test/fixtures/golden/photos.jsonl").read_bytes().splitlines()
ENVELOPES = [decode_envelope(line) for line in LINES]


def test_every_event_has_its_place_in_the_docs() -> None:
    page = (ROOT / "docs/events.md").read_text(encoding="utf-8")
    section = page.partition("## Topic `photos`")[2].partition("\n## ")[0]
    for event in EVENTS:
        [line] = [line for line in section.splitlines() if line.startswith(f"| `{event.TYPE}`")]
        named = set(re.findall(r"`(\w+)`", line.rpartition(" | ")[2]))
        fields = {field.name for field in msgspec.structs.fields(event)}
        assert fields <= named, line


def test_every_field_of_every_event_has_a_golden_value() -> None:
    for event in EVENTS:
        written = {name for e in ENVELOPES if e.type == event.TYPE for name in msgspec.json.decode(e.data)}
        assert written == {field.name for field in msgspec.structs.fields(event)}, event


def test_what_is_written_today_has_the_same_bytes() -> None:
    kinds = {kind.TYPE: kind for kind in EVENTS}
    for line, envelope in zip(LINES, ENVELOPES, strict=True):
        assert encode_envelope(envelope) == line
        event = msgspec.json.decode(envelope.data, type=kinds[envelope.type])
        assert msgspec.json.encode(event) == bytes(envelope.data)

"""docs/events.md names every event of domains with its fields, and the golden log has a value of each."""

import re

import msgspec
from support.process import ROOT

from bookshelf.cluster.events import DOMAIN_EVENTS, EVENTS
from bookshelf.cqrs.envelope import decode_envelope, encode_envelope

LINES = (ROOT / "test/fixtures/golden/cluster.jsonl").read_bytes().splitlines()
ENVELOPES = [decode_envelope(line) for line in LINES]


def test_every_event_has_its_place_in_the_docs() -> None:
    page = (ROOT / "docs/events.md").read_text(encoding="utf-8")
    section = page.partition("## Topic `cluster`")[2].partition("\n## ")[0]
    for event in DOMAIN_EVENTS:
        [line] = [line for line in section.splitlines() if line.startswith(f"| `{event.TYPE}`")]
        named = set(re.findall(r"`(\w+)`", line))
        assert {field.name for field in msgspec.structs.fields(event)} <= named, line


def test_the_golden_log_has_every_field() -> None:
    for event in DOMAIN_EVENTS:
        written = {name for e in ENVELOPES if e.type == event.TYPE for name in msgspec.json.decode(e.data)}
        assert written == {field.name for field in msgspec.structs.fields(event)}, event


def test_what_is_written_today_has_the_same_bytes() -> None:
    for line, envelope in zip(LINES, ENVELOPES, strict=True):
        assert encode_envelope(envelope) == line
        event = EVENTS.decode(envelope.type, bytes(envelope.data))
        assert msgspec.json.encode(event) == bytes(envelope.data)

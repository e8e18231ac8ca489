"""The events of files: a golden sample of each, and its place in the docs."""

import re

import msgspec
from support.process import ROOT

from bookshelf.cqrs.envelope import decode_envelope, encode_envelope
from bookshelf.files.file import EVENTS, FILE

LINES = (ROOT / "test/fixtures/golden/files.jsonl").read_bytes().splitlines()


def test_every_event_has_a_golden_sample_that_is_written_the_same_today() -> None:
    assert {decode_envelope(line).type for line in LINES} == {event.TYPE for event in EVENTS}
    for line in LINES:
        envelope = decode_envelope(line)
        event = EVENTS.decode(envelope.type, bytes(envelope.data))
        assert msgspec.json.encode(event) == bytes(envelope.data)
        assert encode_envelope(envelope) == line


def test_the_golden_log_folds_to_the_file_that_it_always_folded_to() -> None:
    decoded = [EVENTS.decode(found.type, bytes(found.data)) for found in map(decode_envelope, LINES)]
    stored, deleted = [event for event in decoded if event is not None]
    assert FILE.fold([stored]).stored
    assert not FILE.fold([stored, deleted]).stored


def test_every_event_has_its_place_in_the_docs() -> None:
    page = (ROOT / "docs/events.md").read_text(encoding="utf-8")
    section = page.partition("## Topic `files`")[2].partition("\n## ")[0]
    for event in EVENTS:
        [line] = [line for line in section.splitlines() if f"`{event.TYPE}`" in line]
        named = set(re.findall(r"`(\w+)`", line.replace(f"`{event.TYPE}`", "")))
        assert named == {field.name for field in msgspec.structs.fields(event)}, line

"""The golden log: every type and version of event ever written can be read in every later release.

A new event type needs a line in test/fixtures/golden/shelf.jsonl and one in docs/events.md; an old line is
never changed or removed. A type that is no longer written stays there, and is upcast.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.envelope import ANSWERED, DROPPED, Envelope, decode_envelope, dropped, encode_envelope
from bookshelf.cqrs.message import Event
from bookshelf.shelf.book import BOOK, to_answer
from bookshelf.shelf.book_readings import Reading, Readings
from bookshelf.shelf.events import EVENTS
from bookshelf.shelf.fields import Book
from bookshelf.shelf.goals import GOAL
from bookshelf.shelf.lists import LIST
from bookshelf.shelf.reading import READING, ReadBook
from bookshelf.shelf.values import Totals

ROOT = Path(__file__).parents[3]
LINES = (ROOT / "test/fixtures/golden/shelf.jsonl").read_bytes().splitlines()
DUNE, CRIME = "0c9b6f0e-6a9b-5d0c-9f43-8f9a7a1f2b11", "5f3c2a7d-1e42-5b1a-8c0d-2b6d9e4f7a90"


def envelopes() -> list[Envelope]:
    return [decode_envelope(line) for line in LINES]


def events_of(subject: str) -> Iterator[Event]:
    for envelope in envelopes():
        event = EVENTS.decode(envelope.type, bytes(envelope.data))
        if envelope.subject == subject and event is not None:
            yield event


def test_every_event_and_every_retired_one_has_a_golden_sample() -> None:
    written = {envelope.type for envelope in envelopes()}
    assert written >= {event.TYPE for event in EVENTS} | {old.retired for old in EVENTS.upcasts}


def test_every_field_of_every_event_has_a_golden_value() -> None:
    for event in EVENTS:
        said = {name for e in envelopes() if e.type == event.TYPE for name in msgspec.json.decode(e.data)}
        assert said == {field.name for field in msgspec.structs.fields(event)}, event


@pytest.mark.parametrize("aggregate", [LIST, GOAL], ids=lambda aggregate: aggregate.name)
def test_events_that_an_aggregate_does_not_fold_change_no_state_of_it(aggregate: Aggregate[Any]) -> None:
    for subject in {envelope.subject for envelope in envelopes()}:
        events = list(events_of(subject))
        folded = [event for event in events if isinstance(event, aggregate.folds)]
        assert aggregate.fold(events) == aggregate.fold(folded)


def test_the_golden_log_folds_to_the_book_that_it_always_folded_to() -> None:
    assert to_answer(DUNE, BOOK.fold(events_of(DUNE))) == Book(
        id=DUNE,
        title="Dune (40th anniversary)",
        author="Herbert, Frank",
        added=datetime(2026, 3, 1, 12, 0, 0, 123456, UTC),
        published="2005-08-02",
        pages=529,
        tags=("classic",),
        state="finished",
        finished=date(2026, 2, 28),
        rating=5,
        review="The sleeper must awaken. 🏜",
    )
    reading = Reading(end="finished", ended="2026-02-28", stars=5.0, review="The sleeper must awaken. 🏜")
    read = ReadBook(known=True, totals=Totals(pages=529), readings=Readings(by_number={1: reading}))
    assert READING.fold(events_of(DUNE)) == read


def test_the_removed_book_of_the_golden_log_is_gone() -> None:
    assert not BOOK.fold(events_of(CRIME)).here
    assert not READING.fold(events_of(CRIME)).known


def test_what_was_given_up_stays_so() -> None:
    assert [dropped(envelope) for envelope in envelopes() if envelope.type == DROPPED] == [3]


@pytest.mark.parametrize("line", LINES, ids=lambda line: decode_envelope(line).type)
def test_what_is_written_today_has_the_same_bytes(line: bytes) -> None:
    envelope = decode_envelope(line)
    assert encode_envelope(envelope) == line
    kinds = {kind.TYPE: kind for kind in EVENTS}
    if envelope.type in kinds:
        event = msgspec.json.decode(envelope.data, type=kinds[envelope.type])
        assert msgspec.json.encode(event) == bytes(envelope.data)


@pytest.mark.parametrize(
    "kind", [ANSWERED, DROPPED, "shelf.book-never-written.v1", "shelf.book-added.v2", ""]
)
def test_a_type_that_is_not_known_is_skipped(kind: str) -> None:
    assert EVENTS.decode(kind, b'{"anything": [1, 2, 3]}') is None


@pytest.mark.parametrize("line", LINES, ids=lambda line: decode_envelope(line).type)
def test_fields_that_are_not_known_are_kept_out(line: bytes) -> None:
    newer = msgspec.json.decode(line)
    newer["flavour"] = "blue"
    newer["data"]["flavour"] = {"deep": ["blue"]}
    envelope = decode_envelope(msgspec.json.encode(newer))
    former = decode_envelope(line)
    assert EVENTS.decode(envelope.type, bytes(envelope.data)) == EVENTS.decode(
        former.type, bytes(former.data)
    )


def test_every_event_has_its_place_in_the_docs() -> None:
    page = (ROOT / "docs/events.md").read_text()
    for event in EVENTS:
        [line] = [line for line in page.splitlines() if f"`{event.TYPE}`" in line]
        named = set(re.findall(r"`(\w+)`", line.replace(f"`{event.TYPE}`", "")))
        assert named == {field.name for field in msgspec.structs.fields(event)}, line
    assert f"`{ANSWERED}`" in page
    assert f"`{DROPPED}`" in page

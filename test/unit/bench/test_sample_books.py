"""The books that are measured with are real ones to every part of the shelf."""

import msgspec

from bench import sample_books
from bookshelf.cqrs.envelope import decode_envelope
from bookshelf.shelf.events import EVENTS, BookAdded, ReadingFinished
from bookshelf.shelf.fields import NewBook


def test_a_sample_book_is_accepted_by_the_api() -> None:
    for number in range(1000):
        msgspec.json.decode(msgspec.json.encode(sample_books.book(number)), type=NewBook)


def test_the_same_number_gives_the_same_book_and_others_other_ids() -> None:
    assert sample_books.book(7) == sample_books.book(7)
    assert len({sample_books.book_id(number) for number in range(10_000)}) == 10_000


def test_sample_records_equal_those_that_the_shelf_writes() -> None:
    kinds = []
    for record in sample_books.records(20):
        envelope = decode_envelope(record.value)
        assert envelope.subject == record.key
        kinds.append(type(EVENTS.decode(envelope.type, bytes(envelope.data))))
    assert (kinds.count(BookAdded), kinds.count(ReadingFinished)) == (20, 2)
    assert len(kinds) == sample_books.events(20)


def test_every_record_has_an_id_and_a_command_of_its_own() -> None:
    envelopes = [decode_envelope(record.value) for record in sample_books.records(500)]
    assert len({envelope.id for envelope in envelopes}) == len(envelopes)
    assert len({envelope.commandid for envelope in envelopes}) == len(envelopes)

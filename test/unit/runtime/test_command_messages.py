"""A command's way by topic: how its record is written, and what is understood of it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec
import pytest
from support.counter_commands import ORDERED
from support.counter_context import TALLY, Count
from support.fixed_infrastructure import NOW, FixedClock

from bookshelf.accounts.account import ACCOUNT, RenameAccount
from bookshelf.cqrs.command_message import CommandMessage
from bookshelf.cqrs.errors import Invalid
from bookshelf.cqrs.message import Command
from bookshelf.log.port import NewRecord, Record
from bookshelf.runtime.aggregate.command_messages import (
    CommandMessageDecoder,
    NoCommand,
    ReceivedCommand,
    command_message,
)
from bookshelf.shelf.book import BOOK, AddBook, ChangeBook, RemoveBook
from bookshelf.shelf.fields import NewBook
from bookshelf.shelf.reading import READING
from bookshelf.shelf.reading_commands import FinishBook

DUNE = AddBook(book=NewBook(title="Dune", author="Frank Herbert"), at=NOW)
ABOUT: dict[str, Any] = {"id": "x", "source": "tests", "subject": "book-1", "time": NOW}


def read(record: NewRecord, to: Any = BOOK) -> tuple[Any, ReceivedCommand]:  # noqa: ANN401 (an aggregate)
    return CommandMessageDecoder(to, 1, FixedClock()).read(
        Record(record.topic, 0, 7, record.key, record.value)
    )


def added(**changes: Any) -> NewRecord:  # noqa: ANN401 (an envelope's attributes)
    """A command to add Dune as others may write it, with other attributes."""
    envelope = {
        "specversion": "1.0",
        "type": AddBook.TYPE,
        "data": {"book": {"title": "Dune", "author": "Frank Herbert"}},
        **ABOUT,
        **changes,
    }
    return NewRecord("book-1", msgspec.json.encode(envelope), "newbook.commands")


@pytest.mark.parametrize(
    ("to", "command"),
    [(BOOK, DUNE), (BOOK, RemoveBook()), (READING, FinishBook(at=NOW, finished=None, rating=5))],
)
def test_a_command_message_is_decoded_as_it_was_sent(to: Any, command: Any) -> None:  # noqa: ANN401 (of any aggregate)
    record = command_message(
        to, command, **ABOUT, actor="ann", correlationid="c", causationid="e", traceparent="t"
    )
    assert (record.topic, record.key) == (f"{to.name}.commands", "book-1")
    sent, arrived = read(record, to)
    assert (sent.command, sent.subject, sent.id, sent.at) == (command, "book-1", "x", NOW)
    assert (sent.actor, sent.correlation, sent.causation, sent.traceparent) == ("ann", "c", "e", "t")
    assert arrived == ReceivedCommand(8, None)


def test_a_command_message_is_a_cloud_event() -> None:
    record = command_message(BOOK, RemoveBook(), **ABOUT, replyto="answers")
    assert msgspec.json.decode(record.value) == {
        "specversion": "1.0",
        "id": "x",
        "source": "tests",
        "type": "shelf.remove-book.v1",
        "subject": "book-1",
        "time": "2026-03-01T12:00:00Z",
        "data": {},
        "replyto": "answers",
    }


def test_a_command_without_a_time_has_that_of_its_envelope() -> None:
    sent, _ = read(added())
    assert sent.command == DUNE


ELSEWHERE = "2026-03-01T14:00:00+02:00"


def test_times_are_converted_to_utc() -> None:
    sent, _ = read(added(time=ELSEWHERE))
    assert isinstance(sent.command, AddBook)
    assert (str(sent.at), str(sent.command.at)) == (str(NOW), str(NOW))
    sent, _ = read(added(data={"book": {"title": "Dune", "author": "Frank Herbert"}, "at": ELSEWHERE}))
    assert str(sent.command.at) == str(NOW)


def test_equal_instants_have_equal_content_hashes() -> None:
    book = {"title": "Dune", "author": "Frank Herbert"}
    (here, _), (elsewhere, _) = (read(added(data={"book": book, "at": at})) for at in (NOW, ELSEWHERE))
    assert here.hash == elsewhere.hash
    assert here.older_hash != elsewhere.older_hash  # earlier releases kept the offset


class Note(msgspec.Struct):
    since: datetime


class Remind(Command, frozen=True):
    """A command with times of every kind, some of them without a rule about their offset."""

    TYPE: ClassVar[str] = "test.remind.v1"
    at: datetime | None = None
    again: tuple[datetime, ...] = ()
    by: dict[str, datetime] = msgspec.field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    more: Any = None


REMINDED = replace(ORDERED, takes=(Remind,))


def test_nested_times_are_converted_to_utc() -> None:
    times = {"again": [ELSEWHERE, NOW], "by": {"ann": ELSEWHERE}, "notes": [{"since": ELSEWHERE}]}
    sent, arrived = read(added(type=Remind.TYPE, data=times), REMINDED)
    assert arrived.refusal is None
    command = sent.command
    found = (*command.again, command.by["ann"], command.notes[0].since, command.at)
    assert {str(time) for time in found} == {str(NOW)}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"at": "2026-03-01T12:00:00"}, "at"),
        ({"again": [ELSEWHERE, "2026-03-01T12:00:00"]}, "again.1"),
        ({"by": {"ann": "2026-03-01T12:00:00"}}, "by.ann"),
        ({"notes": [{"since": "2026-03-01T12:00:00"}]}, "notes.0.since"),
        ({"at": "0001-01-01T00:00:00+02:00"}, "at"),
    ],
)
def test_a_time_without_an_offset_is_refused(data: dict[str, Any], field: str) -> None:
    _, arrived = read(added(type=Remind.TYPE, data=data), REMINDED)
    assert arrived.refusal is not None
    assert (arrived.refusal.KIND, arrived.refusal.field) == ("invalid", field)


def test_nesting_that_is_only_just_too_deep_is_refused_or_read() -> None:
    for depth in range(100, 1100, 37):
        data = msgspec.Raw(b'{"more": ' + b"[" * depth + b"]" * depth + b"}")
        _, arrived = read(added(type=Remind.TYPE, data=data), REMINDED)
        assert arrived.refusal is None or arrived.refusal.KIND == "malformed"


def test_a_retry_at_another_time_has_the_same_content_and_another_book_has_not() -> None:
    (first, _), (again, _) = read(added()), read(added(time=NOW + timedelta(hours=1)))
    (other, _) = read(added(data={"book": {"title": "Dune", "author": "Brian Herbert"}}))
    assert first.hash == again.hash != other.hash


def test_white_space_and_the_order_of_fields_do_not_matter() -> None:
    data = msgspec.Raw(b'{ "book" : {"author":"Frank Herbert", "title" :"Dune"} }')
    assert read(added(data=data))[0].hash == read(added())[0].hash


def test_a_command_message_names_its_reply_topic() -> None:
    back = read(added(replyto="answers"))[1].reply_to
    assert back is not None
    assert (back.replyto, back.id) == ("answers", "x")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"data": {"book": {"author": "F"}}}, "book.title"),
        ({"data": {"book": {"title": "Dune", "author": "F", "colour": "red"}}}, "book.colour"),
        ({"data": {"book": {"title": "Dune", "author": "F"}, "at": "2026-03-01T12:00:00"}}, "at"),
        ({"data": []}, None),
        ({"time": "yesterday"}, "time"),
        ({"time": None}, "time"),
        ({"time": "2026-03-01T12:00:00"}, "time"),
        ({"time": "9999-12-31T23:59:59-02:00"}, "time"),
        ({"id": ""}, "id"),
        ({"id": "a b"}, "id"),
        ({"subject": "x" * 201}, "subject"),
        ({"subject": "a/b"}, "subject"),
        ({"subject": "a\n"}, "subject"),
        ({"type": "shelf.lend-book.v1"}, "type"),
        ({"replyto": "No Topic"}, "replyto"),
        ({"actor": "x" * 256}, "actor"),
        ({"datacontenttype": "text/plain"}, "datacontenttype"),
    ],
)
def test_a_refusal_names_the_wrong_field(changes: dict[str, Any], field: str | None) -> None:
    sent, arrived = read(added(**changes))
    assert isinstance(sent.command, NoCommand)
    assert arrived.refusal is not None
    assert (arrived.refusal.KIND, arrived.refusal.field) == ("invalid", field)


@pytest.mark.parametrize("rating", [0, 6, "5"])
def test_values_that_http_refuses_are_refused_by_topic(rating: object) -> None:
    data = {"finished": None, "rating": rating}
    _, arrived = read(added(type=FinishBook.TYPE, data=data), READING)
    assert arrived.refusal is not None
    assert arrived.refusal.field == "rating"


def test_only_commands_that_an_aggregate_takes_are_sent() -> None:
    with pytest.raises(TypeError, match=r"newbook does not take test\.count\.v1 by topic"):
        command_message(BOOK, Count(), **ABOUT)
    with pytest.raises(TypeError, match="tally does not take"):
        command_message(TALLY, Count(), **ABOUT)


@pytest.mark.parametrize(
    "wrong",
    [{"subject": "a b"}, {"id": ""}, {"time": datetime(2026, 3, 1)}, {"replyto": "A"}],  # noqa: DTZ001
)
def test_a_command_that_an_owner_would_refuse_is_not_sent(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Expected"):
        command_message(ORDERED, Count(), **{**ABOUT, **wrong})


def test_changes_of_a_book_are_accepted_by_topic() -> None:
    value = msgspec.json.encode({"changes": {"pages": 412, "notes": None}})
    record = added(type=ChangeBook.TYPE, data=msgspec.Raw(value))
    sent, _ = read(record)
    assert msgspec.json.encode(sent.command) == value
    again, _ = read(command_message(BOOK, sent.command, **ABOUT))
    assert (again.command, again.hash) == (sent.command, sent.hash)


def test_a_command_message_of_a_process_has_an_origin_in_place_of_a_content_hash() -> None:
    origin = "saga:orders/2@7"
    request, received = read(
        command_message(BOOK, RemoveBook(), **ABOUT, origin=origin, replyto="answers", replies="refusals")
    )
    assert (request.origin, request.hash, request.older_hash) == (origin, "", "")
    assert isinstance(received.reply_to, CommandMessage)
    assert received.reply_to.replies == "refusals"


@pytest.mark.parametrize("origin", ["saga", "saga:orders/2", "saga:orders/2@x", "Saga:orders/2@7", "@"])
def test_an_origin_that_is_no_position_is_refused(origin: str) -> None:
    _, received = read(added(origin=origin))
    assert isinstance(received.refusal, Invalid)
    assert received.refusal.field == "origin"


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (
            AddBook(book=NewBook(title="Dune", author="Frank Herbert", notes="Lent by Ann"), at=NOW),
            "book.notes",
        ),
        (FinishBook(review="The sleeper must awaken", at=NOW), "review"),
    ],
)
def test_with_accounts_a_personal_text_that_is_not_sealed_is_refused(command: Command, field: str) -> None:
    to = BOOK if isinstance(command, AddBook) else READING
    record = command_message(to, command, **ABOUT)
    message = Record(record.topic, 0, 7, record.key, record.value)
    _, received = CommandMessageDecoder(to, 1, FixedClock(), has_accounts=True).read(message)
    assert isinstance(received.refusal, Invalid)
    assert received.refusal.field == field
    assert "must be sealed" in received.refusal.detail
    _, plain = CommandMessageDecoder(to, 1, FixedClock()).read(message)
    assert plain.refusal is None
    sealed = command_message(BOOK, DUNE, **ABOUT)
    message = Record(sealed.topic, 0, 7, sealed.key, sealed.value)
    assert CommandMessageDecoder(BOOK, 1, FixedClock(), has_accounts=True).read(message)[1].refusal is None


def test_accounts_take_their_own_texts_sealed_only() -> None:
    for text, refused in (("Ann", True), ("\x02name:AAAA:a-1", False)):
        record = command_message(ACCOUNT, RenameAccount(name=text), **ABOUT)
        message = Record(record.topic, 0, 7, record.key, record.value)
        decoder = CommandMessageDecoder(ACCOUNT, 1, FixedClock(), has_accounts=True)
        assert (decoder.read(message)[1].refusal is not None) is refused

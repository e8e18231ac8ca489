"""The judge of the fault tests: it sees a loss, a doubling, and a book that a view has otherwise."""

import msgspec
import pytest
from chaos.kafka.topic_state import Line, TopicState, differing
from support.client import Reply
from support.fixed_infrastructure import NOW
from support.load import Sent

from bookshelf.cqrs.envelope import Envelope, encode_envelope
from bookshelf.shelf.events import TOPIC, BookAdded


def line(offset: int, title: str, command: str) -> Line:
    said = msgspec.convert({"title": title, "author": "Ada", "added": NOW}, BookAdded)
    envelope = Envelope(
        specversion="1.0",
        datacontenttype="application/json",
        id=f"event-{offset}",
        source="newbook",
        type=BookAdded.TYPE,
        subject=f"book-{title}",
        time=NOW,
        data=msgspec.Raw(msgspec.json.encode(said)),
        actor="reader",
        commandid=command,
    )
    return Line(0, offset, envelope.subject, encode_envelope(envelope))


def acknowledged(title: str, offset: int, key: str | None) -> Sent:
    return Sent(title, "POST", "/books", {"title": title}, key, [201], f"{TOPIC}/0@{offset}")


LOG = [line(0, "a", "key a"), line(1, "b", "key b")]
SENT = [acknowledged("a", 0, "key a"), acknowledged("b", 1, "key b")]


def test_a_command_in_the_log_once_is_neither_lost_nor_doubled() -> None:
    truth = TopicState(LOG)
    assert (truth.lost(SENT), truth.doubled(SENT)) == ([], [])


@pytest.mark.parametrize("log", [LOG[:1], [LOG[0], line(1, "c", "key c")], [LOG[0], line(2, "b", "key b")]])
def test_a_lost_command_is_detected(log: list[Line]) -> None:
    assert TopicState(log).lost(SENT) == SENT[1:]


def test_an_unacknowledged_command_is_not_lost() -> None:
    assert TopicState(LOG).lost([Sent("c", "POST", "/books", None, "key c", [503])]) == []


@pytest.mark.parametrize("again", [line(2, "b", "key b"), line(2, "b", "another"), line(2, "other", "key b")])
def test_a_doubled_command_is_detected(again: Line) -> None:
    assert TopicState([*LOG, again]).doubled(SENT) == SENT[1:]


def test_a_doubled_unacknowledged_command_is_detected() -> None:
    unsure = Sent("b", "POST", "/books", None, "key b", [0, 504])
    assert TopicState([*LOG, line(2, "b", "key b")]).doubled([unsure]) == [unsure]


def test_a_book_that_differs_or_is_missing_in_a_view_is_detected() -> None:
    wanted = TopicState(LOG).books()
    assert differing(list(wanted.values()), wanted) == []
    first, second = wanted.values()
    assert differing([first], wanted) == ["book-b"]
    assert differing([first, {**second, "title": "other"}], wanted) == ["book-b"]
    assert differing([first, second, {**second, "id": "more"}], wanted) == ["more"]


@pytest.mark.parametrize(("notes", "foreign"), [("mine", False), ("another's", True)])
def test_an_answer_with_the_content_of_another_command_is_detected(notes: str, *, foreign: bool) -> None:
    sent = Sent("mine", "PATCH", "/books/a", {"notes": "mine"}, "key", [200])
    content = msgspec.json.encode({"title": "A", "notes": notes})
    assert [sent.foreign(Reply(status, {}, content)) for status in (200, 201)] == [foreign, foreign]
    assert not sent.foreign(Reply(503, {}, b""))

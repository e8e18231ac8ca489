"""The timelines give the same answers on every storage, for the golden records and for votes that race."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import msgspec
from support.photo_events import photo_added
from support.process import ROOT
from support.views import Views, caught_up

from bookshelf.cqrs.envelope import Envelope, decode_envelope, encode_envelope
from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.parent import parent_of
from bookshelf.cqrs.view import Change, Recorded
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import NewRecord, partition_of
from bookshelf.photos.events import (
    TOPIC,
    CommentAdded,
    CommentRemoved,
    PhotoAdded,
    PhotoRemoved,
    ProfileRegistered,
    VoteCast,
    VoteWithdrawn,
)
from bookshelf.photos.timelines import queries
from bookshelf.photos.timelines.handlers import timelines_view
from bookshelf.photos.timelines.lists import PagePlace
from bookshelf.runtime.view.dead_letters import listed, retry
from bookshelf.runtime.view.host import ViewHost
from bookshelf.storage.port import Storage
from bookshelf.storage.sqlite import MemoryStorage

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
VIEW = timelines_view("Europe/Berlin")
LINES = (ROOT / "test/fixtures/golden/photos.jsonl").read_bytes().splitlines()


def happened() -> Iterator[tuple[str, Event]]:
    """Yield photos, votes that are changed and taken back, comments, and removals between them."""
    yield "a-2", ProfileRegistered(name="Ben", at=AT)
    for number in range(12):
        at = AT + timedelta(minutes=number)
        photo = f"p{number}"
        yield photo, photo_added(f"a-{number % 3}", at, f"Photo {number}")
        for voter in range(number % 5):
            way = 1 if (voter + number) % 3 else -1
            yield f"{photo}~v-a-{voter}", VoteCast(way=way, at=at)
            if voter == 1:
                turned = VoteCast(way=-way, at=at + timedelta(days=1), previous=way, previous_at=at)
                yield f"{photo}~v-a-{voter}", turned
            if voter == 2:
                yield f"{photo}~v-a-{voter}", VoteWithdrawn(previous=way, previous_at=at)
        for said in range(number):
            comment = CommentAdded(
                person=f"a-{said % 3}", text=f"said {said}", at=at + timedelta(seconds=said)
            )
            yield f"{photo}~c-{photo}-{said}", comment
        if number % 4 == 3:
            yield f"{photo}~c-{photo}-0", CommentRemoved(reason="author")
        if number == 5:
            yield photo, PhotoRemoved(reason="owner")
            yield f"{photo}~v-a-9", VoteCast(way=1, at=at)


async def filled_log() -> MemoryLog:
    log = MemoryLog(2)
    records = [(decode_envelope(line).subject, line) for line in LINES]
    for number, (key, event) in enumerate(happened()):
        envelope = Envelope(
            specversion="1.0",
            id=f"event-{number}",
            source="tests",
            type=event.TYPE,
            subject=key,
            time=AT,
            datacontenttype="application/json",
            data=msgspec.Raw(msgspec.json.encode(event)),
            actor="tests",
        )
        records.append((key, encode_envelope(envelope)))
    for key, value in records:
        writer = await log.writer("tests", TOPIC, partition_of(parent_of(key), 2))
        await writer.append([NewRecord(key, value)])
    return log


CALLERS = ("a-1", "guest")


def asked_of_lists(db: queries.Db) -> Iterator[Any]:
    """Yield the answers to all questions for lists."""
    for caller, sort in product(CALLERS, ("fresh", "hot", "trending")):
        after: str | None = None
        while True:
            found, after = queries.listed(db, sort, "2026-11-25", caller, PagePlace(3, after))
            yield found
            if after is None:
                break
        yield queries.listed(db, sort, "2026-11-26", caller, PagePlace(50, None, 2))


def asked_of_photos(db: queries.Db) -> Iterator[Any]:
    """Yield the answers to all questions for photos."""
    for caller in CALLERS:
        for number in range(12):
            try:
                yield queries.one_photo(db, f"p{number}", caller)
                yield queries.comments_on(db, f"p{number}", PagePlace(2))
            except Refused as refused:
                yield refused.detail
        yield queries.photos_by_id(db, ["p1", "p5", "p2", "nothing", "a\x00b", "\U0001f4da" * 50], caller)


def asked_of_people(db: queries.Db) -> Iterator[Any]:
    """Yield the answers to all questions for people."""
    for person in ("a-0", "a-1", "a-2"):
        for question in (queries.own_votes, queries.own_comments):
            yield question(db, person, PagePlace(2))
        yield queries.photos_of(db, person, person, PagePlace(2))
    yield queries.one_person(db, "a-2")


async def answers(host: ViewHost) -> list[bytes]:
    """Return the answers to all questions; a query has a time limit, so there are several."""
    found: list[bytes] = []
    for asked in (asked_of_lists, asked_of_photos, asked_of_people):
        found += await host.query(lambda db, asked=asked: [msgspec.json.encode(one) for one in asked(db)])  # type: ignore[misc]
    return found


async def test_every_question_has_the_same_answer_on_every_storage(storage: Storage) -> None:
    log = await filled_log()
    memory = MemoryStorage()
    async with Views(log, memory) as first, Views(log, storage) as second:
        hosts = [await views.host(VIEW) for views in (first, second)]
        for host in hosts:
            await caught_up(host, log)
        expected, found = [await answers(host) for host in hosts]
        assert found == expected
        assert sum(len(answer) > 200 for answer in found) > 20
    await memory.close()


async def test_a_photo_that_cannot_be_applied_holds_its_votes_back(storage: Storage) -> None:
    """Else they would count for nothing, also once the photo was applied."""
    repaired = False

    def added(event: PhotoAdded, recorded: Recorded) -> Iterable[Change]:
        if recorded.subject == "p4" and not repaired:
            raise ValueError("a defect")
        return VIEW.handlers[PhotoAdded](event, recorded)

    view = replace(VIEW, handlers={**VIEW.handlers, PhotoAdded: added})
    log = await filled_log()
    memory = MemoryStorage()
    async with Views(log, memory) as first, Views(log, storage) as second:
        whole, host = await first.host(VIEW), await second.host(view)
        for one in (whole, host):
            await caught_up(one, log)
        held = await listed(host.rows)
        assert {letter.key for letter in held if not letter.behind} == {"p4"}
        children = {letter.key for letter in held if letter.behind}
        assert children
        assert {parent_of(key) for key in children} == {"p4"}
        assert await retry(host.rows, min(children)) == 0  # its photo is not there yet
        repaired = True
        assert await retry(host.rows, "p4") == len(held)
        assert await listed(host.rows) == []
        assert await answers(host) == await answers(whole)
    await memory.close()

"""The smallest context: tallies that are counted up. Every command but an empty one appends an event, so a
command that was lost or carried out twice shows in the sum."""

from typing import Any, ClassVar

import msgspec
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Table,
    bindparam,
    exists,
    insert,
    literal,
    select,
    update,
)
from support.fixed_infrastructure import NOW, CountedIds

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.envelope import Envelope, encode_envelope
from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.cqrs.view import Change, Recorded, View
from bookshelf.log.port import Log, NewRecord, Record
from bookshelf.storage.statements import TEXT

TOPIC = "tallies"


class Counted(Event, frozen=True):
    TYPE: ClassVar[str] = "test.counted.v1"
    by: int


class Count(Command, frozen=True):
    """Count up; by 0 appends no event, and with `must` a missing tally is refused."""

    TYPE: ClassVar[str] = "test.count.v1"
    by: int = 1
    times: int = 1
    must: bool = False


class Tally(State, frozen=True):
    sum: int = 0
    said: int = 0


def decide(tally: Tally, command: Command) -> list[Event]:
    match command:
        case Count(must=True) if not tally.said:
            raise NotFound("nothing was counted yet")
        case Count(by=0):
            return []
        case Count(by=by, times=times):
            return [Counted(by=by)] * times
    return []


def evolve(tally: Tally, event: Event) -> Tally:
    match event:
        case Counted(by=by):
            return Tally(sum=tally.sum + by, said=tally.said + 1)
    return tally


EVENTS = Catalogue(Counted)
TALLY = Aggregate(name="tally", topic=TOPIC, catalogue=EVENTS, initial=Tally(), decide=decide, evolve=evolve)

TABLES = MetaData()
tallies = Table("tally", TABLES, Column("id", TEXT, primary_key=True), Column("sum", Integer, nullable=False))
_key = bindparam("key", type_=TEXT)
#: Statements that every database takes.
_BEGIN = insert(tallies).from_select(
    ["id", "sum"], select(_key, literal(0)).where(~exists().where(tallies.c.id == _key))
)
_ADD = update(tallies).where(tallies.c.id == _key).values(sum=tallies.c.sum + bindparam("by"))


def count_row(event: Any, recorded: Recorded) -> list[Change]:  # noqa: ANN401 (a handler of one event)
    return [(_BEGIN, {"key": recorded.subject}), (_ADD, {"key": recorded.subject, "by": event.by})]


VIEW = View(name="tallies", topic=TOPIC, catalogue=EVENTS, tables=TABLES, handlers={Counted: count_row})
#: For tests that want a statement the database refuses: the second insert of an id.
PLAIN_INSERT = insert(tallies)


def sums(db: Any) -> dict[str, int]:  # noqa: ANN401 (the storage's connection)
    """The view's whole answer."""
    return {row.id: row.sum for row in db.execute(select(tallies))}


def counted(subject: str, by: int = 1, *, source: str = "tally", command: str = "") -> NewRecord:
    """A record as a service writes it."""
    return said(Counted.TYPE, subject, msgspec.json.encode(Counted(by=by)), source=source, command=command)


def said(kind: str, subject: str, data: bytes, *, source: str = "tally", command: str = "") -> NewRecord:
    """A record of any type."""
    envelope = Envelope(
        specversion="1.0",
        id=CountedIds().new(),
        source=source,
        type=kind,
        subject=subject,
        time=NOW,
        datacontenttype="application/json",
        data=msgspec.Raw(data),
        actor="reader",
        commandid=command,
    )
    return NewRecord(subject, encode_envelope(envelope))


def strange(count: int) -> list[NewRecord]:
    """Records of an unknown type."""
    return [said("test.from-the-future.v1", "stranger", b"{}") for _ in range(count)]


async def written(log: Log, *records: NewRecord, name: str = "another", partition: int = 0) -> int:
    """Write records as another service; return the last one's offset."""
    writer = await log.writer(name, TOPIC, partition)
    return (await writer.append(records))[-1]


async def everything(log: Log, topic: str = TOPIC) -> list[Record]:
    """Return all records of a topic, partition by partition."""
    found: list[Record] = []
    for partition in range(log.partitions(topic)):
        end = await log.end(topic, partition)
        tail = await log.tail(topic, partition, 0)
        while tail.position < end:
            found += await tail.take(end - tail.position)
    return found


async def totals(log: Log) -> dict[str, int]:
    """Fold the whole log with a few lines of Python: what must be true."""
    found: dict[str, int] = {}
    for record in await everything(log):
        envelope = msgspec.json.decode(record.value)
        if envelope["type"] == Counted.TYPE:
            found[record.key] = found.get(record.key, 0) + int(envelope["data"]["by"])
    return found

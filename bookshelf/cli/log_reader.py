"""Opens the log that a command reads, of a data folder or on Kafka; reads and prints records of a topic.

Records are sorted by time across partitions.
The texts in the log come from clients, or from any program that can write to the broker. Therefore escape
sequences, and characters that change the direction of a line, are never sent to the terminal as they are.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import click
import msgspec
from msgspec.structs import replace
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.text import Text

from bookshelf.cli.command import stop
from bookshelf.cli.instance import kafka_log, topics
from bookshelf.cli.output import output_closed
from bookshelf.config import read, read_network, with_port
from bookshelf.cqrs.parent import parent_of
from bookshelf.cqrs.position import Position
from bookshelf.log.kafka.settings import KafkaSettings
from bookshelf.log.port import ReadOnlyLog, Record, Tail, partition_of
from bookshelf.log.sqlite.log import ReadOnlySqliteLog

#: Seconds that a command waits for a broker, unless a setting has another value: a user is waiting.
_WAIT_S = 10.0
_NAMES_A_BROKER = ("BOOKSHELF_BROKER", "KAFKA_BROKER_ADDR", "KAFKA_BROKER_PORT")
F = TypeVar("F", bound=Callable[..., object])


def log_options(command: F) -> F:
    """Add the options that choose the log to a command."""
    data = click.option("--data", metavar="DIR", help="The data folder of a shelf, running or not.")
    broker = click.option("--broker", metavar="ADDR", help="A Kafka broker, in place of a data folder.")
    return data(broker(command))


def asked_of(data: str | None, broker: str | None) -> KafkaSettings | None:
    """Return the settings for Kafka; None if a data folder is named, or if no broker is."""
    if data is not None and broker is not None:
        stop("--data and --broker are of two logs; name one")
    if data is not None or (broker is None and not any(os.environ.get(name) for name in _NAMES_A_BROKER)):
        return None
    addresses = broker and ",".join(with_port(address, "9092") for address in broker.split(","))
    kafka = read_network(os.environ, broker=addresses).kafka
    return kafka if "BOOKSHELF_BROKER_WAIT_S" in os.environ else replace(kafka, wait_s=_WAIT_S)


@asynccontextmanager
async def watched(data: str | None, broker: str | None, topic: str) -> AsyncIterator[ReadOnlyLog]:
    """Open the chosen log to read one of its topics. Raises `LogFault`."""
    known = [known_topic.name for known_topic in topics()]
    if topic not in known:
        stop(f"no service has a topic {topic[:100]!r}; there are {', '.join(known)}")
    kafka = asked_of(data, broker)
    log: ReadOnlyLog = (
        embedded(data) if kafka is None else await kafka_log("a log on Kafka").look(kafka, [topic])
    )
    try:
        yield log
    finally:
        await log.close()


def embedded(data: str | None) -> ReadOnlySqliteLog:
    """Open the log of a data folder. Raises `LogFault`."""
    return ReadOnlySqliteLog(read(os.environ, data=data).folder / "log.sqlite")


#: Characters of a record that is no event, in a line for people.
_SOME = 200


class PipeConsole(Console):
    """A console that raises BrokenPipeError if its output is closed."""

    def on_broken_pipe(self) -> None:
        """Raise the fault that is handled now."""
        raise  # noqa: PLE0704 (rich calls this while it handles the fault, and would end the process itself)


def plain(text: str) -> str:
    """Return the text with everything that cannot be seen written out, as Python escapes it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def event_of(record: Record) -> dict[str, Any] | None:
    """Return the event of a record as an object; None if its value is not a JSON object."""
    try:
        event = msgspec.json.decode(record.value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def moment(record: Record) -> datetime | None:
    """Return the time of the record's event, aware; None if it has none."""
    try:
        time = msgspec.convert((event_of(record) or {}).get("time"), datetime)
    except msgspec.ValidationError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


class EventPrinter:
    """Writes events to standard output."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._out = PipeConsole(file=sys.stdout, highlight=False, markup=False, emoji=False)

    def line(self, record: Record) -> None:
        """Write one event as one line."""
        if self._as_json:
            self._write(self._packed(record))
        elif self._out.is_terminal:
            self._out.print(_styled(record), no_wrap=True, overflow="ellipsis")
        else:
            self._write(_styled(record).plain)

    def whole(self, record: Record) -> None:
        """Write one event whole, on as many lines as it takes."""
        if self._as_json:
            self._write(self._packed(record))
            return
        event = event_of(record)
        self._out.print(Text(f"{_place(record)}  {plain(record.key)}", "bold"), soft_wrap=True)
        lines = (
            [_text(record)] if event is None else json.dumps(event, ensure_ascii=False, indent=2).split("\n")
        )
        text = "\n".join(map(plain, lines))
        self._out.print(JSONHighlighter()(Text(text)), soft_wrap=True)

    def flush(self) -> None:
        """Flush standard output. Raises BrokenPipeError if its reader has gone."""
        sys.stdout.flush()
        if output_closed():
            raise BrokenPipeError

    def _write(self, line: str) -> None:
        sys.stdout.write(f"{line}\n")

    def _packed(self, record: Record) -> str:
        event = event_of(record)
        what = {"unreadable": _text(record)} if event is None else {"event": event}
        fields = {"position": str(_place(record)), "key": record.key, **what}
        shown = json.dumps(fields, ensure_ascii=self._out.is_terminal, separators=(",", ":"))
        return shown.replace("\x7f", "\\u007f").encode(errors="replace").decode()


def _place(record: Record) -> Position:
    return Position(record.topic, record.partition, record.offset)


def _text(record: Record) -> str:
    return record.value.decode(errors="replace")


def _styled(record: Record) -> Text:
    event, place = event_of(record), str(_place(record))
    if event is None:
        rest = (("no event", "red"), "  ", plain(record.key), "  ", plain(_text(record)[:_SOME]))
        return Text.assemble((place, "cyan"), "  ", *rest)
    data = json.dumps(event.get("data"), ensure_ascii=False, separators=(", ", ": "))
    parts = (
        (plain(str(event.get("time", "?"))[:_SOME]), "dim"),
        (place, "cyan"),
        (plain(str(event.get("type", "?"))[:_SOME]), "bold"),
        (plain(record.key), ""),
        (plain(data), ""),
    )
    return Text("  ").join(Text(text, style) for text, style in parts)


#: Records of a partition that are read together.
_BATCH = 500
#: Seconds to wait for a record that is below the end of the log, and perhaps not committed yet.
_RECORD_S = 10.0
#: Seconds without a record after which it is checked again that the output still has a reader.
_LOOK_S = 0.5
#: How far the time of a record's append, by which a log is searched, may be from its event's.
_SLACK = timedelta(minutes=5)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Range(NamedTuple):
    """The part of a topic to read: from its start, from a position, from a time, or from now on."""

    topic: str
    whole: bool = False
    position: Position | None = None
    since: datetime | None = None
    follow: bool = True


async def looked_through(
    log: ReadOnlyLog, where: Range, paused: Callable[[], None]
) -> AsyncGenerator[Record, None]:
    """Yield the present records of a range by time, then new ones as they arrive.

    `paused` is called whenever there is no record for a while.
    """
    ends = await _ends(log, where)
    starts = {partition: await _start(log, where, partition, end) for partition, end in ends.items()}
    parts = [
        _so_far(log, where.topic, partition, start, ends[partition]) for partition, start in starts.items()
    ]
    async for record in by_time(parts):
        yield record
    paused()
    if where.follow:
        tails = [await log.tail(where.topic, partition, end) for partition, end in ends.items()]
        async for records in _from_now_on(tails):
            for record in records:
                yield record
            paused()


async def _ends(log: ReadOnlyLog, where: Range) -> Mapping[int, int]:
    count = log.partitions(where.topic)
    if where.position is not None and where.position.partition >= count:
        stop(f"there is no {where.position}: {where.topic} has {count} partitions, from 0")
    chosen = range(count) if where.position is None else (where.position.partition,)
    return {partition: await log.end(where.topic, partition) for partition in chosen}


async def _start(log: ReadOnlyLog, where: Range, partition: int, end: int) -> int:
    if where.position is not None:
        return where.position.offset
    if where.since is not None:
        return await log.since(where.topic, partition, where.since - _SLACK)
    return await log.start(where.topic, partition) if where.whole else end


async def _so_far(
    log: ReadOnlyLog, topic: str, partition: int, start: int, end: int
) -> AsyncIterator[Record]:
    """Yield the records of a partition before `end`, and none that came later."""
    tail = await log.tail(topic, partition, start)
    while tail.position < end:
        for record in await tail.take(_BATCH):
            if record.offset < end:
                yield record
    await tail.close()


async def by_time(parts: Iterable[AsyncIterator[Record]]) -> AsyncIterator[Record]:
    """Yield the records of several partitions by their events' times, each partition's in its own order."""
    heads: list[tuple[datetime, int, Record, AsyncIterator[Record]]] = []

    async def put(number: int, records: AsyncIterator[Record]) -> None:
        if (head := await anext(records, None)) is not None:
            heads.append((moment(head) or _LONG_AGO, number, head, records))

    for number, records in enumerate(parts):
        await put(number, records)
    while heads:
        first = min(heads, key=lambda head: head[:2])
        heads.remove(first)
        yield first[2]
        await put(first[1], first[3])


async def _from_now_on(tails: Sequence[Tail]) -> AsyncIterator[Sequence[Record]]:
    asked = {asyncio.ensure_future(tail.take(_BATCH)): tail for tail in tails}
    try:
        while True:
            answered, _ = await asyncio.wait(asked, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            if not answered:
                yield ()
            for task in answered:
                tail = asked.pop(task)
                yield task.result()
                asked[asyncio.ensure_future(tail.take(_BATCH))] = tail
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def of_key(log: ReadOnlyLog, topic: str, key: str) -> AsyncIterator[Record]:
    """Yield every record of an aggregate that is there now."""
    placed_by = dict.fromkeys((parent_of(key), key))  # a child is in the partition of its parent
    for partition in dict.fromkeys(partition_of(name, log.partitions(topic)) for name in placed_by):
        start, end = await log.start(topic, partition), await log.end(topic, partition)
        async for record in _so_far(log, topic, partition, start, end):
            if record.key == key:
                yield record


async def record_at(log: ReadOnlyLog, position: Position) -> Record:
    """Return the record at a position; end the command with a message if there is none."""
    topic, partition, offset = position.topic, position.partition, position.offset
    if partition >= log.partitions(topic):
        stop(f"there is no {position}: {topic} has {log.partitions(topic)} partitions, from 0")
    start, end = await log.start(topic, partition), await log.end(topic, partition)
    if not start <= offset < end:
        stop(f"there is no {position}: {topic}/{partition} has {start} to {end - 1}")
    tail = await log.tail(topic, partition, offset)
    try:
        async with asyncio.timeout(_RECORD_S):
            records = await tail.take(1)
    except TimeoutError:
        stop(f"{position} is not committed yet")
    if not records or records[0].offset != offset:
        stop(f"{position} is no record: a transaction's marker, or one that was taken back")
    return records[0]

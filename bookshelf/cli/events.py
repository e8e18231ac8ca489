"""`bookshelf events` prints events of a log, and `bookshelf topics` compares its topics with those needed.

The log is embedded or on Kafka, and is not changed.
"""

import re
import sys
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import click
import msgspec
from rich.table import Table

from bookshelf.cli.command import guarded, interruptible, run, stop
from bookshelf.cli.instance import topics as needed
from bookshelf.cli.log_reader import (
    EventPrinter,
    PipeConsole,
    Range,
    asked_of,
    embedded,
    event_of,
    log_options,
    looked_through,
    moment,
    of_key,
    plain,
    record_at,
    watched,
)
from bookshelf.cli.raise_topic import raise_command
from bookshelf.config import missing_extra
from bookshelf.cqrs.position import Position, parse_position
from bookshelf.log.kafka.settings import Finding, KafkaSettings
from bookshelf.log.port import Record
from bookshelf.runtime.logs import configure

_TOPIC = "bookshelf"
_AGO = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

_json = click.option("--json", "as_json", is_flag=True, help="JSON, one line for each event.")
_topic = click.option("--topic", default=_TOPIC, show_default=True, help="The topic to look at.")


class Wanted(NamedTuple):
    """Which events are shown: of these types (with * for anything), of this key, not before this time."""

    types: tuple[str, ...] = ()
    key: str | None = None
    since: datetime | None = None

    def has(self, record: Record) -> bool:
        """Return True if the event of a record is shown."""
        if self.key is not None and record.key != self.key:
            return False
        if self.since is not None and ((when := moment(record)) is None or when < self.since):
            return False
        kind = str((event_of(record) or {}).get("type", "")) if self.types else ""
        return not self.types or any(fnmatchcase(kind, pattern) for pattern in self.types)


@click.group()
def events() -> None:
    """Look at the events in the log: of a data folder, or of Kafka."""
    configure("warning", "auto")


@events.command()
@_topic
@click.option("--from", "begin", metavar="WHERE", help="start, or a position like bookshelf/0@42; else: now.")
@click.option(
    "--since", metavar="TIME", help="Events of this time or later: 2024-03-01T12:00Z, or 15m, 2h, 3d ago."
)
@click.option(
    "--type", "types", multiple=True, metavar="TYPE", help="Only of this type; * stands for anything."
)
@click.option("--key", metavar="ID", help="Only of this aggregate.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after N events.")
@click.option("--no-follow", "ends", is_flag=True, help="End with the last event that is there now.")
@_json
@log_options
def tail(begin: str | None, since: str | None, **given: Any) -> None:  # noqa: ANN401 (the options above)
    """Follow the events of a topic, until Ctrl-C."""
    if begin is not None and since is not None:
        stop("--from and --since both set where to begin; give one of them")
    when = None if since is None else _time(since)
    position = None if begin in {None, "start", "now"} else _position(begin or "")
    wanted = Wanted(given["types"], given["key"], when)
    where = Range(
        topic=given["topic"] if position is None else position.topic,
        whole=begin == "start",
        position=position,
        since=when,
        follow=not given["ends"],
    )
    interruptible(_tail(where, wanted, given))


async def _tail(where: Range, wanted: Wanted, given: dict[str, Any]) -> None:
    shower, left = EventPrinter(as_json=given["as_json"]), given["count"]
    async with (
        watched(given["data"], given["broker"], where.topic) as log,
        aclosing(looked_through(log, where, shower.flush)) as records,
    ):
        async for record in records:
            if not wanted.has(record):
                continue
            shower.line(record)
            if left is not None and (left := left - 1) == 0:
                return


@events.command()
@click.argument("position")
@_json
@log_options
def show(position: str, data: str | None, broker: str | None, *, as_json: bool) -> None:
    """Show the one event at POSITION (like bookshelf/0@42), whole."""

    async def print_event() -> None:
        where = _position(position)
        async with watched(data, broker, where.topic) as log:
            EventPrinter(as_json=as_json).whole(await record_at(log, where))

    interruptible(print_event())


@events.command()
@click.argument("key", metavar="ID")
@_topic
@_json
@log_options
def history(key: str, topic: str, data: str | None, broker: str | None, *, as_json: bool) -> None:
    """Show every event of the aggregate ID, in order."""
    interruptible(_history(key, topic, data, broker, as_json=as_json))


async def _history(key: str, topic: str, data: str | None, broker: str | None, *, as_json: bool) -> None:
    shower, found = EventPrinter(as_json=as_json), False
    async with watched(data, broker, topic) as log:
        async for record in of_key(log, topic, key):
            shower.line(record)
            found = True
    if not found:
        stop(f"{topic} has no event of {key[:100]!r}")


def _position(text: str) -> Position:
    try:
        return parse_position(text)
    except ValueError as fault:
        stop(str(fault))


def _time(text: str) -> datetime:
    if ago := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        return datetime.fromisoformat(text).astimezone(UTC)  # without a zone: this machine's
    except (ValueError, OverflowError):
        stop(f"--since {text[:100]!r} is no time; write it like 2024-03-01T12:00Z, or 2h for two hours ago")


@click.group()
def topics() -> None:
    """Look after the topics of the log."""
    configure("warning", "auto")


topics.add_command(raise_command)


@topics.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print them as one JSON array.")
@log_options
def check_(data: str | None, broker: str | None, *, as_json: bool) -> None:
    """Compare every topic that services need with the log; change nothing.

    The exit code is 0 if all is well, and 2 if something is to be corrected.
    """
    guarded(lambda: run(_check(data, broker, as_json=as_json)))


async def _check(data: str | None, broker: str | None, *, as_json: bool) -> None:
    kafka = asked_of(data, broker)
    lines = _embedded(data) if kafka is None else await _on_kafka(kafka)
    if as_json:
        click.echo(msgspec.json.encode(lines))
    elif sys.stdout.isatty():
        PipeConsole(highlight=False).print(_table(lines))
    else:
        for line in lines:
            click.echo("  ".join((line.topic, *_cells(line))).rstrip())
    if bad := [line for line in lines if line.do]:
        stop(f"{len(bad)} of {len(lines)} things are to be corrected; the first: {bad[0].topic}: {bad[0].do}")


async def _on_kafka(settings: KafkaSettings) -> list[Finding]:
    try:
        from bookshelf.log.kafka.topic_check import check  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as fault:
        raise missing_extra("a log on Kafka", fault, "kafka") from None
    return await check(settings, needed())


def _embedded(data: str | None) -> list[Finding]:
    """Return the findings for a data folder: its log makes topics itself, with fixed partitions."""
    log = embedded(data)
    ends = log.ends()
    found: list[Finding] = []
    for topic in needed():
        count = log.partitions(topic.name)
        records = sum(ends.get((topic.name, partition), 0) for partition in range(count))
        found += (
            Finding(
                topic.name, "topic", "there" if records else "nothing written yet", "there when it is written"
            ),
            Finding(topic.name, "partitions", str(count), str(count)),
            Finding(topic.name, "records", str(records), "any"),
        )
    return found


def _cells(line: Finding) -> tuple[str, ...]:
    good = not line.do
    expected = "" if good else f"expected {line.expected}: {line.do}"
    return "good" if good else "WRONG", line.name, plain(line.found), plain(expected)


def _table(lines: Sequence[Finding]) -> Table:
    table = Table("topic", "", "what", "found", "expected", "to do", box=None)
    for line in lines:
        mark = "[green]good[/]" if not line.do else "[red]wrong[/]"
        table.add_row(line.topic, mark, line.name, plain(line.found), line.expected, line.do)
    return table

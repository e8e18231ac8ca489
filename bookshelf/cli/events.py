"""`bookshelf events`: prints events of a log, embedded or on Kafka, without changing anything."""

import re
import sys
from collections.abc import Coroutine
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import click

from bookshelf.cli.event_reader import (
    EventPrinter,
    Range,
    event_of,
    looked_through,
    moment,
    of_key,
    record_at,
)
from bookshelf.cli.faults import guarded, stop
from bookshelf.cli.log_source import log_options, watched
from bookshelf.cli.loop import run
from bookshelf.cqrs.position import Position, parse_position
from bookshelf.log.port import Record
from bookshelf.runtime.logs import configure

_INTERRUPTED = 130
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
    _leaving(_tail(where, wanted, given))


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

    _leaving(print_event())


@events.command()
@click.argument("key", metavar="ID")
@_topic
@_json
@log_options
def history(key: str, topic: str, data: str | None, broker: str | None, *, as_json: bool) -> None:
    """Show every event of the aggregate ID, in order."""
    _leaving(_history(key, topic, data, broker, as_json=as_json))


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


def _leaving(work: Coroutine[Any, Any, None]) -> None:
    """Run a command that a user ends with Ctrl-C."""

    def go() -> None:
        try:
            run(work)
        except KeyboardInterrupt:
            sys.exit(_INTERRUPTED)

    guarded(go)

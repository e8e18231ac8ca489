"""Prints events: one line each for people, or JSON for programs, with control characters escaped.

The texts in the log come from clients, or from any program that can write to the broker. Therefore escape
sequences, and characters that change the direction of a line, are never sent to the terminal as they are.
"""

import json
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.text import Text

from bookshelf.cli.output import output_closed
from bookshelf.cqrs.position import Position
from bookshelf.log.port import Record

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

"""Events as they are shown: to people a line each, to programs JSON. Nothing in them moves a terminal.

What is in the log is a client's word, or a stranger's who may write to the broker: escape sequences, and
characters that turn the direction of a line around, are written out in place of being sent.
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
    """Return what the record says; None if that is no JSON object."""
    try:
        said = msgspec.json.decode(record.value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def moment(record: Record) -> datetime | None:
    """Return the time of the record's event, aware; None if it has none."""
    try:
        found = msgspec.convert((event_of(record) or {}).get("time"), datetime)
    except msgspec.ValidationError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


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
        said = event_of(record)
        self._out.print(Text(f"{_place(record)}  {plain(record.key)}", "bold"), soft_wrap=True)
        text = plain(_text(record)) if said is None else _indented(said)
        self._out.print(JSONHighlighter()(Text(text)), soft_wrap=True)

    def flush(self) -> None:
        """Let readers have it. Raises BrokenPipeError if there are none any more."""
        sys.stdout.flush()
        if output_closed():
            raise BrokenPipeError

    def _write(self, line: str) -> None:
        sys.stdout.write(f"{line}\n")

    def _packed(self, record: Record) -> str:
        said = event_of(record)
        what = {"unreadable": _text(record)} if said is None else {"event": said}
        fields = {"position": str(_place(record)), "key": record.key, **what}
        shown = json.dumps(fields, ensure_ascii=self._out.is_terminal, separators=(",", ":"))
        return shown.replace("\x7f", "\\u007f").encode(errors="replace").decode()


def _place(record: Record) -> Position:
    return Position(record.topic, record.partition, record.offset)


def _text(record: Record) -> str:
    return record.value.decode(errors="replace")


def _styled(record: Record) -> Text:
    said, place = event_of(record), str(_place(record))
    if said is None:
        rest = (("no event", "red"), "  ", plain(record.key), "  ", plain(_text(record)[:_SOME]))
        return Text.assemble((place, "cyan"), "  ", *rest)
    data = json.dumps(said.get("data"), ensure_ascii=False, separators=(", ", ": "))
    parts = (
        (plain(str(said.get("time", "?"))[:_SOME]), "dim"),
        (place, "cyan"),
        (plain(str(said.get("type", "?"))[:_SOME]), "bold"),
        (plain(record.key), ""),
        (plain(data), ""),
    )
    return Text("  ").join(Text(text, style) for text, style in parts)


def _indented(said: dict[str, Any]) -> str:
    lines = json.dumps(said, ensure_ascii=False, indent=2).split("\n")
    return "\n".join(plain(line) for line in lines)

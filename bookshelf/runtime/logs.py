"""Log lines: events with fields; text for people on a terminal, JSON for everyone else."""

import contextlib
import json
import logging
import sys
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import structlog

if TYPE_CHECKING:
    from structlog.typing import Processor

#: The levels that can be set on a running process; a test compares them with those of the setting.
Level = Literal["debug", "info", "warning", "error"]
#: What the fast encoder may have.
_PLAIN = frozenset({str, int, float, bool, type(None)})


def configure(level: str, form: str) -> None:
    """Send this process's log lines to standard error. `form` is auto, text or json."""
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.dev.ConsoleRenderer() if text else structlog.processors.JSONRenderer(_line),
    ]
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def set_level(level: Level) -> None:
    """Change the level of this process's log; form and destination stay as configured."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())))


def _line(fields: dict[str, Any], **_told: object) -> str:
    """Write a line; what is not plain as `repr` says it, which hides passwords."""
    if _PLAIN.issuperset(map(type, fields.values())):
        with contextlib.suppress(UnicodeEncodeError):  # half a character
            return msgspec.json.encode(fields).decode()
    return json.dumps(fields, default=repr)

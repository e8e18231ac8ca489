"""Configures logging: log events with fields, as text on a terminal and as JSON otherwise."""

import contextlib
import json
import logging
import sys
from typing import Any, Literal

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger, Processor

#: The levels that can be set on a running process; a test compares them with those of the setting.
Level = Literal["debug", "info", "warning", "error"]
#: The types of fields that the fast encoder handles.
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
        wrapper_class=_wrapper(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def set_level(level: Level) -> None:
    """Change the level of this process's log; form and destination stay as configured."""
    structlog.configure(wrapper_class=_wrapper(level))


def _wrapper(level: str) -> type[FilteringBoundLogger]:
    """Return the class of loggers that drop events below the level."""
    return structlog.make_filtering_bound_logger(getattr(logging, level.upper()))


def _line(fields: dict[str, Any], **_options: object) -> str:
    """Return the fields as JSON; values of other types are written by `repr`, which hides passwords."""
    if _PLAIN.issuperset(map(type, fields.values())):
        with contextlib.suppress(UnicodeEncodeError):  # a lone surrogate
            return msgspec.json.encode(fields).decode()
    return json.dumps(fields, default=repr)

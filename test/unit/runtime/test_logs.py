"""Log lines for machines: each is one object of JSON, whatever is in it, and shows no password."""

import contextlib
import io
import json
from collections.abc import Callable

import pytest
import structlog

from bookshelf.log.kafka.settings import KafkaSettings
from bookshelf.runtime.logs import configure

Logger = structlog.stdlib.BoundLogger


def line(say: Callable[[Logger], None]) -> dict[str, object]:
    """Return the line that is written for a log event."""
    with contextlib.redirect_stderr(io.StringIO()) as written:
        configure("info", "json")
        say(structlog.get_logger())
    structlog.reset_defaults()
    assert written.getvalue().count("\n") == 1
    found: dict[str, object] = json.loads(written.getvalue())
    return found


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines", "two\nlines"),
        ("🦊 \x00 \x1b[31m", "🦊 \x00 \x1b[31m"),
        ("half \udc80", "half \udc80"),
        (7, 7),
        (None, None),
        ([1, "two"], [1, "two"]),
        (b"bytes", "b'bytes'"),
        (ValueError("no"), "ValueError('no')"),
        (float("inf"), None),
    ],
)
def test_every_log_entry_is_one_line(value: object, shown: object) -> None:
    found = line(lambda logger: logger.info("this", value=value))
    assert (found["event"], found["level"], found["value"]) == ("this", "info", shown)
    assert str(found["timestamp"]).endswith("Z")


def test_settings_hide_their_password() -> None:
    settings = KafkaSettings(sasl_password="hidden")  # noqa: S106 (to be looked for)
    found = line(lambda logger: logger.info("opened", settings=settings))
    assert "127.0.0.1:9092" in str(found["settings"])
    assert "hidden" not in str(found)


def test_a_defect_with_its_traceback_is_one_line() -> None:
    found = line(lambda logger: logger.error("defect", exc_info=ValueError("no")))
    assert "ValueError: no" in str(found["exception"])

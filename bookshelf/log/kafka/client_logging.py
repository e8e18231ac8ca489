"""What aiokafka says to Python's own logging, as log lines of ours: little of it, and not the same for ever.

In an outage it says hundreds of lines a second. What a person must know, this adapter says itself.
"""

import logging
import time

import structlog

#: Seconds for which the same complaint is only counted.
_QUIET_S = 10.0
_logger = structlog.get_logger(__name__)


class _LogFilter(logging.Handler):
    """Errors become warnings, once in a while; what is less is said for debugging."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: dict[str, float] = {}
        self._kept: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a line on, or count it."""
        said = " ".join(record.getMessage().split())
        if record.levelno < logging.ERROR:
            _logger.debug("kafka-client", said=said)
            return
        kind, now = str(record.msg), time.monotonic()
        if now - self._said.get(kind, -_QUIET_S) < _QUIET_S:
            self._kept[kind] = self._kept.get(kind, 0) + 1
            return
        self._said[kind] = now
        why = record.exc_info and repr(record.exc_info[1])
        _logger.warning("kafka-client", said=said, why=why, kept_back=self._kept.pop(kind, 0))


_FILTER = _LogFilter()


def listen() -> None:
    """Hear aiokafka from now on; doing it twice is doing it once."""
    logging.getLogger("aiokafka").addHandler(_FILTER)

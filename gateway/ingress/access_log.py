"""The access log: one line for each request, without anything that may be secret.

Query strings, bodies and header values are not logged, except the ids of the request and of its trace.
"""

import logging
import re
import secrets

import structlog
from multidict import CIMultiDict

from bookshelf.http.message import Request, Response
from bookshelf.runtime.api.header_fields import trace

#: The most characters of a path that are logged.
_MOST = 256
#: How many ids are generated at a time.
_AT_ONCE = 256
_ID = re.compile(r"[A-Za-z0-9._:-]{8,128}")
ID = "X-Request-Id"
_TRACE = "traceparent"
_NO_TRACE, _NO_SPAN, _NO_VERSION = "0" * 32, "0" * 16, "ff"


class RequestIds:
    """Assigns ids to requests. Random bytes are read for many ids at once, to save system calls."""

    def __init__(self) -> None:
        self._made: list[str] = []

    def of(self, request: Request) -> str:
        """Return the request's id: the client's if it is well-formed, else a new one."""
        given = request.headers.get(ID)
        if given is not None and _ID.fullmatch(given):
            return given
        if not self._made:
            many = secrets.token_hex(8 * _AT_ONCE)
            self._made = [many[place : place + 16] for place in range(0, 16 * _AT_ONCE, 16)]
        return self._made.pop()


class Traces:
    """Assigns trace ids (W3C Trace Context). A request without a valid one starts a new trace."""

    def __init__(self) -> None:
        self._made: list[str] = []

    def begin(self, request: Request) -> str:
        """Return the trace id of the request; if its traceparent is not valid, set a new one."""
        given = trace(request.headers)
        version, trace_id, span = given[:2], given[3:35], given[36:52]
        if given and version != _NO_VERSION and trace_id != _NO_TRACE and span != _NO_SPAN:
            return trace_id
        headers = request.headers = CIMultiDict(request.headers)
        headers.popall("tracestate", None)  # it belongs to the invalid trace
        if not self._made:
            many = secrets.token_hex(24 * _AT_ONCE)
            self._made = [many[place : place + 48] for place in range(0, 48 * _AT_ONCE, 48)]
        ids = self._made.pop()
        headers[_TRACE] = f"00-{ids[:32]}-{ids[32:]}-01"
        return ids[:32]


class AccessLog:
    """Writes the access log, at the log level of the moment."""

    def __init__(self) -> None:
        self._bind()

    def _bind(self) -> None:
        # bound once for each level: a lazy logger would be assembled again for each line, written or not
        self._level = structlog.get_config()["wrapper_class"]
        self._logger = structlog.get_logger("gateway.access").bind()
        self._enabled = bool(self._logger.is_enabled_for(logging.INFO))

    def note(self, request: Request, response: Response, seconds: float, trace_id: str) -> None:
        """Write the line of one request, if the log level includes it."""
        if structlog.get_config()["wrapper_class"] is not self._level:
            self._bind()
        if not self._enabled:
            return
        body = response.body
        self._logger.info(
            "request",
            id=request.id,
            trace=trace_id,
            client=request.peer,
            method=request.method[:16],
            path=request.target.partition("?")[0][:_MOST],
            status=response.status,
            ms=round(1e3 * seconds, 2),
            bytes=len(body) if isinstance(body, bytes) else None,
            actor=request.actor or None,
        )

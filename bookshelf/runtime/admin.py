"""The admin API of one process: its log level, and the operations on the services that it runs."""

import hmac

import msgspec

from bookshelf.http.message import BrokenBody, Handler, Request, Response, TooLarge
from bookshelf.http.problem import Problem, problem_response
from bookshelf.runtime.decoding import Decoder
from bookshelf.runtime.logs import Level, set_level

#: Bytes of a request's body.
_MAX_BODY = 1 << 16
#: The address of the pages.
_PAGES = "/console"


class LogLevel(msgspec.Struct, forbid_unknown_fields=True):
    """The level from which on events are logged."""

    level: Level


_read_level = Decoder(LogLevel).body


class AdminApi:
    """Checks the operators' token and sets the log level; `operations` answers all other requests.

    `console` answers those for pages, below /console: it checks itself if a browser has signed in.
    """

    def __init__(self, token: str, operations: Handler | None = None, console: Handler | None = None) -> None:
        self._token = token
        self._operations = operations
        self._console = console

    async def handle(self, request: Request) -> Response:
        """Answer a request that has the token; any other gets 403 without a body."""
        if self._console is not None and _is_page(request.target):
            return await self._console.handle(request)
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return Response(403, {})
        if (request.method, request.target) == ("PUT", "/log-level"):
            return await _set_level(request)
        if self._operations is not None:
            return await self._operations.handle(request)
        return problem_response(
            Problem("no-route", "this process has no services; only its log level can be set")
        )


def _is_page(target: str) -> bool:
    return target.partition("?")[0] == _PAGES or target.startswith(f"{_PAGES}/")


async def _set_level(request: Request) -> Response:
    try:
        wanted: LogLevel = _read_level(await request.body.read(_MAX_BODY))
    except Problem as problem:
        return problem_response(problem)
    except TooLarge as fault:
        return problem_response(Problem("too-large", str(fault)))
    except BrokenBody as fault:
        return problem_response(Problem("timeout", str(fault)))
    set_level(wanted.level)
    return Response(200, {"Content-Type": "application/json"}, msgspec.json.encode(wanted))

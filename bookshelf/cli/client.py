"""The client of the shelf for commands: over HTTP to a running shelf, or to one started in this process."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import aiohttp
import msgspec

from bookshelf.cli.embedded import embedded
from bookshelf.config import Settings
from bookshelf.http.message import Handler, request
from bookshelf.runtime.data_folder import running

#: Seconds that one request may take, and for which requests to a shelf that is away are retried in total.
REQUEST_S = 60.0
PATIENCE_S = 30.0
#: Seconds of retries for a shelf that has never answered: perhaps nothing runs at that address.
_FIRST_PATIENCE_S = 2.0
_FIRST_PAUSE_S = 0.05
_LAST_PAUSE_S = 2.0
_AGAIN = frozenset({429, 502, 503, 504})


class NoShelf(Exception):
    """The shelf does not answer; the message has its address and what to try."""


class Reply(NamedTuple):
    """An answer: status, headers, and the body as read from JSON (None if there is none)."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def detail(self) -> str:
        """The detail of a problem, or else the status."""
        return (
            str(self.body["detail"])
            if isinstance(self.body, dict) and "detail" in self.body
            else f"{self.status}"
        )


class ShelfClient(Protocol):
    """Sends requests to a shelf."""

    async def ask(self, method: str, target: str, content: bytes, headers: Mapping[str, str]) -> Reply:
        """Send one request. Raises OSError or TimeoutError if no answer comes."""


class HttpClient:
    """Sends requests to a shelf over HTTP."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def ask(self, method: str, target: str, content: bytes, headers: Mapping[str, str]) -> Reply:
        """Send over HTTP."""
        try:
            async with self._session.request(
                method, self._url + target, data=content, headers=headers
            ) as answer:
                return _reply(answer.status, answer.headers, await answer.read())
        except aiohttp.ClientError as fault:
            raise ConnectionError(str(fault)) from fault


class InProcessClient:
    """Sends requests to a shelf in this process, without a socket."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def ask(self, method: str, target: str, content: bytes, headers: Mapping[str, str]) -> Reply:
        """Call the handler."""
        answer = await self._handler.handle(request(method, target, content, **headers))
        body = (
            answer.body
            if isinstance(answer.body, bytes)
            else b"".join([piece async for piece in answer.body])
        )
        return _reply(answer.status, answer.headers, body)


def _reply(status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    try:
        return Reply(status, headers, msgspec.json.decode(body) if body else None)
    except msgspec.DecodeError:
        return Reply(status, headers, None)


class Shelf:
    """Sends requests and retries them while the shelf is busy; that is safe, as each command has its key."""

    def __init__(self, client: ShelfClient, where: str) -> None:
        self._client = client
        self._answered = False
        self.where = where

    async def get(self, target: str) -> Reply:
        """Return the answer to a query. Raises `NoShelf`."""
        return await self._patiently("GET", target, b"", {})

    async def post(self, target: str, body: Mapping[str, Any], key: str) -> Reply:
        """Return the answer to a command. Raises `NoShelf`."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return await self._patiently("POST", target, msgspec.json.encode(body), headers)

    async def _patiently(self, method: str, target: str, content: bytes, headers: Mapping[str, str]) -> Reply:
        began = asyncio.get_running_loop().time()
        pause = _FIRST_PAUSE_S
        while True:
            why = "it is busy"
            try:
                reply = await self._client.ask(method, target, content, headers)
                self._answered = True
                if reply.status not in _AGAIN:
                    return reply
                why = reply.detail
            except (OSError, TimeoutError) as fault:
                why = str(fault) or type(fault).__name__
            patience_s = PATIENCE_S if self._answered else _FIRST_PATIENCE_S
            if asyncio.get_running_loop().time() + pause > began + patience_s:
                msg = f"the shelf at {self.where} does not answer ({why}); see that `bookshelf up` runs there"
                raise NoShelf(msg)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE_S)


def address_of(url: str) -> str:
    """Return the base URL of a gateway from a URL that a user has typed or copied.

    The scheme may be missing, and a path, as `bookshelf up` prints it, is removed. Raises `NoShelf`.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of the port
        valid = False
    if not valid:
        msg = f"{url!r} is no address of a shelf; one is like http://localhost:8000"
        raise NoShelf(msg)
    return f"{parts.scheme}://{parts.netloc}"


@asynccontextmanager
async def shelf(settings: Settings, url: str | None, *, new: bool = True) -> AsyncIterator[Shelf]:
    """Yield a client of the shelf at `url`, else of the one that runs on the data folder.

    If none runs there, one is run in this process until the block ends. Raises `NoShelf` for a folder without
    a shelf, unless it may be a `new` one.
    """
    if url is None and (note := running(settings.folder)) is not None:
        url = note.url
    if url is not None:
        url = address_of(url)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_S)) as session:
            yield Shelf(HttpClient(session, url), url)
        return
    if not new and not (settings.folder / "log.sqlite").exists():
        msg = f"there is no shelf in {settings.folder}; name its folder (--data) or its address (--url)"
        raise NoShelf(msg)
    async with embedded(settings.private()) as own:
        yield Shelf(InProcessClient(own.gateway), str(settings.folder))

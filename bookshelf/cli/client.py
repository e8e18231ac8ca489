"""The client of the shelf for commands: over HTTP to a running shelf, or to one started in this process."""

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from types import MappingProxyType
from typing import IO, Any
from urllib.parse import unquote, urlsplit

import msgspec

from bookshelf.cli.signing_in import Credentials, NotSignedIn, SignedIn
from bookshelf.config import Settings
from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.http.client import NoResponse, RemoteHandler, Unreachable
from bookshelf.http.message import (
    BrokenBody,
    Handler,
    Request,
    Response,
    TooLarge,
    pieces_of,
    read_response,
    request,
)
from bookshelf.runtime.api.header_fields import AFTER, END
from bookshelf.runtime.data_folder import running

#: Seconds that one request may take, and for which requests to a shelf that is away are retried in total.
REQUEST_S = 60.0
PATIENCE_S = 30.0
#: Seconds of retries for a shelf that has never answered: perhaps nothing runs at that address.
_FIRST_PATIENCE_S = 2.0
_FIRST_PAUSE_S = 0.05
_LAST_PAUSE_S = 2.0
#: What a shelf that is away, or is just being stopped, leads to.
_AWAY = (Unreachable, NoResponse, BrokenBody, TooLarge, TimeoutError)
_AGAIN = frozenset({429, 502, 503, 504})
#: What was done by other commands is seen, also if a view is late: a command knows no positions of theirs.
_ALL = {AFTER: END}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: The most bytes of a response.
_MOST = 256 << 20


class NoShelf(Exception):
    """The shelf does not answer; the message has its address and what to try."""


class Shelf:
    """Sends requests and retries them while the shelf is busy; that is safe, as each command has its key."""

    def __init__(
        self, gateway: Handler, where: str, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._gateway = gateway
        self._headers = headers
        self._answered = False
        self.where = where

    async def get(self, target: str, headers: Mapping[str, str] | None = None) -> ApiAnswer:
        """Return the answer to a query, which has all that was done before. Raises `NoShelf`."""
        return await self._patiently("GET", target, b"", {**_ALL, **(headers or {})})

    async def send(self, method: str, target: str, body: object, headers: Mapping[str, str]) -> ApiAnswer:
        """Return the answer to a command; `headers` has its Idempotency-Key. Raises `NoShelf`."""
        content = b"" if body is None else msgspec.json.encode(body)
        return await self._patiently(method, target, content, {"Content-Type": "application/json", **headers})

    async def post(self, target: str, body: Mapping[str, Any], key: str) -> ApiAnswer:
        """Return the answer to a command. Raises `NoShelf`."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return await self._patiently("POST", target, msgspec.json.encode(body), headers)

    async def put(self, target: str, content: bytes, media_type: str) -> ApiAnswer:
        """Return the answer to a PUT of a file, which may be repeated. Raises `NoShelf`."""
        return await self._patiently("PUT", target, content, {"Content-Type": media_type})

    async def save(self, target: str, file: IO[bytes]) -> None:
        """Write the answer to a query into a file, whatever its size. Raises `NoShelf`."""
        try:
            response = await self._handled(request("GET", target, b"", **{**_ALL, **self._headers}))
            async for piece in pieces_of(response):
                file.write(piece)
        except _AWAY as fault:
            raise NoShelf(f"the shelf at {self.where} does not answer ({fault})") from fault
        if response.status != HTTPStatus.OK:
            raise NoShelf(f"the shelf at {self.where} did not send {target}: see that its site runs")

    async def _patiently(
        self, method: str, target: str, content: bytes, headers: Mapping[str, str]
    ) -> ApiAnswer:
        began = asyncio.get_running_loop().time()
        pause = _FIRST_PAUSE_S
        while True:
            why = "it is busy"
            try:
                reply = await self._send(method, target, content, headers)
                self._answered = True
                if reply.status not in _AGAIN:
                    return reply
                why = reply.detail
            except _AWAY as fault:
                why = str(fault) or type(fault).__name__
            patience_s = PATIENCE_S if self._answered else _FIRST_PATIENCE_S
            if asyncio.get_running_loop().time() + pause > began + patience_s:
                msg = f"the shelf at {self.where} does not answer ({why}); see that `bookshelf up` runs there"
                raise NoShelf(msg)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE_S)

    async def _handled(self, asked: Request) -> Response:
        try:
            response = await self._gateway.handle(asked)
        except NotSignedIn as fault:
            raise NoShelf(f"signing in to the shelf at {self.where} has failed: {fault}") from None
        if response.status == HTTPStatus.UNAUTHORIZED:
            raise NoShelf(f"the shelf at {self.where} has accounts: sign in with --login and your handle")
        return response

    async def _send(self, method: str, target: str, content: bytes, headers: Mapping[str, str]) -> ApiAnswer:
        async with asyncio.timeout(REQUEST_S):
            asked = request(method, target, content, **{**self._headers, **headers})
            response = await self._handled(asked)
            body = await read_response(response, _MOST)
        if response.status in _REDIRECTS:
            location = response.headers.get("Location", "another address")
            raise NoShelf(f"the shelf at {self.where} redirects to {location}; name that address with --url")
        try:
            return ApiAnswer(response.status, response.headers, msgspec.json.decode(body) if body else None)
        except msgspec.DecodeError:
            return ApiAnswer(response.status, response.headers, None)


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


def _credentials(url: str) -> Mapping[str, str]:
    """Return the Authorization header of a URL with a user name, as for a proxy before the shelf."""
    parts = urlsplit(url)
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


@asynccontextmanager
async def shelf(
    settings: Settings, url: str | None, login: Credentials | None = None, *, new: bool = True
) -> AsyncIterator[Shelf]:
    """Yield a client of the shelf at `url`, else of the one that runs on the data folder.

    If none runs there, one is run in this process until the block ends. With a `login`, requests are those of
    that person, whose session ends with the block. Raises `NoShelf` for a folder without
    a shelf, unless it may be a `new` one.
    """
    if url is None and (note := running(settings.folder)) is not None:
        url = note.url
    if url is not None:
        url = address_of(url)
        remote = RemoteHandler(url, answer_s=REQUEST_S)
        try:
            async with _signed_in(remote, login) as handler:
                yield Shelf(handler, url, _credentials(url))
        finally:
            await remote.close()
        return
    if not new and not (settings.folder / "log.sqlite").exists():
        msg = f"there is no shelf in {settings.folder}; name its folder (--data) or its address (--url)"
        raise NoShelf(msg)
    from bookshelf.cli.embedded import embedded  # noqa: PLC0415 (most commands ask a running shelf)

    async with (
        embedded(settings.private(accounts=login is not None)) as own,
        _signed_in(own.gateway, login) as handler,
    ):
        yield Shelf(handler, str(settings.folder))


@asynccontextmanager
async def _signed_in(handler: Handler, login: Credentials | None) -> AsyncIterator[Handler]:
    if login is None:
        yield handler
        return
    person = SignedIn(handler, login)
    try:
        yield person
    finally:
        # the session ends by itself, too
        with contextlib.suppress(*_AWAY):
            await person.end()

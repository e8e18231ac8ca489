"""A site in this process: pages asked for as by a browser, over an API that is scripted or real."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from multidict import CIMultiDict
from support.fixed_infrastructure import CountedIds, FixedClock
from support.shelf import Shelf

from bookshelf.cqrs.handler import LOCAL, Caller, HandlerRoute, RequestContext
from bookshelf.http.message import Handler, Headers, Request, Response, read_response, request
from bookshelf.http.problem import Problem, problem_response
from bookshelf.http.router import Router
from bookshelf.keyring.port import KeyringFault, KeyStore
from bookshelf.media.memory import MemoryBlobs
from bookshelf.media.pool import PictureWorkers
from bookshelf.runtime.api.identity import ApiOfCaller, Callers, LocalReader
from bookshelf.runtime.election.leases import Locks
from bookshelf.runtime.election.local import LocalElection
from bookshelf.site.jobs import Jobs
from bookshelf.site.routes import Site

if TYPE_CHECKING:
    from bookshelf.media.port import BlobStore

FORM = "application/x-www-form-urlencoded"
_MOST = 16 << 20
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL)


class ScriptedApi:
    """Answers requests of the API from a table by method and path, and keeps the requests."""

    def __init__(self, answers: Mapping[tuple[str, str], Response] | None = None) -> None:
        self._answers = dict(answers or {})
        self.requests: list[Request] = []

    def answer(self, method: str, target: str, status: int, body: Any = None, **headers: str) -> None:  # noqa: ANN401 (JSON)
        """Answer a method and a target without its query string like this from now on."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._answers[method, target] = Response(status, named, msgspec.json.encode(body))

    async def handle(self, request: Request) -> Response:
        """Return the scripted answer, else 404."""
        self.requests.append(request)
        path = request.target.removeprefix("/bookshelf").partition("?")[0]
        found = self._answers.get((request.method, path))
        return found or problem_response(Problem("not-found", f"no answer is scripted for {path}"))

    @property
    def sent(self) -> list[tuple[str, str, Any]]:
        """The commands that were sent: method, path and body."""
        return [
            (one.method, one.target.removeprefix("/bookshelf"), _json(one))
            for one in self.requests
            if one.method != "GET"
        ]


def _json(request: Request) -> Any:  # noqa: ANN401 (JSON)
    content = request.body.content  # type: ignore[attr-defined]  # a BytesBody
    return msgspec.json.decode(content) if content else None


class ShelfApi:
    """Sends the requests of pages to the services of a shelf in this process, as the gateway does."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def handle(self, request: Request) -> Response:
        """Return the answer of the service that has the path."""
        callers = self._shelf.infrastructure.callers
        caller = callers.of(request)
        request.target = request.target.removeprefix("/bookshelf")
        callers.sign(caller, request)
        return await self._shelf.edge(request.method, request.target).handle(request)


class Ports:
    """The ports of page functions: an API, a fixed time, counted ids."""

    def __init__(self, api: Handler, clock: FixedClock, folder: str, callers: Callers) -> None:
        self._api = api
        self._callers = callers
        self.folder = folder
        self.blobs: BlobStore = MemoryBlobs()
        self.keys: KeyStore | None = None
        self.pictures = PictureWorkers(1)
        self._clock = clock
        self._ids = CountedIds()
        self._locks = Locks(LocalElection(), "tested")

    def api(self, caller: Caller) -> Handler:
        return ApiOfCaller(self._api, self._callers, caller)

    def now(self) -> datetime:
        return self._clock.now()

    def lease(self, name: str, ttl_s: float = 30.0) -> AbstractAsyncContextManager[int]:
        return self._locks.acquire(name, ttl_s)

    @property
    def primary_token(self) -> int | None:
        return None

    def new_id(self) -> str:
        return self._ids.new()

    async def ask(self, *_: object, **__: object) -> Any:  # noqa: ANN401 (as declared)
        raise AssertionError("a page asks no aggregate")

    async def state(self, *_: object, **__: object) -> Any:  # noqa: ANN401 (as declared)
        raise AssertionError("a page reads no state")

    async def query(self, *_: object, **_options: object) -> Any:  # noqa: ANN401 (as declared)
        raise AssertionError("a page reads no view")

    @property
    def keyring(self) -> KeyStore:
        if self.keys is None:
            raise KeyringFault("there is no keyring")
        return self.keys

    async def secret(self, *_: object) -> bytes:
        raise AssertionError("a page needs no secret")

    async def seal(self, *_: object) -> Any:  # noqa: ANN401 (as declared)
        raise AssertionError("a page seals nothing")

    async def open(self, *_: object) -> Any:  # noqa: ANN401 (as declared)
        raise AssertionError("a page opens nothing")

    async def forget(self, *_: object) -> None:
        raise AssertionError("a page forgets nobody")


class ShownPage:
    """A response, read whole: its status, headers, HTML, and the words that a reader sees."""

    def __init__(self, status: int, headers: Headers, html: str) -> None:
        self.status = status
        self.headers = headers
        self.html = html

    @property
    def words(self) -> str:
        """The text of the page, with single spaces."""
        return " ".join(_TAG.sub(" ", self.html).split())

    @property
    def location(self) -> str:
        return self.headers["Location"]

    def value(self, name: str) -> str:
        """The value of the first input with this name."""
        found = re.search(rf'<input[^>]*name="{re.escape(name)}"[^>]*value="([^"]*)"', self.html)
        assert found is not None, f"there is no input {name}"
        return found[1]


class Pages:
    """Asks a site for pages, and keeps its cookies and positions as a browser and the gateway do."""

    def __init__(
        self,
        site: Site,
        api: Handler,
        clock: FixedClock | None = None,
        folder: Path | None = None,
        caller: Caller = LOCAL,
        callers: Callers | None = None,
    ) -> None:
        self._site = site
        self._caller = caller
        self.ports = Ports(api, clock or FixedClock(), str(folder), callers or LocalReader())
        self._router: Router[HandlerRoute] = Router()
        for route in site.routes:
            self._router.add(route.method, route.path, route)
        self.cookies: dict[str, str] = {}
        self._after = ""

    @asynccontextmanager
    async def running_jobs(self, waits_least_s: float = 60) -> AsyncIterator[Jobs]:
        """Run the site's jobs in the folder until the block ends; pages wait for slow ones."""
        async with self._site.jobs_of(self.ports) as jobs:
            jobs.waits_least_s = waits_least_s
            yield jobs

    async def get(self, target: str, **headers: str) -> ShownPage:
        """Return a page; header names are written with underscores."""
        return await self._send(request("GET", target, b"", **headers))

    async def post(self, target: str, fields: Mapping[str, Any], **headers: str) -> ShownPage:
        """Send a form; a field with a list is sent once for each value."""
        content = urlencode(fields, doseq=True).encode()
        return await self._send(request("POST", target, content, Content_Type=FORM, **headers))

    async def upload(
        self, target: str, fields: Mapping[str, str], files: Mapping[str, tuple[str, bytes]]
    ) -> ShownPage:
        """Send a form with files, each with its name and content."""
        parts = [f'name="{name}"\r\n\r\n{text}'.encode() for name, text in fields.items()]
        parts += [
            f'name="{name}"; filename="{file}"\r\n\r\n'.encode() + content
            for name, (file, content) in files.items()
        ]
        body = b"".join(b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
        kind = "multipart/form-data; boundary=b"
        return await self._send(request("POST", target, body + b"--b--\r\n", Content_Type=kind))

    async def submit(self, target: str, fields: Mapping[str, Any]) -> ShownPage:
        """Send a form and follow its redirect, as a browser does."""
        answer = await self.post(target, fields)
        return await self.get(answer.location) if answer.status == 303 else answer

    async def download(self, target: str) -> bytes:
        """Return the bytes of a file."""
        return await read_response(await self._answer(request("GET", target, b"")), _MOST)

    async def _send(self, asked: Request) -> ShownPage:
        sent = CIMultiDict(asked.headers)
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self._after:
            sent.setdefault("Bookshelf-After", self._after)
        asked.headers = sent
        response = await self._answer(asked)
        headers = CIMultiDict(response.headers)
        self._keep(headers)
        return ShownPage(response.status, headers, (await read_response(response, _MOST)).decode())

    async def _answer(self, asked: Request) -> Response:
        try:
            route, _, path = self._router.find(asked.method, asked.target.partition("?")[0])
            context = RequestContext(at=self.ports.now(), caller=self._caller, path=path)
            return await route.handler(asked, context, self.ports)
        except Problem as problem:
            return await self._site.error_page(asked, problem)

    def _keep(self, headers: Headers) -> None:
        for line in headers.getall("Set-Cookie", ()):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        self._after = headers.get("Bookshelf-Position", self._after)

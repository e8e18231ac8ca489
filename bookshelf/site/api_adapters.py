"""The API client of page functions: over HTTP or to the gateway in this process, with positions and keys.

Each command has an idempotency key that follows from the form, so that a form that is sent twice is carried
out once. Each query waits for the positions that the browser has written, for a bounded time.
"""

import asyncio
from collections.abc import Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.http.client import NoResponse, Unreachable
from bookshelf.http.message import BrokenBody, Handler, Response, TooLarge, read_response, request

PREFIX = "/bookshelf"
#: Header fields of the API and of the gateway (bookshelf/runtime/api/header_fields.py).
AFTER = "Bookshelf-After"
POSITION = "Bookshelf-Position"
#: The client that a page answers (bookshelf/runtime/api/identity.py).
CLIENT = "Bookshelf-Client"
KEY = "Idempotency-Key"
#: The roots of the pages that the gateway routes now, with spaces between (as above).
SITES = "Bookshelf-Sites"
#: Seconds that a query waits for the positions of the browser, and that any request may take.
BEHIND_S = 2.0
ANSWER_S = 15.0
#: The most bytes of an answer, and the most positions in one header.
_MOST = 64 << 20
_MOST_POSITIONS = 64
_BEHIND = frozenset({503, 504})
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class FieldFault(NamedTuple):
    """A wrong value: the name of its field, empty if it belongs to none, and what is wrong."""

    field: str
    detail: str


class ApiProblem(Exception):
    """The API refused a request, or did not answer it (status 503)."""

    def __init__(self, answer: ApiAnswer) -> None:
        super().__init__(answer.detail)
        self.answer = answer

    @property
    def kind(self) -> str:
        """The kind of the problem, like "not-found"."""
        body = self.answer.body if isinstance(self.answer.body, dict) else {}
        return str(body.get("type", "")).rpartition(":")[2]

    @property
    def faults(self) -> list[FieldFault]:
        """The wrong values of the request."""
        body = self.answer.body if isinstance(self.answer.body, dict) else {}
        errors = [error for error in body.get("errors", ()) if isinstance(error, dict)]
        return [
            FieldFault(str(error.get("pointer", "/")).split("/")[1], str(error["detail"])) for error in errors
        ]


def target(path: str, **params: object) -> str:
    """Return an address with a query string; parameters that are None are left out, lists are repeated.

    A name that ends with _ is sent without it, because some names are words of Python.
    """
    pairs = [
        (name.rstrip("_").replace("_", "-"), item)
        for name, value in params.items()
        for item in (value if isinstance(value, list | tuple) else (value,))
        if item is not None and item != ""
    ]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def segment(text: str) -> str:
    """Return a text as one segment of a path."""
    return quote(text, safe="")


def encode_body(body: object) -> tuple[bytes, Mapping[str, str]]:
    """Return the body of a command, and the header fields for it: bytes as they are, others as JSON.

    None has neither.
    """
    if isinstance(body, bytes):
        return body, {"Content-Type": "application/octet-stream"}
    return (b"", {}) if body is None else (msgspec.json.encode(body), {"Content-Type": "application/json"})


def answer_of(response: Response, body: bytes) -> ApiAnswer:
    """Return a response whose body was read as an answer; what is no JSON is None."""
    try:
        return ApiAnswer(response.status, response.headers, msgspec.json.decode(body) if body else None)
    except msgspec.DecodeError:
        return ApiAnswer(response.status, response.headers, None)


def form_key(address: str, seed: str, content: bytes) -> str:
    """Return the key of a form's commands: the same form with the same content has the same key."""
    digest = blake2b(digest_size=18, person=b"form")
    for part in (address.encode(), seed.encode(), content):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


class PageApi:
    """Sends the requests of one page to the API, as an `ApiClient` and with shorter names for pages.

    `after`: the positions that queries wait for, comma-separated. `key`: the start of the idempotency keys of
    its commands. `headers` go with each request. `behind` is True once a query was answered by a view that
    had not caught up in time.
    """

    def __init__(
        self, handler: Handler, *, after: str = "", key: str = "", headers: Mapping[str, str] = _NO_HEADERS
    ) -> None:
        self._handler = handler
        self._headers = headers
        self._asked = [text.strip() for text in after.split(",") if text.strip()]
        self.key = key
        self._commands = 0
        self.written: list[str] = []
        self.behind = False

    @property
    def positions(self) -> str:
        """What the browser and this request have written, for the header Bookshelf-After."""
        return ", ".join([*self._asked, *self.written][-_MOST_POSITIONS:])

    async def get(self, path: str, headers: Mapping[str, str] | None = None, *, kind: Any = Any) -> ApiAnswer:  # noqa: ANN401 (a type)
        """Return the answer to a query, its body as a value of the type `kind`. Raises `ApiProblem`."""
        answer = await self._caught_up(path, headers or {})
        if answer.status >= 400:  # noqa: PLR2004 (the first status of errors)
            raise ApiProblem(answer)
        body = answer.body if kind is Any else msgspec.convert(answer.body, kind, strict=False)
        return answer._replace(body=body)

    async def try_get(self, path: str, *, kind: Any = Any) -> ApiAnswer | None:  # noqa: ANN401 (a type)
        """Return the answer to a query for one part of a page; None if it cannot be read now."""
        try:
            return await self.get(path, kind=kind)
        except ApiProblem:
            return None

    async def _caught_up(self, path: str, headers: Mapping[str, str]) -> ApiAnswer:
        """Return the answer of a view that has the positions, else of the view as it is."""
        positions = self.positions
        if positions and not self.behind and AFTER not in headers:
            asked = {**headers, AFTER: positions}
            answer = await self._request("GET", path, b"", asked, BEHIND_S)
            if answer.status not in _BEHIND:
                return answer
            self.behind = True
        return await self._request("GET", path, b"", headers, ANSWER_S)

    async def post(self, path: str, body: object = None, *, version: str | None = None) -> ApiAnswer:
        """Return the answer to a command; `version` becomes If-Match. Raises `ApiProblem`."""
        return await self.command("POST", path, body, version=version)

    async def put(self, path: str, body: object = None, *, version: str | None = None) -> ApiAnswer:
        """Return the answer to a command; `version` becomes If-Match. Raises `ApiProblem`."""
        return await self.command("PUT", path, body, version=version)

    async def patch(self, path: str, body: object = None, *, version: str | None = None) -> ApiAnswer:
        """Return the answer to a command; `version` becomes If-Match. Raises `ApiProblem`."""
        return await self.command("PATCH", path, body, version=version)

    async def delete(self, path: str, *, version: str | None = None) -> ApiAnswer:
        """Return the answer to a command; `version` becomes If-Match. Raises `ApiProblem`."""
        return await self.command("DELETE", path, version=version)

    async def command(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        version: str | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
        timeout_s: float = ANSWER_S,
    ) -> ApiAnswer:
        """Return the answer to a command. Raises `ApiProblem`."""
        keyed = {KEY: f"{self.key}.{self._commands}"} if self.key else {}
        self._commands += 1
        match = {} if version is None else {"If-Match": version}
        answer = await self._send(method, path, body, {**keyed, **match, **headers}, timeout_s)
        if answer.status >= 400:  # noqa: PLR2004 (the first status of errors)
            raise ApiProblem(answer)
        return answer

    async def send(self, method: str, target: str, body: object, headers: Mapping[str, str]) -> ApiAnswer:
        """Return the answer to a command with these headers, whatever its status."""
        return await self._send(method, target, body, headers, ANSWER_S)

    async def _send(
        self, method: str, target: str, body: object, headers: Mapping[str, str], timeout_s: float
    ) -> ApiAnswer:
        content, typed = encode_body(body)
        waits = {AFTER: ", ".join(self._asked[-_MOST_POSITIONS:])} if self._asked else {}
        answer = await self._request(method, target, content, {**typed, **waits, **headers}, timeout_s)
        if position := answer.headers.get(POSITION):
            self.written += [text.strip() for text in position.split(",")]
        return answer

    async def _request(
        self, method: str, path: str, content: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> ApiAnswer:
        asked = request(method, PREFIX + path, content, **{**self._headers, **headers})
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._handler.handle(asked)
                body = await read_response(response, _MOST)
        except (Unreachable, NoResponse, BrokenBody, TooLarge, TimeoutError) as fault:
            return ApiAnswer(503, {}, {"detail": str(fault) or "the API did not answer in time"})
        return answer_of(response, body)

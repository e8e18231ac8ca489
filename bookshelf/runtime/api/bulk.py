"""The endpoint of a bulk route: many commands of one service in one request, with one result for each."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal
from urllib.parse import unquote

import msgspec
from msgspec import UNSET, Meta, UnsetType
from multidict import CIMultiDict

from bookshelf.cqrs.position import parse_position
from bookshelf.cqrs.route import BulkRoute
from bookshelf.http.message import BytesBody, Handler, Headers, Request, Response
from bookshelf.http.problem import Problem, problem_response
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.commands import CommandEndpoint, check_media_type
from bookshelf.runtime.api.endpoint import Api
from bookshelf.runtime.api.identity import ApiOfCaller, Callers, admit
from bookshelf.runtime.clock import Ids
from bookshelf.runtime.decoding import decoder_of

#: The most bytes of a request's body, and the most items in it.
MAX_BODY = 8 << 20
MAX_ITEMS = 1000
_PATH = r"^/[^\x00-\x1f\x7f]*$(?!\n)"
_encode = msgspec.json.Encoder().encode
#: Header fields of the request that each of its commands gets, too.
_SHARED = (
    header_fields.AFTER,
    header_fields.TIME_LEFT,
    header_fields.TRY,
    header_fields.TOKEN,
    "traceparent",
)


class BulkItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One command: a request of this service."""

    method: Annotated[Literal["POST", "PUT", "PATCH", "DELETE"], Meta(examples=["POST"])]
    path: Annotated[
        str, Meta(max_length=2048, pattern=_PATH, description="below /bookshelf", examples=["/books"])
    ]
    body: Annotated[msgspec.Raw, Meta(description="the body of the request")] | UnsetType = UNSET
    if_match: Annotated[str | None, Meta(description="as the header If-Match")] = None
    undoes: Annotated[str | None, Meta(description="as the header Bookshelf-Undoes")] = None
    key: Annotated[str | None, Meta(description="as the header Idempotency-Key, in place of KEY.n")] = None


BulkItems = Annotated[
    tuple[BulkItem, ...],
    Meta(max_length=MAX_ITEMS, description="the commands; those on one thing keep their order"),
]


class BulkResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one command: the status and headers of its answer, and the problem if it was refused."""

    status: Annotated[int, Meta(examples=[201])]
    id: Annotated[str, Meta(description="of the book, list or goal")] | UnsetType = UNSET
    location: Annotated[str, Meta(description="of what was created")] | UnsetType = UNSET
    etag: Annotated[str, Meta(description="its version, for if_match", examples=['"42"'])] | UnsetType = UNSET
    change: Annotated[str, Meta(description="the change that was made")] | UnsetType = UNSET
    replayed: Annotated[bool, Meta(description="true if it was carried out before")] = False
    problem: Annotated[msgspec.Raw, Meta(description="problem details (RFC 9457)")] | UnsetType = UNSET


class BulkEndpoint:
    """Carries the commands of a request out: those on one thing in sequence, all others at the same time."""

    def __init__(self, route: BulkRoute, api: Api, ids: Ids, callers: Callers) -> None:
        self._route = route
        self._api = api
        self._ids = ids
        self._callers = callers
        self._reader = decoder_of(BulkItems)

    async def __call__(self, request: Request, _path: Mapping[str, str]) -> Response:
        """Return the results, in the sequence of the items. Raises `Problem` for an unreadable request."""
        caller = admit(self._callers, request, self._route.requires)
        content = await request.body.read(MAX_BODY)
        check_media_type(request, content)
        items: Sequence[BulkItem] = self._reader.body(content)
        key = header_fields.key(request.headers)
        correlation = header_fields.name(request.headers, header_fields.CORRELATION) or self._ids.new()
        shared = {name: request.headers[name] for name in _SHARED if name in request.headers}
        shared[header_fields.CORRELATION] = correlation
        api = ApiOfCaller(self._api, self._callers, caller)
        answers: list[Response | None] = [None] * len(items)

        async def carry_out(numbers: Sequence[int]) -> None:
            for number in numbers:
                own_key = items[number].key or (None if key is None else f"{key}.{number}")
                own = {} if own_key is None else {header_fields.KEY: own_key}
                answers[number] = await self._answer(api, items[number], CIMultiDict({**shared, **own}))

        await asyncio.gather(*map(carry_out, _by_subject(items)))
        done = [answer for answer in answers if answer is not None]
        results = [_result(item, answer) for item, answer in zip(items, done, strict=True)]
        headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        headers[header_fields.CORRELATION] = correlation
        if positions := _newest_positions(done):
            headers[header_fields.POSITION] = positions
        return Response(200, headers, _encode(results))

    async def _answer(self, api: Handler, item: BulkItem, headers: Headers) -> Response:
        try:
            endpoint = self._api.find(item.method, item.path)
        except Problem as problem:
            return problem_response(problem)
        if not isinstance(endpoint, CommandEndpoint):
            return problem_response(Problem("no-route", "a bulk request takes commands of this service only"))
        headers = CIMultiDict(headers)
        for name, value in (("If-Match", item.if_match), (header_fields.UNDOES, item.undoes)):
            if value is not None:
                headers[name] = value
        content = b"" if item.body is UNSET else bytes(item.body)
        if content:
            headers["Content-Type"] = "application/json"
        return await api.handle(Request(item.method, item.path, headers, BytesBody(content)))


def _by_subject(items: Sequence[BulkItem]) -> list[list[int]]:
    """Return the numbers of the items, grouped by what they are about: the first two steps of their path."""
    groups: dict[object, list[int]] = {}
    for number, item in enumerate(items):
        steps = item.path.partition("?")[0].split("/")[1:3]
        groups.setdefault(tuple(steps) if len(steps) > 1 else number, []).append(number)
    return list(groups.values())


def _result(item: BulkItem, answer: Response) -> BulkResult:
    location = answer.headers.get("Location")
    steps = (location or item.path.partition("?")[0]).split("/")
    assert isinstance(answer.body, bytes)  # noqa: S101 (commands answer whole bodies)
    return BulkResult(
        status=answer.status,
        id=unquote(steps[2]) if len(steps) > 2 else UNSET,  # noqa: PLR2004 (/books/ID)
        location=location or UNSET,
        etag=answer.headers.get("ETag") or UNSET,
        change=answer.headers.get(header_fields.CHANGE) or UNSET,
        replayed=header_fields.REPLAYED in answer.headers,
        problem=msgspec.Raw(answer.body) if answer.status >= 400 else UNSET,  # noqa: PLR2004 (an error)
    )


def _newest_positions(answers: Sequence[Response]) -> str:
    """Return the newest position of each partition, for Bookshelf-After."""
    newest: dict[tuple[str, int], int] = {}
    for answer in answers:
        if text := answer.headers.get(header_fields.POSITION):
            position = parse_position(text)
            place = (position.topic, position.partition)
            newest[place] = max(position.offset, newest.get(place, 0))
    return ", ".join(f"{topic}/{partition}@{offset}" for (topic, partition), offset in newest.items())

"""A route that becomes a command: read, decide who it is for, ask the owner, answer."""

import asyncio
from collections.abc import Mapping

import msgspec

from bookshelf.cqrs.route import CommandRoute
from bookshelf.http.message import Headers, Request, Response
from bookshelf.http.problem import Problem
from bookshelf.runtime.clock import Clock, Ids
from bookshelf.runtime.edge import conditions
from bookshelf.runtime.edge.decode import Reader
from bookshelf.runtime.edge.forward import COMMAND, UNKNOWN, Onward, forwarded_id
from bookshelf.runtime.edge.owners import created
from bookshelf.runtime.owner.command import NotOwner, Outcome, Sent, content_hashes
from bookshelf.runtime.owner.host import AggregateHost
from bookshelf.runtime.view.host import PATIENCE_S, Behind

#: Bytes of a body.
MAX_BODY = 1 << 20
#: Seconds that a command may take, all told.
DEADLINE_S = 30.0
_encode = msgspec.json.Encoder().encode
_JSON = ("application/json", "application/merge-patch+json")


class CommandEndpoint:
    """One command route of a service."""

    def __init__(
        self, route: CommandRoute, host: AggregateHost, clock: Clock, ids: Ids, onward: Onward
    ) -> None:
        self._onward = onward
        self._route = route
        self._host = host
        self._clock = clock
        self._ids = ids
        self._reader = Reader(route.body)

    async def __call__(self, request: Request, path: Mapping[str, str]) -> Response:
        """Carry the command out. Raises `Problem`, `Refused`, `NotOwner`, `Busy`, `Behind`."""
        left_s = conditions.time_left(request.headers, DEADLINE_S)
        content = await request.body.read(MAX_BODY)
        sent = self._sent(request, path, content)
        try:
            async with asyncio.timeout(left_s):
                await self._catch_up(request, sent.subject)
                if self._is_new(request.headers, sent.id):
                    sent = msgspec.structs.replace(sent, fresh=True)
                return self._answer(await self._host.ask(sent))
        except NotOwner as elsewhere:
            # the client's key goes along and names the command; this id then says only that it was forwarded
            made = self._ids.new() if sent.hash else sent.id
            return await self._onward.send(request, content, made, elsewhere)
        except TimeoutError:
            raise Problem("gateway-timeout", UNKNOWN) from None

    def _read(self, request: Request, content: bytes) -> msgspec.Struct:
        if not content and not self._route.body_required:
            content = b"{}"
        else:
            _check_media_type(request, content)
        read: msgspec.Struct = self._reader.in_utc(self._reader.body(content))
        return read

    def _sent(self, request: Request, path: Mapping[str, str], content: bytes) -> Sent:
        route, body = self._route, self._read(request, content)
        given = conditions.key(request.headers)
        # the gateway makes one for each request that has none: there is no other content to tell it from
        chosen = None if conditions.TRY in request.headers else given
        forwarded = forwarded_id(request.headers)
        command_id = given or forwarded or self._ids.new()
        at = self._clock.now()
        # of the content as it was understood: white space and the order of fields do not matter
        hashes = content_hashes(f"{route.method} {route.path}".encode(), body) if chosen else ("", "")
        subject = created(command_id) if route.creates else path["id"]
        return Sent(
            subject=subject,
            command=route.command(body, at),
            id=command_id,
            at=at,
            hash=hashes[0],
            older_hash=hashes[1],
            expects=conditions.expects(request.headers),
            traceparent=conditions.trace(request.headers),
            actor=conditions.actor(request.headers),
            size=len(content),
        )

    def _is_new(self, headers: Headers, command_id: str) -> bool:
        """Return True if no command was carried out under this id. Asked last: a retry may overtake."""
        if not self._route.creates or COMMAND in headers:
            return False
        return conditions.KEY not in headers or self._ids.is_first_use(command_id)

    async def _catch_up(self, request: Request, subject: str) -> None:
        """Wait until the subject's state includes the positions of Bookshelf-After. Raises `Behind`.

        This happens before the command is queued, so no other command waits for it.
        """
        own = (self._host.aggregate.topic, self._host.partition(subject))
        positions = conditions.after(request.headers)
        offset = max((p.offset + 1 for p in positions if (p.topic, p.partition) == own), default=0)
        if not offset:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._host.catch_up_to(subject, offset)
        except TimeoutError:
            msg = "the service has not read the log as far as this command asks for; try again in a moment"
            raise Behind(msg) from None

    def _answer(self, outcome: Outcome) -> Response:
        route = self._route
        headers = {"ETag": f'"{outcome.version}"', "Cache-Control": "no-store"}
        if outcome.position is not None:
            headers[conditions.POSITION] = str(outcome.position)
        if outcome.replayed:
            headers[conditions.REPLAYED] = "true"
        if route.creates:
            headers["Location"] = f"{route.path}/{outcome.subject}"
        if route.answer is None:
            return Response(route.status, headers)
        headers["Content-Type"] = "application/json"
        return Response(route.status, headers, _encode(route.answer(outcome.subject, outcome.state)))


def _check_media_type(request: Request, content: bytes) -> None:
    given = request.headers.get("Content-Type")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        msg = "a compressed body is not taken; send it as it is"
        raise Problem("media-type", msg)
    if given is None and content:
        return  # unlabelled JSON is tried; what is not JSON says so
    kind = (given or "application/json").partition(";")[0].strip().lower().encode("ascii", "replace").decode()
    if kind not in _JSON:
        msg = f"a body of {kind[:100]} is not taken; send JSON with Content-Type: application/json"
        raise Problem("media-type", msg, Accept=", ".join(_JSON))

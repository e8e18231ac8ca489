"""The endpoint of a command route: reads the request, hands the command to its owner, and answers."""

import asyncio
from collections.abc import Mapping

import msgspec

from bookshelf.cqrs.route import CommandRoute
from bookshelf.http.message import Headers, Request, Response
from bookshelf.http.problem import Problem
from bookshelf.runtime.aggregate.command import CommandRequest, CommandResult, NotOwner, content_hashes
from bookshelf.runtime.aggregate.host import AggregateHost
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.forwarding import COMMAND, UNKNOWN, Forwarder, forwarded_id
from bookshelf.runtime.api.ownership import created
from bookshelf.runtime.clock import Clock, Ids
from bookshelf.runtime.decoding import Decoder
from bookshelf.runtime.view.host import PATIENCE_S, NotCaughtUp

#: The most bytes of a request's body.
MAX_BODY = 1 << 20
#: Seconds that a command may take in total.
DEADLINE_S = 30.0
_encode = msgspec.json.Encoder().encode
_JSON = ("application/json", "application/merge-patch+json")


class CommandEndpoint:
    """Answers the requests of one command route."""

    def __init__(
        self, route: CommandRoute, host: AggregateHost, clock: Clock, ids: Ids, onward: Forwarder
    ) -> None:
        self._onward = onward
        self._route = route
        self._host = host
        self._clock = clock
        self._ids = ids
        self._reader = Decoder(route.body)

    async def __call__(self, request: Request, path: Mapping[str, str]) -> Response:
        """Carry the command out. Raises `Problem`, `Refused`, `NotOwner`, `Busy`, `NotCaughtUp`."""
        left_s = header_fields.time_left(request.headers, DEADLINE_S)
        content = await request.body.read(MAX_BODY)
        sent = self._sent(request, path, content)
        try:
            async with asyncio.timeout(left_s):
                await self._catch_up(request, sent.subject)
                if self._is_new(request.headers, sent.id):
                    sent = msgspec.structs.replace(sent, fresh=True)
                return self._answer(await self._host.ask(sent))
        except NotOwner as elsewhere:
            # with a client's key, that names the command, and this id only marks the request as forwarded
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

    def _sent(self, request: Request, path: Mapping[str, str], content: bytes) -> CommandRequest:
        route, body = self._route, self._read(request, content)
        given = header_fields.key(request.headers)
        # a key that the gateway made is for one request only: no other content can come with it
        chosen = None if header_fields.TRY in request.headers else given
        forwarded = forwarded_id(request.headers)
        command_id = given or forwarded or self._ids.new()
        at = self._clock.now()
        # the hash is of the decoded content: white space and the order of fields do not matter
        hashes = content_hashes(f"{route.method} {route.path}".encode(), body) if chosen else ("", "")
        subject = created(command_id) if route.creates else path["id"]
        return CommandRequest(
            subject=subject,
            command=route.command(body, at),
            id=command_id,
            at=at,
            hash=hashes[0],
            older_hash=hashes[1],
            expects=header_fields.expects(request.headers),
            traceparent=header_fields.trace(request.headers),
            actor=header_fields.actor(request.headers),
            size=len(content),
        )

    def _is_new(self, headers: Headers, command_id: str) -> bool:
        """Return True if no command was carried out under this id. Call it last: a retry may overtake."""
        if not self._route.creates or COMMAND in headers:
            return False
        return header_fields.KEY not in headers or self._ids.is_first_use(command_id)

    async def _catch_up(self, request: Request, subject: str) -> None:
        """Wait until the subject's state includes the positions of Bookshelf-After. Raises `NotCaughtUp`.

        This happens before the command is queued, so no other command waits for it.
        """
        own = (self._host.aggregate.topic, self._host.partition(subject))
        positions = header_fields.after(request.headers)
        offset = max((p.offset + 1 for p in positions if (p.topic, p.partition) == own), default=0)
        if not offset:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._host.catch_up_to(subject, offset)
        except TimeoutError:
            msg = "the service has not read the log as far as this command asks for; try again in a moment"
            raise NotCaughtUp(msg) from None

    def _answer(self, outcome: CommandResult) -> Response:
        route = self._route
        headers = {"ETag": f'"{outcome.version}"', "Cache-Control": "no-store"}
        if outcome.position is not None:
            headers[header_fields.POSITION] = str(outcome.position)
        if outcome.replayed:
            headers[header_fields.REPLAYED] = "true"
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
        return  # a body without a media type is tried as JSON
    kind = (given or "application/json").partition(";")[0].strip().lower().encode("ascii", "replace").decode()
    if kind not in _JSON:
        msg = f"a body of {kind[:100]} is not taken; send JSON with Content-Type: application/json"
        raise Problem("media-type", msg, Accept=", ".join(_JSON))

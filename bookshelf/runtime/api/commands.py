"""The endpoint of a command route: reads the request, hands the command to its owner, and answers."""

import asyncio
from collections.abc import Mapping

import msgspec

from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.errors import Changed, KeyReused, NotFound
from bookshelf.cqrs.handler import Caller, RequestContext
from bookshelf.cqrs.parent import SEPARATOR, is_child
from bookshelf.cqrs.route import CommandRoute
from bookshelf.http.message import Headers, Request, Response
from bookshelf.http.problem import Fault, Problem
from bookshelf.runtime.aggregate.command import CommandRequest, NotOwner, canonical, content_hashes
from bookshelf.runtime.aggregate.host import AggregateHost
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.at_owner import MOVE_S, at_owner, changed_at
from bookshelf.runtime.api.forwarding import COMMAND, UNKNOWN, Forwarder, forwarded_id
from bookshelf.runtime.api.identity import Callers, admit
from bookshelf.runtime.api.ownership import command_id, created
from bookshelf.runtime.api.route_rates import RouteRates
from bookshelf.runtime.clock import Clock, Ids
from bookshelf.runtime.decoding import decoder_of
from bookshelf.runtime.sealing import ApiSeals
from bookshelf.runtime.view.host import PATIENCE_S, NotCaughtUp

#: The most bytes of a request's body.
MAX_BODY = 1 << 20
#: Seconds that a command may take in total.
DEADLINE_S = 30.0
_encode = msgspec.json.Encoder().encode
_JSON = ("application/json", "application/merge-patch+json")


class CommandEndpoint:
    """Answers the requests of one command route."""

    def __init__(  # noqa: PLR0913 (what it stands on)
        self,
        route: CommandRoute,
        host: AggregateHost,
        clock: Clock,
        ids: Ids,
        onward: Forwarder,
        callers: Callers,
        *,
        seals: ApiSeals | None = None,
    ) -> None:
        self._onward = onward
        self._rates = RouteRates(route.per_minute) if route.per_minute else None
        self._callers = callers
        self._seals = seals or ApiSeals()
        self._route = route
        self._host = host
        self._clock = clock
        self._ids = ids
        self._reader = decoder_of(route.body)
        self._params = decoder_of(route.params)
        self._fields = {field.encode_name for field in msgspec.structs.fields(route.params)}

    async def __call__(self, request: Request, path: Mapping[str, str]) -> Response:
        """Carry the command out here, or forward it to the owner; wait while its partition moves.

        Raises `Problem`, `Refused`, `NotOwner`, `Busy`, `NotCaughtUp`.
        """
        now = asyncio.get_running_loop().time()
        deadline = now + header_fields.time_left(request.headers, DEADLINE_S)
        caller = admit(self._callers, request, self._route.requires)
        if self._route.conditional and "If-Match" not in request.headers:
            what = "is needed: the ETag of the answer that you have read"
            raise Problem("condition-needed", f"If-Match {what}", Fault(what, header="If-Match"))
        content = await request.body.read(MAX_BODY)
        context = self._context(request, path, caller)
        if self._rates is not None and COMMAND not in request.headers:
            self._rates.count(caller.actor)
        sent = await self._sent(request, content, context)
        # a key names the command, and this id then only marks the request as forwarded
        made = self._ids.new() if header_fields.KEY in request.headers else sent.id

        async def here() -> Response:
            return await self._carry_out(request, sent, context, deadline)

        async def there(partition: int) -> Response | None:
            if COMMAND in request.headers:
                raise NotOwner(partition)
            return await self._onward.send(request, content, made, partition)

        return await at_owner(self._host, self._onward, sent.size, here, there, min(deadline, now + MOVE_S))

    async def _carry_out(
        self, request: Request, sent: CommandRequest, context: RequestContext, deadline: float
    ) -> Response:
        """Have the owner here decide the command. Raises `NotOwner` if it is elsewhere or not ready."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._catch_up(request, sent.subject)
                if self._is_new(request.headers, sent):
                    sent = msgspec.structs.replace(sent, fresh=True)
                return await self._answer(await self._host.ask(sent), context)
        except KeyReused as reused:
            if not self._route.creates or self._route.child:
                raise
            location = f"{self._route.path}/{sent.subject}"  # what the key's first request has created
            raise Problem(reused.KIND, reused.detail, Location=location) from None
        except Changed as changed:
            if changed.version < 0:
                raise
            raise changed_at(self._host, sent.subject, changed) from None
        except TimeoutError:
            raise Problem("gateway-timeout", UNKNOWN) from None

    def _read(self, request: Request, content: bytes) -> msgspec.Struct:
        if not content and not self._route.body_required:
            content = b"{}"
        else:
            check_media_type(request, content)
        read: msgspec.Struct = self._reader.in_utc(self._reader.body(content))
        return read

    def _context(self, request: Request, path: Mapping[str, str], caller: Caller) -> RequestContext:
        params = None
        if self._fields:  # the query string of a route without parameters is not read
            named = {name: value for name, value in path.items() if name in self._fields}
            params = self._params.parameters(named, request.target.partition("?")[2])
        return RequestContext(at=self._clock.now(), caller=caller, path=path, params=params)

    async def _sent(self, request: Request, content: bytes, context: RequestContext) -> CommandRequest:
        route, seals, person = self._route, self._seals.seals, context.caller.account
        body = await seals.seal(self._read(request, content), person)
        given = header_fields.key(request.headers)
        # a key that the gateway made is for one request only: no other content can come with it
        chosen = None if header_fields.TRY in request.headers else given
        forwarded = forwarded_id(request.headers)
        actor = context.caller.actor
        made_id = command_id(actor, given) if given else forwarded or self._ids.new()
        hashes = ("", "")
        if chosen:
            keyed = await seals.hash_of(route.body, person)
            new, older = self._hashes(body, context.params)
            hashes = (keyed(new), keyed(older))
        subject = None if route.subject is None else route.subject(body, context)
        return CommandRequest(
            subject=subject or self._subject(made_id, context),
            command=route.command(body, context),
            id=made_id,
            at=context.at,
            hash=hashes[0],
            older_hash=hashes[1],
            expects=header_fields.expects(request.headers),
            correlation=header_fields.name(request.headers, header_fields.CORRELATION),
            undoes=header_fields.name(request.headers, header_fields.UNDOES),
            traceparent=header_fields.trace(request.headers),
            actor=actor,
            owner=self._owner(context),
            size=len(content),
            token=header_fields.token(request.headers),
        )

    def _owner(self, context: RequestContext) -> str | msgspec.UnsetType | None:
        """Return the person that the aggregate must belong to; UNSET if the caller may change anyone's."""
        oversees = self._route.oversees
        return msgspec.UNSET if oversees and context.caller.may(oversees) else context.owner

    def _subject(self, made_id: str, context: RequestContext) -> str:
        if not self._route.creates:
            return context.path["id"]
        if not self._route.child:
            return created(made_id)
        parent = context.path["id"]
        if is_child(parent):
            raise NotFound("what this would belong to does not exist")
        return f"{parent}{SEPARATOR}{self._route.child}{created(made_id)}"

    def _hashes(self, body: msgspec.Struct, params: msgspec.Struct | None) -> tuple[str, str]:
        """Return the hashes of a request.

        They are of the decoded values: white space and the order of fields do not matter. Parameters without
        a value are no part of them, so that a new one changes no hash.
        """
        given = b"{}" if params is None else canonical(params)
        name = f"{self._route.method} {self._route.path}".encode()
        return content_hashes(name if given == b"{}" else name + b" " + given, body)

    def _is_new(self, headers: Headers, sent: CommandRequest) -> bool:
        """Return True if the subject's id was never used before. Call it last: a retry may overtake."""
        if not self._route.creates or COMMAND in headers or sent.subject != created(sent.id):
            return False
        given = header_fields.key(headers)
        return given is None or self._ids.is_first_use(given)

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

    async def _answer(self, outcome: CommandResult, context: RequestContext) -> Response:
        route, subject = self._route, outcome.subject
        headers = {"ETag": f'"{outcome.version}"', "Cache-Control": "no-store"}
        if outcome.position is not None:
            headers[header_fields.POSITION] = str(outcome.position)
        if outcome.change:
            headers[header_fields.CHANGE] = outcome.change
        if outcome.replayed:
            headers[header_fields.REPLAYED] = "true"
        body = None
        if route.answer is not None:
            body = route.answer(subject, outcome.state)
        elif route.part is not None:
            body = route.part(subject, outcome.state, context)
        location = route.location or (f"{route.path}/{{id}}" if route.creates else None)
        if location is not None:
            headers["Location"] = location.format(id=subject, body=body)
        if body is None:
            return Response(route.status, headers)
        headers["Content-Type"] = "application/json"
        return Response(route.status, headers, await self._seals.open(_encode(body)))


def check_media_type(request: Request, content: bytes) -> None:
    """Return if a body may be JSON. Raises `Problem`: media-type."""
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

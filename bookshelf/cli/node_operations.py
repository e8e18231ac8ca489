"""The requests for a domain at the admin API of a node: passed on to the services that run the domain."""

import re

from multidict import CIMultiDict

from bookshelf.cli.any_instance import send_to_any
from bookshelf.cluster.settings import ROLLOUTS
from bookshelf.cqrs.handler import Caller
from bookshelf.discovery.port import Discovery
from bookshelf.http.client import NoResponse, Transport
from bookshelf.http.message import BrokenBody, BytesBody, Request, Response, TooLarge
from bookshelf.http.problem import Problem, problem_response
from bookshelf.runtime.api.forwarding import UNKNOWN
from bookshelf.runtime.api.identity import OPERATOR, Callers

#: What targets of the domain begin with, and the prefix of the whole HTTP API.
_DOMAIN, _API = "/bookshelf/cluster/", "/bookshelf"
#: The tags of the service that answers what begins with each target, those of the first that fits.
_SERVICES = (
    (f"{_DOMAIN}locks", ("cluster", "locks")),
    (f"{_DOMAIN}sessions", ("cluster", "sessions")),
    (_DOMAIN, ROLLOUTS),
)
#: Targets that only our own processes send requests to, and what else is not for people.
_OWN = re.compile(rf"{_DOMAIN}(agents/|locks/|sessions/[^/?]*/)")
_SCOPES = frozenset({"cluster:read", "cluster:propose", "cluster:commit"})
#: The most bytes of a request.
_MOST = 16 << 20


class DomainOperations:
    """Answers requests of operators for the domain of a node; `AdminApi` has checked their token.

    What only our own processes ask for, such as votes and leases, is not there.
    """

    def __init__(self, discovery: Discovery, transport: Transport, callers: Callers) -> None:
        self._discovery = discovery
        self._transport = transport
        self._callers = callers

    async def handle(self, request: Request) -> Response:
        """Return the response of the service that is meant, or a problem."""
        if not request.target.startswith(_DOMAIN) or _OWN.match(request.target):
            return problem_response(Problem("no-route", f"a node answers requests below {_DOMAIN} only"))
        try:
            return await self._pass_on(request)
        except Problem as problem:
            return problem_response(problem)
        except TooLarge as fault:
            return problem_response(Problem("too-large", str(fault)))
        except BrokenBody as fault:
            return problem_response(Problem("timeout", str(fault)))

    async def _pass_on(self, given: Request) -> Response:
        content = await given.body.read(_MOST)
        headers = CIMultiDict({"Content-Length": str(len(content))})
        for name in ("Content-Type", "Idempotency-Key", "Accept"):
            if name in given.headers:
                headers[name] = given.headers[name]
        sent = Request(given.method, given.target.removeprefix(_API), headers, BytesBody(content))
        self._callers.sign(Caller(actor=OPERATOR, account=OPERATOR, owner=OPERATOR, scopes=_SCOPES), sent)
        tags = next(tags for begin, tags in _SERVICES if given.target.startswith(begin))
        try:
            answer = await send_to_any(self._discovery.snapshot().having(tags), self._transport, sent)
        except NoResponse:
            raise Problem("gateway-timeout", UNKNOWN) from None
        if answer is None:
            raise Problem("unavailable", f"no instance of the service `{tags[-1]}` is ready")
        if (place := answer.headers.get("Location", "")).startswith("/"):
            answer.headers = CIMultiDict(answer.headers)
            answer.headers["Location"] = _API + place  # as it is here
        return answer

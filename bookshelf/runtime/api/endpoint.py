"""The HTTP API of a service: routes requests, turns every fault into problem details, measures both."""

import time
from collections.abc import Awaitable, Callable, Mapping

import structlog

from bookshelf.cqrs.errors import Changed, Refused
from bookshelf.cqrs.service import ErrorPage
from bookshelf.http.message import BrokenBody, Request, Response, TooLarge, close_body
from bookshelf.http.problem import Fault, Problem, problem_response
from bookshelf.http.router import Router
from bookshelf.keyring.port import KeyDestroyed, KeyringFault
from bookshelf.log.port import LogFault, OutcomeUnknown
from bookshelf.media.port import BlobFault
from bookshelf.runtime.aggregate.command import Busy, NotOwner
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.forwarding import UNKNOWN
from bookshelf.runtime.metrics import Meters
from bookshelf.runtime.view.host import NotCaughtUp
from bookshelf.storage.port import StorageFault

Endpoint = Callable[[Request, Mapping[str, str]], Awaitable[Response]]
#: Runs around an endpoint, whose template it gets: it calls the endpoint, or raises what is answered instead.
Around = Callable[[Endpoint, str, Request, Mapping[str, str]], Awaitable[Response]]

_logger = structlog.get_logger(__name__)


class Api:
    """Answers every request; a fault becomes problem details that reveal nothing of the internals.

    `error_page` makes a page in place of the problem details.
    """

    def __init__(self, name: str, meters: Meters, error_page: ErrorPage | None = None) -> None:
        self._name = name
        self._meters = meters
        self._error_page = error_page
        self._router: Router[Endpoint] = Router()
        self._internal: set[str] = set()
        #: Runs around the endpoints of the service's routes, but not around health, metrics and the like.
        self.around: Around | None = None

    def add(self, method: str, template: str, endpoint: Endpoint, *, internal: bool = False) -> None:
        """Serve `method` on `template`; `internal`: nothing runs around the endpoint."""
        self._router.add(method, template, endpoint)
        if internal:
            self._internal.add(template)

    def find(self, method: str, target: str) -> Endpoint:
        """Return the endpoint of a request. Raises `Problem`: no-route, method."""
        return self._router.find(method, _text(target).partition("?")[0])[0]

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        began = time.perf_counter()
        template = "none"
        try:
            path = _text(request.target).partition("?")[0]
            endpoint, template, found = self._router.find(request.method, path)
            if self.around is None or template in self._internal:
                response = await endpoint(request, found)
            else:
                response = await self.around(endpoint, template, request, found)
        except Exception as fault:  # noqa: BLE001 (whatever the fault, the client gets an answer)
            response = await self._answer_problem(request, self._problem(fault, request))
        if request.method == "HEAD":
            await _drop_body(response)
        self._meters.answered(request.method, template, response.status, time.perf_counter() - began)
        return response

    async def _answer_problem(self, request: Request, problem: Problem) -> Response:
        if self._error_page is None:
            return problem_response(problem)
        try:
            return await self._error_page(request, problem)
        except (TooLarge, BrokenBody):
            return problem_response(problem)
        except Exception:  # a defect of the page hides no problem
            _logger.exception("defect", service=self._name, method=request.method)
            return problem_response(problem)

    def _problem(self, fault: Exception, request: Request) -> Problem:
        known = as_problem(fault)
        if known is None:
            _logger.error("defect", service=self._name, method=request.method, exc_info=fault)
            return Problem("internal", "this is a defect of the service, not of the request; it was logged")
        if known.kind in {"unavailable", "internal"}:
            _logger.warning("unavailable", service=self._name, why=str(fault))
        return known


#: The problem and the detail that each internal fault is answered with; None: the fault's own message.
_PROBLEMS: Mapping[type[Exception], tuple[str, str | None]] = {
    TooLarge: ("too-large", None),
    BrokenBody: ("timeout", None),
    NotCaughtUp: ("behind", None),
    Busy: ("unavailable", "more commands wait than can be answered in time"),
    NotOwner: ("unavailable", "the partition is being reassigned; nothing was done, so try again"),
    OutcomeUnknown: ("gateway-timeout", UNKNOWN),
    KeyringFault: ("unavailable", "its keyring cannot be used just now; nothing was changed"),
    KeyDestroyed: ("forbidden", "this account was forgotten"),
    LogFault: ("unavailable", "its storage cannot be used just now; nothing was changed"),
    BlobFault: ("unavailable", "its storage of files cannot be used just now"),
    StorageFault: ("unavailable", "its storage cannot be used just now"),
}


def as_problem(fault: Exception) -> Problem | None:
    """Return the problem that a fault is answered with; None for a defect."""
    if isinstance(fault, Problem):
        return fault
    if isinstance(fault, Refused):
        return _refusal(fault)
    for kind in type(fault).__mro__:
        if kind in _PROBLEMS:
            problem, text = _PROBLEMS[kind]
            headers = {header_fields.MOVING: str(fault.partition)} if isinstance(fault, NotOwner) else {}
            return Problem(problem, str(fault) if text is None else text, **headers)
    return None


def _text(target: str) -> str:
    """Return the target. Raises `Problem` if it is not UTF-8: the wrong bytes are surrogates in it."""
    try:
        target.encode()
    except UnicodeEncodeError:
        msg = "the address is not UTF-8; percent-encode what is not ASCII"
        raise Problem("malformed", msg) from None
    return target


def _refusal(fault: Refused) -> Problem:
    if isinstance(fault, Changed) and fault.position is not None:
        # what is read next has the version that has led to the refusal
        return Problem(fault.KIND, fault.detail, **{header_fields.POSITION: str(fault.position)})
    if fault.field is None:
        return Problem(fault.KIND, fault.detail)
    pointer = "/" + fault.field.replace(".", "/")
    return Problem(fault.KIND, f"{fault.field} {fault.detail}", Fault(fault.detail, pointer=pointer))


async def _drop_body(response: Response) -> None:
    """Remove the body of an answer to HEAD; its length is named, if it is known."""
    if isinstance(response.body, bytes):
        length = response.headers.get("Content-Length", str(len(response.body)))
        response.headers = {**response.headers, "Content-Length": length}
    else:
        await close_body(response.body)
    response.body = b""

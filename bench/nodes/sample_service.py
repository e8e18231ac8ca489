"""The service of the measured nodes. It is the module of the measured package too, so it imports no bench."""

import msgspec

from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.cqrs.service import Service
from bookshelf.cqrs.session_route import HandlerSession, SessionRoute, SessionSettings
from bookshelf.http.message import Request, Response

_SESSIONS = SessionSettings(group="sample")
_LOCAL = SessionSettings(group="sample", reads="local")


class SampleSetting(msgspec.Struct):
    """What a client sets in its session."""

    value: int


async def _answer(_request: Request, _context: RequestContext, _ports: HandlerPorts) -> Response:
    return Response(200, {"Content-Type": "text/plain"}, b"an answer")


def _set(session: HandlerSession, body: SampleSetting) -> None:
    session.service["value"] = body.value


def _get(session: HandlerSession, _body: None) -> SampleSetting:
    return SampleSetting(session.service.get("value", 0))


_PLAIN = HandlerRoute(path="/sample", summary="Answer", handler=_answer, requires=None)
#: The service without sessions.
SAMPLE = Service(
    name="sample", summary="Answers", tags=("sample", "answers"), port=0, runs=(), serves=(_PLAIN,)
)
#: The service with sessions: set a value, get it, and get what this node has without waiting.
STATEFUL_SAMPLE = Service(
    name="stateful-sample",
    summary="Keeps values",
    tags=("sample", "stateful"),
    port=0,
    runs=(),
    serves=(
        SessionRoute(
            method="PUT",
            path="/sample/value",
            summary="Set the value",
            handler=_set,
            sessions=_SESSIONS,
            body=SampleSetting,
            requires=None,
        ),
        SessionRoute(
            method="GET",
            path="/sample/value",
            summary="Get the value",
            handler=_get,
            sessions=_SESSIONS,
            returns=SampleSetting,
            requires=None,
        ),
        SessionRoute(
            method="GET",
            path="/sample/local",
            summary="Get the value as this node has it",
            handler=_get,
            sessions=_LOCAL,
            returns=SampleSetting,
            requires=None,
        ),
    ),
)
SERVICES = (SAMPLE,)

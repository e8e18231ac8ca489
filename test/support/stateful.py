"""A stateful service: it sets and gets a value in its client's session, and counts in each level."""

from dataclasses import replace
from typing import Annotated

import msgspec
from msgspec import Meta

from bookshelf.cqrs.service import Service
from bookshelf.cqrs.session_route import HandlerSession, SessionRoute, SessionSettings

SESSIONS = SessionSettings(group="stateful", exclude={"*": ["local_*"]})
Text = Annotated[str, Meta(max_length=100_000, description="a text", examples=["Sample session data"])]


class SampleValue(msgspec.Struct, forbid_unknown_fields=True):
    """The value that a client keeps; None if there is none."""

    value: Text | None = None


class SampleCount(msgspec.Struct):
    """How often something was counted."""

    count: int


def set_value(session: HandlerSession, body: SampleValue) -> None:
    """Keep a value in the session."""
    session.service["value"] = body.value


def get_value(session: HandlerSession, _body: None) -> SampleValue:
    """Return the value of the session."""
    return SampleValue(session.service.get("value"))


def count(session: HandlerSession, _body: None) -> SampleCount:
    """Count in the level of the group."""
    session.group["count"] = session.group.get("count", 0) + 1
    return SampleCount(session.group["count"])


def get_count(session: HandlerSession, _body: None) -> SampleCount:
    """Return the count of the group."""
    return SampleCount(session.group.get("count", 0))


def count_shared(session: HandlerSession, _body: None) -> SampleCount:
    """Count for all clients."""
    session.shared["count"] = session.shared.get("count", 0) + 1
    return SampleCount(session.shared["count"])


def count_here(session: HandlerSession, _body: None) -> SampleCount:
    """Count under an excluded key, which stays in the process."""
    session.service["local_count"] = session.service.get("local_count", 0) + 1
    return SampleCount(session.service["local_count"])


def change_both(session: HandlerSession, _body: None) -> None:
    """Change the session and the shared state, which no handler may."""
    session.service["x"] = session.shared["x"] = len(session.service)


def _route(method: str, path: str, handler: object, **more: object) -> SessionRoute:
    return SessionRoute(
        method=method,
        path=f"/stateful/{path}",
        summary=(getattr(handler, "__doc__", "") or "").strip().rstrip("."),
        handler=handler,  # type: ignore[arg-type]
        sessions=SESSIONS,
        **more,  # type: ignore[arg-type]
    )


ROUTES = (
    _route("PUT", "value", set_value, body=SampleValue),
    _route("GET", "value", get_value, returns=SampleValue, requires=("read",)),
    _route("POST", "count", count, returns=SampleCount),
    _route("GET", "count", get_count, returns=SampleCount, requires=("read",)),
    _route("POST", "shared", count_shared, returns=SampleCount),
    _route("POST", "here", count_here, returns=SampleCount),
    _route("POST", "both", change_both),
)


def stateful(sessions: SessionSettings = SESSIONS) -> Service:
    """Return the service, with other settings of its sessions."""
    return replace(STATEFUL, serves=tuple(replace(route, sessions=sessions) for route in ROUTES))


STATEFUL = Service(
    name="stateful",
    summary="Keeps a value for each client",
    tags=("samples", "stateful"),
    port=8199,
    runs=(),
    serves=ROUTES,
)

"""Asks aggregates once for each Idempotency-Key of a client, and answers with the positions of the events."""

from collections.abc import Mapping
from typing import Any, TypedDict

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.errors import Changed
from bookshelf.cqrs.handler import HandlerPorts, RequestContext
from bookshelf.cqrs.message import Command
from bookshelf.http.message import Headers, Request
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.ownership import call_id


class Keyed(TypedDict):
    """The actor, the id of the command, and the content that belongs to a key of the client."""

    actor: str
    command_id: str | None
    content: msgspec.Struct | None


def chosen_key(headers: Headers) -> str | None:
    """Return the key that a client has chosen; one that the gateway made is for one request only."""
    return None if header_fields.TRY in headers else header_fields.key(headers)


def keyed(request: Request, context: RequestContext, content: msgspec.Struct, prefix: str = "") -> Keyed:
    """Return what to ask with: without a key each request is a new command. Raises `Problem`.

    Commands of one aggregate that may share a key by chance have another `prefix`.
    """
    key, actor = header_fields.key(request.headers), context.caller.actor
    return Keyed(
        actor=actor,
        command_id=None if key is None else call_id(actor, f"{prefix}{key}"),
        content=None if chosen_key(request.headers) is None else content,
    )


async def recalled(
    aggregate: Aggregate[Any], subject: str, command: Command, asked: Keyed, ports: HandlerPorts
) -> CommandResult | None:
    """Return the first result of a command that was carried out before; None for a new one.

    Ask it before what a repetition must not depend on. Raises `KeyReused`, and other faults of `ask`.
    """
    if asked["command_id"] is None:
        return None
    try:
        # no version is allowed: only a repetition has a result
        return await ports.ask(aggregate, subject, command, **asked, expects=frozenset())
    except Changed:
        return None


def result_fields(*results: CommandResult) -> Mapping[str, str]:
    """Return the header fields of an answer: where the events are, and whether they were there before."""
    positions = dict.fromkeys(str(result.position) for result in results if result.position is not None)
    fields = {header_fields.POSITION: ", ".join(list(positions)[-MOST_POSITIONS:])} if positions else {}
    if results and all(result.replayed for result in results):
        fields[header_fields.REPLAYED] = "true"
    return fields


#: The most positions of one answer, as many as the next request may wait for.
MOST_POSITIONS = 64

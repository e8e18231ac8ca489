"""Routes: how commands and queries are reached over HTTP, as data. The edge and OpenAPI read the same."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.view import View


class Empty(msgspec.Struct, forbid_unknown_fields=True):
    """A body, or a query string, with nothing in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRoute:
    """A request that becomes one command.

    `command(body, at)` makes the command; `answer(id, state)` the body of the answer, none if None.
    A route that `creates` has no {id} in its path: the new id is derived from the command's id.
    `deadline_s`: seconds that the gateway waits for its answer, if not as long as for others.
    `requires`: what a caller's token must allow; () for any token, None for anyone. The gateway sees to it.
    """

    method: str
    path: str
    summary: str
    aggregate: Aggregate[Any]
    command: Callable[[Any, datetime], Any]
    body: type[msgspec.Struct] = Empty
    body_required: bool = True
    answer: Callable[[str, Any], msgspec.Struct] | None = None
    returns: type[msgspec.Struct] | None = None
    status: int = 204
    creates: bool = False
    deadline_s: float | None = None
    requires: tuple[str, ...] | None = None


class Answer(msgspec.Struct, frozen=True):
    """What a query found. `version` is an entity tag's content; `after` the cursor of the next page."""

    body: Any
    version: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRoute:
    """A request that is answered from a view's rows by `query(connection, params)`.

    `params` takes the path's and the query string's values, by name; `returns` is the body's type.
    """

    path: str
    summary: str
    view: View
    query: Callable[[Any, Any], Answer]
    returns: Any
    params: type[msgspec.Struct] = Empty
    method: str = "GET"
    requires: tuple[str, ...] | None = None
    deadline_s: float | None = None


Route = CommandRoute | QueryRoute

"""Declares the HTTP routes of commands and queries as data, for the API and for its OpenAPI document."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.view import View


class Empty(msgspec.Struct, forbid_unknown_fields=True):
    """A body or a query string without fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRoute:
    """A request that becomes one command.

    `command(body, at)` makes the command; `answer(id, state)` makes the body of the answer, if there is one.
    A route that `creates` has no {id} in its path: the new id is derived from the command's id.
    `deadline_s`: seconds that the gateway waits for the answer, if that differs from its default.
    `requires`: the scopes that a client's token must have; () for any token, None for no token. The gateway
    checks it.
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
    """The result of a query. `version` is the content of its entity tag, `after` the next page's cursor."""

    body: Any
    version: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRoute:
    """A request that is answered from a view's rows by `query(connection, params)`.

    `params` is the type of the path's and the query string's values by name; `returns` is the body's type.
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

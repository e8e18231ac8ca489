"""Declares the HTTP routes of commands and queries as data, for the API and for its OpenAPI document."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.handler import READ, WRITE, HandlerRoute, RequestContext
from bookshelf.cqrs.session_route import SessionRoute
from bookshelf.cqrs.view import View


class Empty(msgspec.Struct, forbid_unknown_fields=True):
    """A body or a query string without fields."""


#: A field with this in its `extra_json_schema` is no part of the API's documents.
HIDDEN = "x-hidden"


class Owned(msgspec.Struct, forbid_unknown_fields=True):
    """Base of the parameters of a query on one person's rows: the runtime sets `owner` to the caller.

    None is the local reader. A client that sends `owner` is refused.
    """

    owner: Annotated[str | None, Meta(extra_json_schema={HIDDEN: True})] = None


class Overseen(msgspec.Struct, forbid_unknown_fields=True):
    """Base of the parameters of a query that answers more to some callers, as the numbers of a stock.

    The runtime sets `sees_all` to True for a caller with the scopes that the route's `oversees` names.
    """

    sees_all: Annotated[bool, Meta(extra_json_schema={HIDDEN: True})] = False


class OwnedOverseen(Owned, forbid_unknown_fields=True):
    """Base of the parameters of a query on one person's rows, or on everyone's if the caller sees all."""

    sees_all: Annotated[bool, Meta(extra_json_schema={HIDDEN: True})] = False


class Addressed(msgspec.Struct, forbid_unknown_fields=True):
    """Base of the parameters of a query that answers everyone, and marks what is the caller's own.

    The runtime sets `caller` to the caller's `owner`, None for the local reader, and `today` to what the
    route's `today` returns for the present time. Answers are kept for this caller and day only. A client that
    sends either is refused.
    """

    caller: Annotated[str | None, Meta(extra_json_schema={HIDDEN: True})] = None
    today: Annotated[str, Meta(extra_json_schema={HIDDEN: True})] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRoute:
    """A request that becomes one command.

    `command(body, context)` makes the command. `params` is the type of the values of path and query string by
    name; a field of it takes the value of each variable of the path except {id}, which may be left out.
    The aggregate's id is `subject(body, context)`; if that is None or left out, the path's {id}, or, with
    `creates`, an id derived from the command's id.
    `answer(id, state)` makes the body of the answer, or `part(id, state, context)` for an answer that is a
    part of the aggregate. The state is the one right after the command, in the answer to a repetition too,
    so that what the command added is the newest of it. `location`: the template of the address of what was
    created, with {id} and fields of the body like {body.number}; with `creates`, the default is `path/{id}`.
    `deadline_s`: seconds that the gateway waits for the answer, if that differs from its default.
    `waits_for`: the query of the thing with the same id; a request with `Prefer: wait=N` is answered with it.
    `requires`: the scopes that the caller must have; () for every person with an account, None for everyone.
    `oversees`: the scopes with which a caller may change what belongs to others.
    `conditional`: a request without If-Match is refused, as it would overwrite what its sender has not seen.
    `child`: with `creates`, the id is `{id}~CHILD` and an id derived from the command's: a child of the
    path's {id}. `per_minute`: how often one person can send it in a minute to an instance; 0: no limit.
    """

    method: str
    path: str
    summary: str
    aggregate: Aggregate[Any]
    command: Callable[[Any, RequestContext], Any]
    body: type[msgspec.Struct] = Empty
    body_required: bool = True
    params: type[msgspec.Struct] = Empty
    subject: Callable[[Any, RequestContext], str | None] | None = None
    answer: Callable[[str, Any], msgspec.Struct] | None = None
    part: Callable[[str, Any, RequestContext], msgspec.Struct] | None = None
    returns: type[msgspec.Struct] | None = None
    status: int = 204
    creates: bool = False
    location: str | None = None
    deadline_s: float | None = None
    waits_for: "QueryRoute | None" = None
    conditional: bool = False
    requires: tuple[str, ...] | None = WRITE
    oversees: tuple[str, ...] = ()
    child: str = ""
    per_minute: int = 0


class Answer(msgspec.Struct, frozen=True):
    """The result of a query.

    `version` is the content of its entity tag, `after` the next page's cursor, `count` the number of items on
    all pages together. It is not `at_rest` if the thing is going to change without another request, like an
    order that is not decided yet.
    """

    body: Any
    version: str | None = None
    after: str | None = None
    count: int | None = None
    at_rest: bool = True


class AnswerPage(msgspec.Struct, frozen=True):
    """An answer as a whole HTML page, and the Content-Security-Policy that it is sent with."""

    html: str
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRoute:
    """A request that is answered from a view's rows by `query(connection, params)`.

    `params` is the type of the path's and the query string's values by name; a field of a tuple type takes
    every value of a repeated parameter. `returns` is the body's type. `counted`: its answers have a count.
    `waits`: its answers may not be at rest; a request with `Prefer: wait=N` is answered once they are.
    `oversees`: the scopes with which a caller sees all, if its `params` are `Overseen` or `OwnedOverseen`.
    `page(body)` makes a whole HTML page of the answer's JSON, for a client whose `Accept` prefers that.
    `tabular`: with the parameter `format=csv`, which the query gets too if the client's `Accept` prefers
    text/csv, the body of its answer is a text, and is sent as CSV.
    `today` returns the day of a time, for `params` that are `Addressed`.
    """

    path: str
    summary: str
    view: View
    query: Callable[[Any, Any], Answer]
    returns: Any
    params: type[msgspec.Struct] = Empty
    counted: bool = False
    waits: bool = False
    method: str = "GET"
    requires: tuple[str, ...] | None = READ
    oversees: tuple[str, ...] = ()
    page: "Callable[[bytes], AnswerPage] | None" = None
    tabular: bool = False
    deadline_s: float | None = None
    today: Callable[[datetime], str] | None = None


#: Records by partition: a range of offsets each.
Span = Mapping[int, range]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsRoute:
    """A request that is answered with a stream: an answer of a view whenever its rows have changed.

    `query(connection, params, span)` is called at the start and after each change; `span` is the records
    since the last call, none of them at the start of a new stream. An answer is sent if it differs from the
    last one; an answer with the body None is not sent. `returns` is the type of the other bodies. `oversees`
    is that of a query route.
    """

    path: str
    summary: str
    view: View
    query: Callable[[Any, Any, Span], Answer]
    returns: Any
    params: type[msgspec.Struct] = Empty
    method: str = "GET"
    requires: tuple[str, ...] | None = READ
    oversees: tuple[str, ...] = ()
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkRoute:
    """A request with many commands of its service's other routes; each has a result of its own.

    Item n, from 0 on, has the idempotency key `KEY.n`, so that a repeated request repeats nothing; an item
    may name another key.
    """

    path: str
    summary: str
    method: str = "POST"
    requires: tuple[str, ...] | None = WRITE
    deadline_s: float | None = 60.0


Route = CommandRoute | QueryRoute | EventsRoute | BulkRoute | HandlerRoute | SessionRoute

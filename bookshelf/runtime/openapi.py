"""Writes the OpenAPI 3.1 document of a service, from the same routes that its API answers."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from apispec import APISpec

from bookshelf import __version__
from bookshelf.cqrs.handler import INTERNAL, HandlerRoute
from bookshelf.cqrs.route import BulkRoute, CommandRoute, EventsRoute, QueryRoute, Route
from bookshelf.cqrs.service import Service
from bookshelf.cqrs.session_route import SessionRoute
from bookshelf.http.problem import STATUS
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.bulk import BulkItems, BulkResult
from bookshelf.runtime.openapi_parameters import (
    CORRELATION_HEADER,
    KEY_HEADER,
    NAME,
    header,
    if_match,
    parameter,
    token_header,
    wait_header,
)
from bookshelf.runtime.openapi_schemas import REF, Json, example, publish_schema

#: What a response's headers mean, and an example of each.
_HEADERS: Mapping[str, tuple[str, str]] = {
    "Location": ("The address of what was created.", "/bookshelf/books/0c9b6f0e-6a9b-5d0c-9f43-8f9a7a1f2b11"),
    "ETag": ("The version of the answer, for If-Match or If-None-Match.", '"42"'),
    "Link": ("The next page, if there is one.", '</bookshelf/books?after=WyJhZGRlZCJd>; rel="next"'),
    header_fields.POSITION: (
        "The position of the command's last event in the log, for Bookshelf-After.",
        "bookshelf/0@42",
    ),
    header_fields.CHANGE: (
        "The id of the change that the command made; absent if it changed nothing.",
        "019cab12-3400-7000-8000-0000000000a1",
    ),
    header_fields.CORRELATION: ("The id that joins the changes of this request.", "import-2026-03-01"),
    header_fields.REPLAYED: ("true if the command was carried out before: this is its first answer.", "true"),
    header_fields.COUNT: ("How many items the list has on all its pages together.", "1234"),
    "Retry-After": ("Seconds after which to try again.", "1"),
    "WWW-Authenticate": ("How to authenticate.", "Bearer"),
    "Accept": ("The media types that are accepted.", "application/json"),
}
#: When each error is answered, and the headers that it has.
_FAULTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "400": ("Not JSON, or a header or a query string that cannot be read.", ()),
    "401": ("A token is missing, or is not valid.", ("WWW-Authenticate",)),
    "403": ("The caller may not do this, or the route is closed.", ()),
    "404": ("There is no such thing, or no longer.", ()),
    "408": ("The body did not arrive in time.", ()),
    "409": ("It contradicts the present state.", ()),
    "412": ("It is no longer in the version that If-Match names.", ()),
    "413": ("The body is too large.", ()),
    "415": ("The body is not of a type that is taken.", ("Accept",)),
    "421": ("The Host is not one that this gateway answers for.", ()),
    "422": ("Values that are missing or wrong; `errors` names each.", ()),
    "428": ("A header is missing without which it might be done twice, or overwrite something.", ()),
    "429": ("More requests than one client may send.", ("Retry-After",)),
    "502": ("The service broke off, or cannot be reached.", ()),
    "503": ("Not ready, or not yet where the caller has been; nothing was done.", ("Retry-After",)),
    "504": (
        "No answer in time: a command may have been carried out; repeat it with its Idempotency-Key.",
        (),
    ),
}
NO_CONTENT = 204
#: The errors that a gateway may answer any request with.
GATEWAY_FAULTS = ("401", "403", "421", "429", "502", "503", "504")


class FaultDetails(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One wrong value: its place as `pointer` (into the body), `parameter` or `header`; what it must be."""

    detail: str
    pointer: str = ""
    parameter: str = ""
    header: str = ""


class ProblemDetails(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An error, after RFC 9457. `detail` describes how to fix the request; `errors` has every wrong value."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FaultDetails] = []


def document(service: Service, *, secured: bool = False) -> Json:
    """Return the OpenAPI document of a service's own port; pages are no part of it.

    `secured`: there are accounts, so that operations require the scopes of their routes.
    """
    routes = service.serves if service.root is None else ()
    spec = APISpec(title=f"Bookshelf: {service.name}", version=__version__, openapi_version="3.1.0")
    spec.tag({"name": service.name, "description": service.summary})
    types = {kind for route in routes for kind in _types(route)} | {ProblemDetails}
    ordered = sorted(types, key=str)
    refs, components = msgspec.json.schema_components(ordered, ref_template=REF)
    components = {name: publish_schema(schema) for name, schema in components.items()}
    for name, schema in components.items():
        spec.components.schema(name, schema)
    if secured and any(route.requires is not None for route in routes):
        spec.components.security_scheme("token", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    schemas = {
        kind: _content(publish_schema(ref), components) for kind, ref in zip(ordered, refs, strict=True)
    }
    for route in routes:
        operation = _operation(service, route, schemas)
        if secured and route.requires is not None:
            operation["security"] = [{"token": list(route.requires)}]
            operation["responses"] |= fault_responses("401", "403")
        spec.path(path=route.path, operations={route.method.lower(): operation})
    made: Json = spec.to_dict()
    made["x-bookshelf"] = {"service": service.name, "tags": list(service.tags)}
    if service.root is not None:
        pages = sorted({route.path for route in service.serves})
        made["x-bookshelf"] |= {"root": service.root, "pages": pages}
        if waits := {route.path: route.deadline_s for route in service.serves if route.deadline_s}:
            made["x-bookshelf"]["page_deadlines_s"] = waits
    return made


def _types(route: Route) -> Iterable[Any]:
    if isinstance(route, CommandRoute):
        return [route.body, *([route.returns] if route.returns else [])]
    if isinstance(route, BulkRoute):
        return [BulkItems, list[BulkResult]]
    if isinstance(route, HandlerRoute):
        answers = (route.returns, *(kind for _, kind in route.also))
        return [kind for kind in (route.body, *answers) if kind is not None]
    return [route.returns]


def _content(schema: Json, components: Mapping[str, Any]) -> Json:
    return {"application/json": {"schema": schema, "example": example(schema, components)}}


def _operation(service: Service, route: Route, contents: Mapping[Any, Json]) -> Json:
    head: Json = {"tags": [service.name], "summary": route.summary}
    head |= {"operationId": _operation_id(route)}
    if forwarded := _forwarded(route):
        head["x-bookshelf"] = forwarded
    if isinstance(route, CommandRoute):
        return head | _command(route, contents)
    if isinstance(route, EventsRoute):
        return head | _events(route, contents)
    if isinstance(route, BulkRoute):
        return head | _bulk(contents)
    assert not isinstance(route, SessionRoute)  # noqa: S101 (it is a handler route by now)
    if isinstance(route, HandlerRoute):
        return head | _handler(route, contents)
    return head | _query(route, contents)


def _operation_id(route: Route) -> str:
    steps = [step.strip("{}") for step in route.path.split("/")[1:]]
    return "_".join([route.method.lower(), *steps])


def _forwarded(route: Route) -> Json:
    """Return what a gateway needs: whether to route it, the answer's deadline, and the subject's owner."""
    made: Json = {"internal": True} if route.requires == INTERNAL else {}
    made |= {} if route.deadline_s is None else {"deadline_s": route.deadline_s}
    if isinstance(route, CommandRoute) and (route.creates or "{id}" in route.path):
        made |= {
            "aggregate": route.aggregate.name,
            "subject": "created" if route.creates and not route.child else "id",
        }
    return made


def _command(route: CommandRoute, contents: Mapping[Any, Json]) -> Json:
    subject = {"type": "string", "examples": ["0c9b6f0e-6a9b-5d0c-9f43-8f9a7a1f2b11"]}
    own = list(_route_parameters(route))
    if "{id}" in route.path and all(one["name"] != "id" for one in own):
        own.insert(0, parameter("id", "path", subject, "The id."))
    headers = [
        KEY_HEADER,
        *([] if route.creates else [if_match(required=route.conditional)]),
        CORRELATION_HEADER,
        header(header_fields.UNDOES, "The id of the change that this request takes back.", NAME),
        *token_header(route.aggregate.fenced),
        *wait_header(route.waits_for is not None),
    ]
    needed = ("428",) if route.conditional else ()
    done: Json = {"description": "Done.", "headers": dict(_response_headers(_command_headers(route)))}
    if route.returns:
        done["content"] = contents[route.returns]
    return {
        "parameters": [*own, *headers],
        "requestBody": {
            "required": route.body_required,
            "description": (route.body.__doc__ or "").strip() or "The fields of the request.",
            "content": contents[route.body],
        },
        "responses": {
            str(route.status): done,
            **fault_responses("400", "404", "408", "409", "412", "413", "415", "422", *needed, "503", "504"),
        },
    }


_TABLE = "number,gross\r\n2026-000001,15.00\r\n"
_PAGE = "<!DOCTYPE html>\n<title>A page</title>"


def _command_headers(route: CommandRoute) -> tuple[str, ...]:
    created = ("Location",) if route.creates or route.location else ()
    return (*created, "ETag", header_fields.POSITION, header_fields.CHANGE, header_fields.REPLAYED)


def _query(route: QueryRoute, contents: Mapping[Any, Json]) -> Json:
    listed = (*(("Link",) if _is_paged(route) else ()), *((header_fields.COUNT,) if route.counted else ()))
    page = {} if route.page is None else {"text/html": {"schema": {"type": "string"}, "example": _PAGE}}
    table = {"text/csv": {"schema": {"type": "string"}, "example": _TABLE}} if route.tabular else {}
    found = {
        "description": "Found.",
        "headers": dict(_response_headers((*(() if page else ("ETag",)), *listed))),
        "content": contents[route.returns] | page | table,
    }
    unchanged = {"description": "Unchanged.", "headers": dict(_response_headers(("ETag",)))}
    after = {"type": "string", "pattern": header_fields.AFTER_PATTERN, "examples": ["bookshelf/0@42", "end"]}
    tag = {"type": "string", "examples": ['"42"']}
    headers = [
        header(
            header_fields.AFTER,
            "Wait until the view has what these positions hold, up to 64 with commas: bookshelf/0@42;"
            " or `end`: all that is in the log now.",
            after,
        ),
        header("If-None-Match", "Answer 304 if this is still its entity tag.", tag),
        *wait_header(route.waits),
    ]
    return {
        "parameters": [*_route_parameters(route), *headers],
        "responses": {"200": found, "304": unchanged, **fault_responses("400", "404", "422", "503", "504")},
    }


def _events(route: EventsRoute, contents: Mapping[Any, Json]) -> Json:
    (message,) = contents[route.returns].values()
    data = msgspec.json.encode(message["example"]).decode()
    shown = {"schema": {"type": "string"}, "example": f"id: bookshelf/0@42\ndata: {data}\n\n"}
    last = {"type": "string", "pattern": header_fields.LAST_PATTERN, "examples": ["bookshelf/0@42"]}
    what = "Continue after these positions: the id of the last message that was received."
    stream = {
        "description": "A stream of server-sent events. The `data` of each message is JSON of this schema.",
        "content": {"text/event-stream": {**shown, "x-data": message["schema"]}},
    }
    return {
        "parameters": [*_route_parameters(route), header(header_fields.LAST_EVENT, what, last)],
        "responses": {"200": stream, **fault_responses("400", "404", "422", "503", "504")},
    }


def _bulk(contents: Mapping[Any, Json]) -> Json:
    names = (header_fields.POSITION, header_fields.CORRELATION)
    done = {
        "description": "One result for each item, in their sequence.",
        "headers": dict(_response_headers(names)),
        "content": contents[list[BulkResult]],
    }
    return {
        "parameters": [KEY_HEADER, CORRELATION_HEADER],
        "requestBody": {"required": True, "content": contents[BulkItems]},
        "responses": {
            "200": done,
            **fault_responses("400", "404", "408", "413", "415", "422", "503", "504"),
        },
    }


def _handler(route: HandlerRoute, contents: Mapping[Any, Json]) -> Json:
    names = [step.strip("{}") for step in route.path.split("/") if step.startswith("{")]
    text = {"type": "string", "examples": ["dune"]}
    made: Json = {
        "parameters": [
            *(parameter(name, "path", text, "A part of the address.") for name in names),
            *(_HEEDED[name] for name in route.heeds),
        ],
        "responses": {
            **_handled(route, contents),
            **fault_responses("400", "403", "404", "408", "413", "415", "422", "503", "504"),
            **fault_responses(*(("409", "412") if "If-Match" in route.heeds else ())),
        },
    }
    if route.body is not None:
        described = (route.body.__doc__ or "").strip() or "The fields of the request."
        needed = any(field.required for field in msgspec.structs.fields(route.body))
        made["requestBody"] = {
            "required": needed,
            "description": described,
            "content": contents[route.body],
        }
    elif route.method not in {"GET", "HEAD", "DELETE"}:
        made["requestBody"] = {"content": {"*/*": {"schema": {"type": "string"}, "example": "bytes"}}}
    return made


def _handled(route: HandlerRoute, contents: Mapping[Any, Json]) -> Json:
    """Return the responses of a handler, as far as its route declares them."""
    if route.returns is None and route.status != NO_CONTENT:
        return {"default": {"description": "The handler's response."}}
    return {
        str(status): {"description": "Done."} | ({} if kind is None else {"content": contents[kind]})
        for status, kind in ((route.status, route.returns), *route.also)
    }


def _is_paged(route: QueryRoute) -> bool:
    return any(field.name == "after" for field in msgspec.structs.fields(route.params))


def _route_parameters(route: CommandRoute | QueryRoute | EventsRoute) -> Iterator[Json]:
    """Yield the parameters of a path and a query string. In these, null means that one is left out."""
    _, components = msgspec.json.schema_components([route.params], ref_template=REF)
    schema = publish_schema(components[route.params.__name__])
    for name, given in schema["properties"].items():
        choices = [one for one in given.get("anyOf", ()) if one != {"type": "null"}]
        own = (
            {**{key: part for key, part in given.items() if key != "anyOf"}, **choices[0]}
            if choices
            else given
        )
        place = "path" if f"{{{name}}}" in route.path else "query"
        what = own.pop("description", "") if isinstance(own, dict) else ""
        yield parameter(name, place, own, what, required=name in schema.get("required", []))


#: What a handler may heed.
_HEEDED: Mapping[str, Json] = {header_fields.KEY: KEY_HEADER, "If-Match": if_match(required=False)}


def _response_headers(names: Iterable[str]) -> Iterator[tuple[str, Json]]:
    for name in names:
        what, shown = _HEADERS[name]
        yield name, {"description": what, "schema": {"type": "string"}, "example": shown}


def fault_responses(*statuses: str) -> Json:
    """Return the responses of these statuses: problem details, with their headers."""
    made: Json = {}
    for status in statuses:
        what, headers = _FAULTS[status]
        schema = {"$ref": REF.format(name="ProblemDetails")}
        content = {"application/problem+json": {"schema": schema, "example": _example_of_fault(status)}}
        made[status] = {"description": what, "content": content}
        if headers:
            made[status]["headers"] = dict(_response_headers(headers))
    return made


def _example_of_fault(status: str) -> Json:
    kind = next(kind for kind, one in STATUS.items() if one.value == int(status))
    made: Json = {
        "type": f"urn:bookshelf:problem:{kind}",
        "title": STATUS[kind].phrase,
        "status": int(status),
        "detail": _FAULTS[status][0],
    }
    if kind == "invalid":
        words = "must be a whole number from 1 to 1000"
        made |= {"detail": f"limit {words}", "errors": [{"detail": words, "parameter": "limit"}]}
    return made


def problem_schemas() -> Json:
    """Return the components that fault responses refer to."""
    _, components = msgspec.json.schema_components([ProblemDetails], ref_template=REF)
    return {name: publish_schema(schema) for name, schema in components.items()}

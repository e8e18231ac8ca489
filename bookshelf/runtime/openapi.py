"""OpenAPI 3.1 of a service, from the same routes that its edge serves."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from apispec import APISpec

from bookshelf import __version__
from bookshelf.cqrs.route import CommandRoute, QueryRoute, Route
from bookshelf.cqrs.service import Service
from bookshelf.runtime.edge import conditions

_REF = "#/components/schemas/{name}"


class ProblemDetails(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An error, after RFC 9457. `detail` says what to mend; `errors` where."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] = []


def document(service: Service) -> dict[str, Any]:
    """Return the OpenAPI document of a service's own port."""
    spec = APISpec(title=f"Bookshelf: {service.name}", version=__version__, openapi_version="3.1.0")
    spec.tag({"name": service.name, "description": service.summary})
    types = {kind for route in service.serves for kind in _types(route)} | {ProblemDetails}
    ordered = sorted(types, key=str)
    refs, components = msgspec.json.schema_components(ordered, ref_template=_REF)
    for name, schema in components.items():
        spec.components.schema(name, schema)
    if any(route.requires is not None for route in service.serves):
        spec.components.security_scheme("token", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    schemas = dict(zip(ordered, refs, strict=True))
    for route in service.serves:
        spec.path(path=route.path, operations={route.method.lower(): _operation(service, route, schemas)})
    made: dict[str, Any] = spec.to_dict()
    made["x-bookshelf"] = {"service": service.name, "tags": list(service.tags)}
    return made


def _types(route: Route) -> Iterable[Any]:
    if isinstance(route, CommandRoute):
        return [route.body, *([route.returns] if route.returns else [])]
    return [route.returns]


def _operation(service: Service, route: Route, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    head: dict[str, Any] = {"tags": [service.name], "summary": route.summary}
    head |= {"operationId": _operation_id(route)}
    if route.requires is not None:
        head["security"] = [{"token": list(route.requires)}]
    if forwarded := _forwarded(route):
        head["x-bookshelf"] = forwarded
    if isinstance(route, CommandRoute):
        return head | _command(route, schemas)
    return head | _query(route, schemas)


def _operation_id(route: Route) -> str:
    steps = [step.strip("{}") for step in route.path.split("/")[1:]]
    return "_".join([route.method.lower(), *steps])


def _forwarded(route: Route) -> dict[str, Any]:
    """Say to a gateway how long the answer may take, and whose partition's owner it asks first."""
    said: dict[str, Any] = {} if route.deadline_s is None else {"deadline_s": route.deadline_s}
    if isinstance(route, CommandRoute):
        said |= {"aggregate": route.aggregate.name, "subject": "created" if route.creates else "id"}
    return said


def _command(route: CommandRoute, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    path = [] if route.creates else [_parameter("id", "path", {"type": "string"}, "The id.")]
    headers = [
        _header(
            conditions.KEY,
            "Makes a retry safe: the same key answers the same and writes nothing.",
            conditions.KEY_PATTERN,
        ),
        *([] if route.creates else [_header("If-Match", "Only if this is still its entity tag.")]),
    ]
    content = {"application/json": {"schema": schemas[route.body]}}
    said = {"content": {"application/json": {"schema": schemas[route.returns]}}} if route.returns else {}
    return {
        "parameters": [*path, *headers],
        "requestBody": {"required": route.body_required, "content": content},
        "responses": {
            str(route.status): {"description": "Done.", **said},
            **_faults("400", "404", "408", "409", "412", "413", "415", "422", "503", "504"),
        },
    }


def _query(route: QueryRoute, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components([route.params], ref_template=_REF)
    schema = components[route.params.__name__]
    required = schema.get("required", [])
    parameters = [
        _parameter(
            name,
            "path" if f"{{{name}}}" in route.path else "query",
            one,
            one.get("description", ""),
            required=name in required,
        )
        for name, one in schema["properties"].items()
    ]
    headers = [
        _header(
            conditions.AFTER,
            "Wait until the view has what these positions hold: bookshelf/0@42, …",
            conditions.AFTER_PATTERN,
        ),
        _header("If-None-Match", "Answer 304 if this is still its entity tag."),
    ]
    found = {"description": "Found.", "content": {"application/json": {"schema": schemas[route.returns]}}}
    responses = {"200": found, "304": {"description": "Unchanged."}, **_faults("400", "404", "422", "503")}
    return {"parameters": [*parameters, *headers], "responses": responses}


def _parameter(
    name: str, place: str, schema: Mapping[str, Any], what: str, *, required: bool = True
) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": dict(schema), "description": what}


def _header(name: str, what: str, pattern: str | None = None) -> dict[str, Any]:
    schema = {"type": "string"} if pattern is None else {"type": "string", "pattern": pattern}
    return _parameter(name, "header", schema, what, required=False)


def _faults(*statuses: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": _REF.format(name="ProblemDetails")}}}
    return {status: {"description": "See `detail`.", "content": content} for status in statuses}

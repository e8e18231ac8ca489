"""Writes the parameters of requests for OpenAPI documents: those of paths and queries, and header fields."""

from collections.abc import Mapping
from typing import Any

from bookshelf.runtime.api import header_fields
from bookshelf.runtime.openapi_schemas import Json


def parameter(name: str, place: str, schema: Mapping[str, Any], what: str, *, required: bool = True) -> Json:
    """Return a parameter at a place: path, query or header. `what` describes it."""
    made = {"name": name, "in": place, "required": required, "schema": dict(schema), "description": what}
    # the page for trying out requests fills in examples, and an optional parameter would then filter
    if required and schema.get("examples"):
        made["example"] = schema["examples"][0]
    return made


def header(name: str, what: str, schema: Json) -> Json:
    """Return a header field that a request may have."""
    return parameter(name, "header", schema, what, required=False)


def wait_header(waits: bool) -> list[Json]:  # noqa: FBT001 (of the route)
    """Return the header of a route that `waits`."""
    schema = {"type": "string", "examples": ["wait=5"]}
    what = "Answer once the thing is at rest, or after so many seconds, at most 10."
    return [header(header_fields.PREFER, what, schema)] if waits else []


def if_match(*, required: bool) -> Json:
    """Return the header for optimistic concurrency."""
    tag = {"type": "string", "examples": ['"42"']}
    what = "Only if this is still its entity tag."
    return parameter("If-Match", "header", tag, what, required=required)


def token_header(fenced: bool) -> list[Json]:  # noqa: FBT001 (of the route's aggregate)
    """Return the header of a command on a fenced aggregate."""
    schema = {"type": "string", "pattern": header_fields.TOKEN_PATTERN, "examples": ["1042"]}
    what = "The fencing token of the lease that allows this; a lower one than was accepted is refused."
    return [header(header_fields.TOKEN, what, schema)] if fenced else []


NAME: Json = {"type": "string", "pattern": header_fields.NAME_PATTERN, "examples": ["import-2026-03-01"]}
_KEY: Json = {"type": "string", "pattern": header_fields.KEY_PATTERN, "examples": ["c51f0e0c-add-dune"]}
KEY_HEADER = header(
    header_fields.KEY, "Makes a retry safe: the same key gets the same answer and appends nothing.", _KEY
)
CORRELATION_HEADER = header(
    header_fields.CORRELATION, "Joins the changes of many requests under one id.", NAME
)

"""Reads the operations of a service's document: method, path, and how requests are forwarded."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bookshelf.runtime.api.header_fields import KEY
from gateway.auth.verifier import Requirement, required

#: A path that can be matched segment by segment: literals, and whole segments in braces.
_PATH = r"^(/([A-Za-z0-9._~!$&'()*+,=:@%-]+|\{[A-Za-z0-9_.-]{1,64}\}))+$"
Path = Annotated[str, Meta(pattern=_PATH, max_length=512)]
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch"})
_REFERENCE = "#/components/parameters/"


class Declared(msgspec.Struct, frozen=True):
    """An operation's `x-bookshelf`.

    `deadline_s`: seconds until its response must begin. `aggregate`: the aggregate whose partition's owner is
    tried first. `subject`: where the aggregate's id comes from: `id` for the path's {id}, `created` for the
    id of the command.
    """

    deadline_s: Annotated[float, Meta(gt=0, le=3600)] | None = None
    aggregate: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{0,64}$")] = ""
    subject: Literal["id", "created"] = "id"


class Operation(msgspec.Struct, frozen=True):
    """A method, in capitals, on a path. `keyed`: a repeated command is recognised by its Idempotency-Key.

    `requirement`: what a caller's token must allow; None for no token.
    """

    method: str
    path: str
    declared: Declared = Declared()
    keyed: bool = False
    requirement: Requirement | None = None


class BadOperation(msgspec.Struct, frozen=True):
    """An operation that cannot be routed, and the reason."""

    method: str
    path: str
    why: str


def operations(
    paths: Mapping[str, Mapping[str, Any]],
    components: Mapping[str, Mapping[str, Any]],
    security: object = None,
) -> Iterator[Operation | BadOperation]:
    """Yield each operation of a document. `security`: applies to operations that have none of their own."""
    shared = components.get("parameters", {})
    for path, item in paths.items():
        for key in item.keys() & _METHODS:
            operation = _operation(key.upper(), path, item, shared)
            if isinstance(operation, Operation):
                asked = required(item[key].get("security", security))
                operation = msgspec.structs.replace(operation, requirement=asked)
            yield operation


def _operation(
    method: str, path: str, item: Mapping[str, Any], shared: Mapping[str, Any]
) -> Operation | BadOperation:
    own = item[method.lower()]
    try:
        msgspec.convert(path, Path)
        own = msgspec.convert(own, dict[str, Any])
        declared = msgspec.convert(own.get("x-bookshelf", {}), Declared)
    except msgspec.ValidationError as fault:
        return BadOperation(method, path[:200], str(fault))
    listed = [*_listed(item), *_listed(own)]
    return Operation(method, path, declared, keyed=any(_is_key(parameter, shared) for parameter in listed))


def _listed(part: Mapping[str, Any]) -> list[Any]:
    parameters = part.get("parameters")
    return parameters if isinstance(parameters, list) else []


def _is_key(parameter: Any, shared: Mapping[str, Any]) -> bool:  # noqa: ANN401 (any JSON)
    if not isinstance(parameter, dict):
        return False
    ref = parameter.get("$ref")
    if isinstance(ref, str):
        parameter = shared.get(ref.removeprefix(_REFERENCE))
    return (
        isinstance(parameter, dict)
        and parameter.get("in") == "header"
        and str(parameter.get("name")).lower() == KEY.lower()
    )

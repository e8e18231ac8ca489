"""One operation of a service's document, as far as it says how it is to be forwarded."""

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
    """An operation's `x-bookshelf`. `deadline_s`: seconds that its answer may take to begin.

    `aggregate`: whose partitions' owner is asked first; `subject` says where the id is from: the path's
    {id}, or the command's id, if it creates.
    """

    deadline_s: Annotated[float, Meta(gt=0, le=3600)] | None = None
    aggregate: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{0,64}$")] = ""
    subject: Literal["id", "created"] = "id"


class Operation(msgspec.Struct, frozen=True):
    """A method, in capitals, on a path. `keyed`: a repeated command is recognised by its Idempotency-Key.

    `requirement`: what is asked of who calls it; None for nothing.
    """

    method: str
    path: str
    declared: Declared = Declared()
    keyed: bool = False
    requirement: Requirement | None = None


class BadOperation(msgspec.Struct, frozen=True):
    """One that cannot be routed, and why."""

    method: str
    path: str
    why: str


def operations(
    paths: Mapping[str, Mapping[str, Any]],
    components: Mapping[str, Mapping[str, Any]],
    security: object = None,
) -> Iterator[Operation | BadOperation]:
    """Yield each operation of a document. `security`: what it asks for those that say nothing themselves."""
    shared = components.get("parameters", {})
    for path, item in paths.items():
        for key in item.keys() & _METHODS:
            found = _operation(key.upper(), path, item, shared)
            if isinstance(found, Operation):
                asked = required(item[key].get("security", security))
                found = msgspec.structs.replace(found, requirement=asked)
            yield found


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
    return Operation(method, path, declared, keyed=any(_is_key(one, shared) for one in listed))


def _listed(part: Mapping[str, Any]) -> list[Any]:
    found = part.get("parameters")
    return found if isinstance(found, list) else []


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

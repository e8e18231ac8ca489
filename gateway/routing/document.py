"""Reads the OpenAPI document of a service and its operations, as far as the gateway uses them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bookshelf.discovery.port import Instance
from bookshelf.runtime.api.header_fields import KEY
from gateway.auth import Requirement, required

#: A path that can be matched segment by segment: literals, and whole segments in braces.
_PATH = r"^(/([A-Za-z0-9._~!$&'()*+,=:@%-]+|\{[A-Za-z0-9_.-]{1,64}\}))+$"
Path = Annotated[str, Meta(pattern=_PATH, max_length=512)]
_ROOT = r"^(/|(/[a-z0-9-]+)+)$(?!\n)"
_PAGE = r"^/[A-Za-z0-9/{}._-]*$(?!\n)"
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch"})
_REFERENCE = "#/components/parameters/"


class Declared(msgspec.Struct, frozen=True):
    """An operation's `x-bookshelf`.

    `deadline_s`: seconds until its response must begin. `aggregate`: the aggregate whose partition's owner is
    tried first. `subject`: where the aggregate's id comes from: `id` for the path's {id}, `created` for the
    id of the command. `internal`: the operation is for our own processes, and never routed.
    """

    deadline_s: Annotated[float, Meta(gt=0, le=3600)] | None = None
    aggregate: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{0,64}$")] = ""
    subject: Literal["id", "created"] = "id"
    internal: bool = False


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


#: Limits of one document: operations, components, depth of nested values.
_OPERATIONS = 500
_COMPONENTS = 1000
_DEPTH = 64


class BadDocument(Exception):
    """The document of a service cannot be used; the message gives the reason."""


class Origin(msgspec.Struct, frozen=True):
    """The document's `x-bookshelf`: the name of its service, and the tags of the service's instances.

    `root`: the address at and below which the service has pages; None for a service without pages. `pages`:
    the templates of their addresses, which metrics are labelled with. `page_deadlines_s`: by template, the
    seconds until the response of a page must begin, if not the default.
    """

    service: Annotated[str, Meta(min_length=1)]
    tags: Annotated[tuple[str, ...], Meta(min_length=1)]
    root: Annotated[str, Meta(pattern=_ROOT, max_length=64)] | None = None
    pages: Annotated[
        tuple[Annotated[str, Meta(pattern=_PAGE, max_length=200)], ...], Meta(max_length=500)
    ] = ()
    page_deadlines_s: Annotated[dict[str, Annotated[float, Meta(gt=0, le=3600)]], Meta(max_length=500)] = {}


class Tag(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tag that groups operations in the API documentation."""

    name: str
    description: str = ""


class _Read(msgspec.Struct, frozen=True):
    origin: Origin | None = msgspec.field(name="x-bookshelf", default=None)
    paths: dict[str, dict[str, Any]] = {}
    components: dict[str, dict[str, Any]] = {}
    tags: list[Tag] = []
    security: Any = None
    swagger: msgspec.UnsetType | msgspec.Raw = msgspec.UNSET


class Document(msgspec.Struct, frozen=True):
    """The parts of an OpenAPI 3.1 document that the gateway needs.

    `tags`: the tags by which instances of the service are found. `own`: only instances under the service's
    own name are used, because these tags come from the registry, not from the document. `bad`: operations
    that cannot be routed. `groups`: the document's tags. `root`: where its pages are, None if it has none.
    `pages`: the templates of their addresses, `page_deadlines_s`: the deadlines that some of them have.
    `foreign`: the document is a foreign service's.
    """

    service: str
    tags: tuple[str, ...]
    own: bool = False
    operations: tuple[Operation, ...] = ()
    bad: tuple[BadOperation, ...] = ()
    paths: dict[str, dict[str, Any]] = {}
    components: dict[str, dict[str, Any]] = {}
    groups: tuple[Tag, ...] = ()
    root: str | None = None
    pages: tuple[str, ...] = ()
    page_deadlines_s: dict[str, float] = {}
    foreign: bool = False


_decode = msgspec.json.Decoder(_Read).decode


def read(content: bytes, instance: Instance) -> Document:
    """Decode and check the document that an instance serves. Raises `BadDocument`."""
    service = instance.service
    try:
        decoded = _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise BadDocument(f"the document of {service} cannot be read: {fault}") from fault
    listed = list(operations(decoded.paths, decoded.components, decoded.security))
    if (trouble := _trouble(decoded, service, len(listed))) is not None:
        raise BadDocument(trouble)
    return Document(
        service=service,
        tags=decoded.origin.tags if decoded.origin else instance.tags,
        own=decoded.origin is None,
        operations=tuple(operation for operation in listed if isinstance(operation, Operation)),
        bad=tuple(operation for operation in listed if isinstance(operation, BadOperation)),
        paths=decoded.paths,
        components=decoded.components,
        groups=tuple(decoded.tags),
        root=decoded.origin.root if decoded.origin else None,
        pages=decoded.origin.pages if decoded.origin else (),
        page_deadlines_s=decoded.origin.page_deadlines_s if decoded.origin else {},
        foreign=instance.foreign,
    )


def _trouble(decoded: _Read, service: str, listed: int) -> str | None:
    """Return why a decoded document is refused; None if it is accepted."""
    parts = sum(map(len, decoded.components.values()))
    if decoded.swagger is not msgspec.UNSET:
        return f"the document of {service} is of OpenAPI 2; version 3 is needed"
    if decoded.origin is not None and decoded.origin.service != service:
        return f"an instance of {service} serves the document of {decoded.origin.service}"
    if listed > _OPERATIONS:
        return f"the document of {service} has {listed} operations, over {_OPERATIONS}"
    if parts > _COMPONENTS:
        return f"the document of {service} has {parts} components, over {_COMPONENTS}"
    if _too_deep([decoded.paths, decoded.components]):
        return f"the document of {service} has more than {_DEPTH} values inside each other"
    return None


def _too_deep(level: list[Any]) -> bool:
    for _ in range(_DEPTH):
        level = [
            inner
            for part in level
            if isinstance(part, dict | list)
            for inner in (part.values() if isinstance(part, dict) else part)
        ]
        if not level:
            return False
    return True

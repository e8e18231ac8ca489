"""Merges the OpenAPI documents of all services; clashing component names get a service as suffix."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from bookshelf import __version__
from bookshelf.runtime.openapi import GATEWAY_FAULTS, fault_responses, problem_schemas
from gateway.routing.document import Document

#: Keys of a path item that apply to all its methods.
_SHARED = ("summary", "description", "parameters")
#: Components by their reference: #/components/schemas/Book.
Parts = dict[str, Any]


#: Error responses that the gateway itself may give in place of any service.
_FAULTS = fault_responses(*GATEWAY_FAULTS)
_COMPONENT = "#/components/schemas/{}"

#: The methods and paths of each service's routes.
Granted = Mapping[str, AbstractSet[tuple[str, str]]]


def merged(documents: Sequence[Document], granted: Granted, prefix: str) -> bytes:
    """Return one OpenAPI 3.1 document of the granted routes; for two editions, the first counts."""
    paths: dict[str, dict[str, Any]] = {}
    parts: Parts = {_COMPONENT.format(name): part for name, part in problem_schemas().items()}
    for document in documents:
        own = _parts(document)
        names = {ref: f"{ref}-{document.service}" for ref in _clashing(own, parts)}
        parts = {names.get(ref, ref): _renamed(part, names) for ref, part in own.items()} | parts
        for path, item in _served(document, granted.get(document.service, set())).items():
            paths[path] = _renamed(item, names) | paths.get(path, {})
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "Bookshelf", "version": __version__},
        "servers": [{"url": prefix}],
        "tags": list({tag.name: tag for document in documents for tag in document.groups}.values()),
        "paths": paths,
        "components": _sections(parts),
    }
    return msgspec.json.encode(whole)


def _served(document: Document, granted: AbstractSet[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """Return the paths with the methods that were granted to the service."""
    found: dict[str, dict[str, Any]] = {}
    for path, item in document.paths.items():
        kept = {key: part for key, part in item.items() if (key.upper(), path) in granted}
        if kept:
            shared = {key: part for key, part in item.items() if key in _SHARED}
            found[path] = shared | {key: _with_own_faults(operation) for key, operation in kept.items()}
    return found


def _with_own_faults(operation: Any) -> Any:  # noqa: ANN401 (any JSON)
    """Return an operation with the gateway's own error responses added to the service's."""
    if not isinstance(operation, dict):
        return operation
    responses = operation.get("responses")
    own = responses if isinstance(responses, dict) else {}
    return {**operation, "responses": {**own, **{s: r for s, r in _FAULTS.items() if s not in own}}}


def _parts(document: Document) -> Parts:
    return {
        f"#/components/{section}/{name}": part
        for section, named in document.components.items()
        for name, part in named.items()
    }


def _sections(parts: Parts) -> dict[str, dict[str, Any]]:
    sections: dict[str, dict[str, Any]] = {}
    for ref, part in parts.items():
        _, _, section, name = ref.split("/", 3)
        sections.setdefault(section, {})[name] = part
    return sections


def _clashing(own: Parts, parts: Parts) -> set[str]:
    taken = own.keys() & parts.keys()
    clashing = {ref for ref in taken if own[ref] != parts[ref]}
    # equal text with a reference to a clashing component has another meaning
    while more := {ref for ref in taken - clashing if clashing.intersection(_refs(own[ref]))}:
        clashing |= more
    return clashing


def _refs(part: Any) -> Iterator[str]:  # noqa: ANN401 (any JSON)
    if isinstance(part, dict) and isinstance(ref := part.get("$ref"), str):
        yield ref
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _refs(inner)


def _renamed(part: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 (any JSON)
    if isinstance(part, list):
        return [_renamed(inner, names) for inner in part]
    if not isinstance(part, dict):
        return part
    made = {key: _renamed(inner, names) for key, inner in part.items()}
    if isinstance(ref := part.get("$ref"), str):
        made["$ref"] = names.get(ref, ref)
    return made

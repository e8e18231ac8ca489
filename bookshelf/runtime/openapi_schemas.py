"""JSON Schemas as documents publish them, and examples of the values that they allow."""

import re
from collections.abc import Mapping
from typing import Any

from bookshelf.cqrs.route import HIDDEN

Json = dict[str, Any]
#: Where a document has a schema.
REF = "#/components/schemas/{name}"
#: Texts of a format.
_TEXTS = {"date-time": "2026-01-31T12:00:00Z", "date": "2026-01-31"}


def publish_schema(schema: Any) -> Any:  # noqa: ANN401 (any JSON)
    """Return a schema without hidden fields and null defaults, with patterns that every engine takes."""
    if isinstance(schema, list):
        return [publish_schema(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: publish_schema(part) for key, part in schema.items() if not (key == "default" and part is None)
    }
    if isinstance(named := made.get("properties"), dict):
        made["properties"] = {name: part for name, part in named.items() if not part.get(HIDDEN)}
    if "type" not in made and all(isinstance(one, str) for one in made.get("enum", (None,))):
        made["type"] = "string"
    if isinstance(pattern := made.get("pattern"), str):
        made["pattern"] = portable(pattern)
    return made


def portable(pattern: str) -> str:
    """Return a pattern without the lookahead that only Python needs: elsewhere `$` is the end of the text."""
    return re.sub(r"\$\(\?!\\n\)", "$", pattern)


def example(schema: Mapping[str, Any], components: Mapping[str, Any], depth: int = 8) -> Any:  # noqa: ANN401 (any JSON)
    """Return a value that a schema allows, made of the examples of its parts; None if it has none."""
    found: Any = None
    if schema.get("examples"):
        found = schema["examples"][0]
    elif schema.get("default") not in (None, []):
        found = schema["default"]
    elif "enum" in schema:
        found = schema["enum"][-1]
    elif depth:
        found = _example_of_parts(schema, components, depth - 1)
    return found


def _example_of_parts(schema: Mapping[str, Any], components: Mapping[str, Any], depth: int) -> Any:  # noqa: ANN401 (any JSON)
    if "$ref" in schema:
        return example(components[str(schema["$ref"]).rpartition("/")[2]], components, depth)
    if "anyOf" in schema:
        found = (example(part, components, depth) for part in schema["anyOf"])
        return next((one for one in found if one is not None), None)
    if schema.get("type") == "array":
        item = example(schema.get("items", {}), components, depth)
        return [] if item is None else [item]
    if schema.get("type") == "object":
        required = schema.get("required", ())
        parts = {
            name: _example_of_field(part, components, depth, required=name in required)
            for name, part in schema.get("properties", {}).items()
        }
        return {name: part for name, part in parts.items() if part is not None}
    return None


def _example_of_field(
    schema: Mapping[str, Any], components: Mapping[str, Any], depth: int, *, required: bool
) -> Any:  # noqa: ANN401 (any JSON)
    """Return an example; of a required field that has none, a value of its type."""
    found = example(schema, components, depth)
    return _plain(schema, components) if found is None and required else found


def _plain(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Any:  # noqa: ANN401 (any JSON)
    if "$ref" in schema:
        return _plain(components[str(schema["$ref"]).rpartition("/")[2]], components)
    for part in schema.get("anyOf", ()):
        if (found := _plain(part, components)) is not None:
            return found
    if schema.get("type") == "string":
        return _TEXTS.get(schema.get("format", ""), "text")
    if schema.get("type") in {"integer", "number"}:
        return schema.get("minimum", 1)
    if schema.get("type") == "object":
        return _example_of_parts(schema, components, 1)
    return False if schema.get("type") == "boolean" else None

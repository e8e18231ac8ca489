"""From bytes and query strings to checked values; what is wrong is said with its place and its remedy."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

from bookshelf.runtime.http.problem import Fault, Problem

T = TypeVar("T")

#: Parameters in one query string.
_MAX_PARAMETERS = 32
_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`")
_MISSING = re.compile(r"Object missing required field `(.*?)`")
_AT = re.compile(r" - at `\$(.*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_PATTERN = re.compile(r"Expected `str` matching regex (.*)")


class Reader:
    """Reads values of one type. A pattern's remedy is its type's `extra["mend"]`."""

    def __init__(self, kind: type[Any]) -> None:
        self._kind = kind
        self._json = msgspec.json.Decoder(kind)
        self._mend = {repr(pattern): mend for pattern, mend in _mends(inspect.type_info(kind), set())}

    def body(self, content: bytes) -> Any:  # noqa: ANN401 (a value of the type)
        """Read JSON. Raises `Problem`: malformed, invalid."""
        try:
            return self._json.decode(content)
        except msgspec.ValidationError as fault:
            steps, detail = self._explain(str(fault))
            pointer = "".join(f"/{step}" for step in steps)
            raise Problem("invalid", _sentence(steps, detail), Fault(detail, pointer=pointer)) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            msg = f"the body is not JSON: {str(fault)[:200]}"
            raise Problem("malformed", msg) from None
        except RecursionError:
            msg = "the body is nested too deeply"
            raise Problem("malformed", msg) from None

    def parameters(self, path: Mapping[str, str], query: str) -> Any:  # noqa: ANN401 (a value of the type)
        """Read a path's and a query string's parameters. Raises `Problem`: malformed, invalid."""
        try:
            return msgspec.convert({**_pairs(query), **path}, self._kind, strict=False)
        except msgspec.ValidationError as fault:
            steps, detail = self._explain(str(fault))
            named = Fault(detail, parameter=steps[0] if steps else "")
            raise Problem("invalid", _sentence(steps, detail), named) from None

    def _explain(self, message: str) -> tuple[list[str], str]:
        at = _AT.search(message)
        steps = [a or b for a, b in _STEP.findall(at[1])] if at else []
        what = message[: at.start()] if at else message
        if unknown := _UNKNOWN.match(what):
            return [*steps, unknown[1][:100]], "is not known here; leave it out"
        if missing := _MISSING.match(what):
            return [*steps, missing[1]], "is required"
        if pattern := _PATTERN.match(what):
            return steps, self._mend.get(pattern[1], "has not the form that is asked for")
        return steps, what.replace("Expected", "must be", 1).replace("`", "")


def _sentence(steps: list[str], detail: str) -> str:
    return f"{'.'.join(steps) or 'the body'} {detail}"


def _pairs(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            query,
            keep_blank_values=True,
            strict_parsing=bool(query),
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except ValueError:
        msg = f"the query string is not name=value&… in UTF-8, or has more than {_MAX_PARAMETERS} parameters"
        raise Problem("malformed", msg) from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            detail = "is given twice; give it once"
            raise Problem("invalid", f"{name[:100]} {detail}", Fault(detail, parameter=name[:100]))
        found[name] = value
    return found


def _mends(kind: inspect.Type, seen: set[type]) -> Iterator[tuple[str, str]]:
    """Yield each pattern in a type, with what its metadata says to do about a mismatch."""
    match kind:
        case inspect.Metadata(type=inspect.StrType(pattern=str(pattern)), extra={"mend": mend}):
            yield pattern, mend
        case (
            inspect.Metadata(type=inner)
            | inspect.ListType(item_type=inner)
            | inspect.VarTupleType(item_type=inner)
        ):
            yield from _mends(inner, seen)
        case inspect.UnionType(types=types):
            for inner in types:
                yield from _mends(inner, seen)
        case inspect.StructType(cls=cls, fields=fields) if cls not in seen:
            seen.add(cls)
            for field in fields:
                yield from _mends(field.type, seen)

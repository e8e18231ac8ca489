"""Decodes bodies and query strings by their types, and reports each wrong field with its allowed values."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from itertools import islice
from operator import is_
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

from bookshelf.cqrs.route import HIDDEN
from bookshelf.http.problem import Fault, Problem

#: Parameters in one query string.
_MAX_PARAMETERS = 32
#: Faults in one answer, and how many of them its `detail` names.
_MAX_FAULTS = 50
_MAX_NAMED = 5
_AT = re.compile(r" - at `\$(.*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_PATTERN = re.compile(r"Expected `str` matching regex (.*)")
_GOT = re.compile(r", got `(\w+)`$")
#: What a client sent, by msgspec's word for it.
_GIVEN = {
    "str": "text",
    "int": "a whole number",
    "float": "a number with a fraction",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}
#: What a type takes, for those without limits.
_WORDS: Mapping[type[inspect.Type], str] = {
    inspect.AnyType: "any value",
    inspect.BoolType: "true or false",
    inspect.DateType: "a date like 2024-03-01",
    inspect.DateTimeType: "a time with its offset, like 2026-01-31T12:00:00Z",
    inspect.DictType: "an object",
    inspect.NoneType: "null",
    inspect.StructType: "an object",
}
Steps = tuple[str, ...]


class _Wrong(NamedTuple):
    """One fault: where the value stands, and what it must be."""

    steps: Steps
    detail: str


@cache
def decoder_of(kind: type[Any]) -> "Decoder":
    """Return the decoder of a type: to look into a type takes a millisecond, and routes share their types."""
    return Decoder(kind)


class Decoder:
    """Decodes values of one type; reports all wrong fields at once, each with its allowed values.

    A pattern is described by the `hint` in the `extra` of its type.
    """

    def __init__(self, kind: type[Any]) -> None:
        self._kind = kind
        self._json = msgspec.json.Decoder(kind)
        about = inspect.type_info(kind)
        self._hints = {repr(pattern): hint for pattern, hint in _hints(about, set())}
        self._has_times = _has_times(about, set())
        self._repeatable, self._hidden = _parameters(about)

    def body(self, content: bytes) -> Any:  # noqa: ANN401 (a value of the type)
        """Read JSON. Raises `Problem`: malformed, invalid."""
        try:
            try:
                return self._json.decode(content)
            except msgspec.ValidationError as fault:
                wrong = self._wrong(msgspec.json.decode(content), str(fault), strict=True)
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            msg = f"the body is not JSON: {str(fault)[:200]}"
            raise Problem("malformed", msg) from None
        except RecursionError:
            msg = "the body is nested too deeply"
            raise Problem("malformed", msg) from None
        faults = [Fault(one.detail, pointer="".join(f"/{step}" for step in one.steps)) for one in wrong]
        raise Problem("invalid", _sentence(wrong), *faults)

    def in_utc(self, value: Any) -> Any:  # noqa: ANN401 (a value of the type)
        """Return a value of `body` with all its times in UTC. Raises `Problem` for one without an offset."""
        try:
            return _in_utc(value, ()) if self._has_times else value
        except RecursionError:
            msg = "the body is nested too deeply"
            raise Problem("malformed", msg) from None

    def parameters(self, path: Mapping[str, str], query: str) -> Any:  # noqa: ANN401 (a value of the type)
        """Read a path's and a query string's parameters. Raises `Problem`: malformed, invalid.

        A field of a list or tuple type takes every value of a repeated parameter. A hidden field takes none.
        """
        found, wrong = _pairs(query, self._repeatable)
        wrong += [_Wrong((name,), _unknown(name, ())) for name in self._hidden & found.keys()]
        given: dict[str, object] = {**found, **path}
        try:
            value = msgspec.convert(given, self._kind, strict=False)
        except msgspec.ValidationError as fault:
            wrong += [
                _Wrong(one.steps[:1], one.detail) for one in self._wrong(given, str(fault), strict=False)
            ]
        if not wrong:
            return value
        faults = [Fault(one.detail, parameter=one.steps[0] if one.steps else "") for one in wrong]
        raise Problem("invalid", _sentence(wrong), *faults)

    def _wrong(self, value: object, message: str, *, strict: bool) -> list[_Wrong]:
        """Return the faults of a value, up to _MAX_FAULTS; `message` is msgspec's for the first of them."""
        found = list(islice(self._faults(value, self._kind, (), strict=strict), _MAX_FAULTS))
        return found or [self._explained(message, self._kind, (), strict=strict)]

    def _faults(self, value: object, kind: Any, steps: Steps, *, strict: bool) -> Iterator[_Wrong]:  # noqa: ANN401 (an annotation)
        """Yield the faults of a value, field by field: the decoder itself stops at the first."""
        if kind is msgspec.Raw:  # any JSON; only the decoder makes one
            return
        try:
            msgspec.convert(value, kind, strict=strict)
        except msgspec.ValidationError as fault:
            message = str(fault)
        else:
            return
        struct, item, entry = _struct_of(kind), _part_of(kind, list, tuple), _part_of(kind, dict)
        if struct is not None and isinstance(value, dict):
            yield from self._struct_faults(value, struct, steps, strict=strict)
        elif item is not None and isinstance(value, list) and _AT.search(message):
            for number, inner in enumerate(value):
                yield from self._faults(inner, item[0], (*steps, str(number)), strict=strict)
        elif entry is not None and isinstance(value, dict) and " - at " in message:  # a key has no path
            for name, inner in value.items():
                for part, given in zip(entry, (name, inner), strict=True):
                    yield from self._faults(given, part, (*steps, name[:100]), strict=strict)
        else:
            yield self._explained(message, kind, steps, strict=strict)

    def _struct_faults(
        self, value: Mapping[str, object], struct: type[msgspec.Struct], steps: Steps, *, strict: bool
    ) -> Iterator[_Wrong]:
        known = {field.encode_name: field for field in msgspec.structs.fields(struct)}
        for name, field in known.items():
            if name in value:
                yield from self._faults(
                    value[name], _without_unset(field.type), (*steps, name), strict=strict
                )
            elif field.required:
                yield _Wrong((*steps, name), "is required")
        if struct.__struct_config__.forbid_unknown_fields:
            for name in [name for name in value if name not in known]:
                yield _Wrong((*steps, name[:100]), _unknown(name, known))

    def _explained(self, message: str, kind: Any, steps: Steps, *, strict: bool) -> _Wrong:  # noqa: ANN401 (an annotation)
        """Return a fault in plain words: what the value must be, and what it is if that is another type."""
        at = _AT.search(message)
        if at and (inner := tuple(a or b for a, b in _STEP.findall(at[1]))):
            what = message[: at.start()].replace("Expected", "must be", 1).replace("`", "")
            return _Wrong((*steps, *inner), what)
        if pattern := _PATTERN.match(message):
            return _Wrong(steps, self._hints.get(pattern[1], "has not the form that is asked for"))
        words = f"must be {allowed(inspect.type_info(kind))}"
        if not strict:  # in a query string everything is text, and nothing is null
            return _Wrong(steps, words.removesuffix(" or null"))
        given = _GOT.search(message)
        return _Wrong(steps, f"{words}, not {_GIVEN.get(given[1], given[1])}" if given else words)


def _in_utc(value: Any, steps: Steps) -> Any:  # noqa: ANN401 (a part of a decoded value)
    """Return the value itself if nothing in it changes."""
    if isinstance(value, datetime):
        return _instant(value, steps)
    if isinstance(value, msgspec.Struct):
        parts = {name: getattr(value, name) for name in _timed_fields(type(value))}
    elif isinstance(value, dict):
        parts = value
    elif isinstance(value, list | tuple | set | frozenset):
        items = [_in_utc(item, (*steps, str(number))) for number, item in enumerate(value)]
        return value if all(map(is_, items, value)) else type(value)(items)
    else:
        return value
    changed = {
        name: new for name, part in parts.items() if (new := _in_utc(part, (*steps, str(name)))) is not part
    }
    if not changed:
        return value
    return {**value, **changed} if isinstance(value, dict) else msgspec.structs.replace(value, **changed)


def _instant(time: datetime, steps: Steps) -> datetime:
    """Return a time in UTC. Raises `Problem` for one without an offset, and for a year that UTC lacks."""
    try:
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except OverflowError:
        pass
    wrong = _Wrong(steps, f"must be {_WORDS[inspect.DateTimeType]}, within the years 1 to 9999 of UTC")
    fault = Fault(wrong.detail, pointer="".join(f"/{step}" for step in steps))
    raise Problem("invalid", _sentence([wrong]), fault)


@cache
def _timed_fields(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the names of those fields whose values may have a time in them: only these cost anything."""
    about = inspect.type_info(kind)
    assert isinstance(about, inspect.StructType)  # noqa: S101 (that is how msgspec describes a struct)
    return tuple(field.name for field in about.fields if _has_times(field, set()))


def _has_times(kind: inspect.Type | inspect.Field, seen: set[type]) -> bool:
    """Return True if values of the type may have a time in them."""
    if isinstance(kind, inspect.StructType):
        if kind.cls in seen:
            return False
        seen.add(kind.cls)
    parts = [getattr(kind, name) for name in kind.__struct_fields__]
    inner = [item for part in parts for item in (part if isinstance(part, tuple) else (part,))]
    return isinstance(kind, inspect.DateTimeType) or any(
        _has_times(item, seen) for item in inner if isinstance(item, inspect.Type | inspect.Field)
    )


def _unknown(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name[:100], list(known), n=1)
    return f"is not known here; did you mean {near[0]}?" if near else "is not known here; leave it out"


def _struct_of(kind: Any) -> type[msgspec.Struct] | None:  # noqa: ANN401 (an annotation)
    """Return the struct that an annotation allows, if it allows one."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    inner = get_args(kind)[:1] if get_origin(kind) is Annotated else get_args(kind) if _is_union(kind) else ()
    return next(filter(None, map(_struct_of, inner)), None)


def _part_of(kind: Any, *containers: type) -> Any:  # noqa: ANN401 (an annotation)
    """Return the annotations of what is in the container that an annotation allows, if it allows one."""
    if get_origin(kind) in containers:
        return get_args(kind)
    inner = get_args(kind)[:1] if get_origin(kind) is Annotated else get_args(kind) if _is_union(kind) else ()
    return next((part for item in inner if (part := _part_of(item, *containers)) is not None), None)


def _is_union(kind: Any) -> bool:  # noqa: ANN401 (an annotation)
    return get_origin(kind) in {Union, UnionType}


def _without_unset(kind: Any) -> Any:  # noqa: ANN401 (an annotation)
    """Return an annotation without UNSET, which is only for fields."""
    if not _is_union(kind):
        return kind
    return Union[tuple(inner for inner in get_args(kind) if inner is not msgspec.UnsetType)]  # noqa: UP007 (made here)


def allowed(kind: inspect.Type) -> str:  # noqa: PLR0911 (one for each kind of value)
    """Return in plain words which values a type takes."""
    match kind:
        case inspect.Metadata(type=inner):
            return allowed(inner)
        case inspect.UnionType(types=types):
            words = [allowed(inner) for inner in types if not isinstance(inner, inspect.NoneType)]
            return " or ".join([*words, "null"] if len(words) < len(types) else words)
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(map(str, values))}"
        case inspect.StrType(min_length=least, max_length=most):
            return f"text{_limits('of', least, most, ' characters')}"
        case inspect.IntType(ge=least, le=most):
            return f"a whole number{_limits('from', least, most)}"
        case inspect.FloatType(ge=least, le=most, multiple_of=step):
            return f"a number{_limits('from', least, most)}{f' in steps of {step}' if step else ''}"
        case (
            inspect.ListType(min_length=least, max_length=most)
            | inspect.VarTupleType(min_length=least, max_length=most)
        ):
            return f"a list{_limits('of', least, most, ' items')}"
        case inspect.DictType(min_length=least, max_length=most):
            return f"an object{_limits('of', least, most, ' entries')}"
    return _WORDS.get(type(kind), "another value")


def _limits(word: str, least: float | None, most: float | None, unit: str = "") -> str:
    if least is not None and most is not None:
        return f" {word} {least} to {most}{unit}"
    if most is not None:
        return f" of up to {most}{unit}"
    return "" if least is None else f" of at least {least}{unit}"


def _sentence(wrong: Sequence[_Wrong]) -> str:
    """Return the faults as one line; the first few, if they are many."""
    named = [f"{'.'.join(one.steps) or 'the body'} {one.detail}" for one in wrong[:_MAX_NAMED]]
    more = [f"{len(wrong) - _MAX_NAMED} more in `errors`"] if len(wrong) > _MAX_NAMED else []
    return "; ".join([*named, *more])


def _parameters(kind: inspect.Type) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of the fields that take several values, and of those that no client may set."""
    repeatable, hidden = set(), set()
    for field in kind.fields if isinstance(kind, inspect.StructType) else ():
        bare = field.type
        if isinstance(bare, inspect.Metadata):
            if (bare.extra_json_schema or {}).get(HIDDEN):
                hidden.add(field.encode_name)
            bare = bare.type
        if isinstance(bare, inspect.ListType | inspect.VarTupleType):
            repeatable.add(field.encode_name)
    return frozenset(repeatable), frozenset(hidden)


def _pairs(query: str, repeatable: frozenset[str]) -> tuple[dict[str, str | list[str]], list[_Wrong]]:
    """Return the parameters of a query string, and the others that are given twice. Raises `Problem`."""
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
    found: dict[str, str | list[str]] = {}
    wrong: dict[str, _Wrong] = {}
    for name, value in pairs:
        if name not in found:
            found[name] = [value] if name in repeatable else value
        elif isinstance(values := found[name], list):
            values.append(value)
        else:
            wrong[name] = _Wrong((name[:100],), "is given twice; give it once")
    return found, list(wrong.values())


def _hints(kind: inspect.Type, seen: set[type]) -> Iterator[tuple[str, str]]:
    """Yield each pattern in a type with its hint, which describes the values that match."""
    match kind:
        case inspect.Metadata(type=inspect.StrType(pattern=str(pattern)), extra={"hint": hint}):
            yield pattern, hint
        case (
            inspect.Metadata(type=inner)
            | inspect.ListType(item_type=inner)
            | inspect.VarTupleType(item_type=inner)
        ):
            yield from _hints(inner, seen)
        case inspect.UnionType(types=types):
            for inner in types:
                yield from _hints(inner, seen)
        case inspect.DictType(key_type=key, value_type=inner):
            yield from _hints(key, seen)
            yield from _hints(inner, seen)
        case inspect.StructType(cls=cls, fields=fields) if cls not in seen:
            seen.add(cls)
            for field in fields:
                yield from _hints(field.type, seen)

"""Reads TOML with the position of each field, which the standard library's parser does not keep."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from bookshelf.cqrs.item import CONTENT_BYTES, ItemProblem

Path = tuple[str, ...]
_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$(?!\n)")
_AT_END = re.compile(r" \(at end of document\)$(?!\n)")
_HEADER = re.compile(r"\s*\[(?!\[)(.+)\]\s*(#.*)?")
_ARRAY = re.compile(r"\s*\[\[(.+)\]\]\s*(#.*)?")
#: The name of a setting, of a field or of a route that is repeated in a message.
_LONGEST = 100


class BadToml(Exception):
    """The content is no TOML, or too much; `problem` has the place."""

    def __init__(self, problem: ItemProblem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def loads(text: str, file: str) -> dict[str, Any]:
    """Return the content of an item, of which there is not too much. Raises `BadToml`."""
    if len(text.encode(errors="surrogatepass")) > CONTENT_BYTES:
        raise BadToml(ItemProblem(file, f"has more than {CONTENT_BYTES} bytes"))
    return decoded(text, file)


def decoded(text: str, file: str) -> dict[str, Any]:
    """Return the content of a file of any size. Raises `BadToml`."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise BadToml(_syntax(str(fault), text, file)) from None
    except (RecursionError, ValueError):  # nested too deeply; a date like 2024-13-99
        raise BadToml(ItemProblem(file, "is no TOML")) from None


def _syntax(message: str, text: str, file: str) -> ItemProblem:
    if (place := _PLACE.search(message)) is not None:
        line, column = int(place[1]), int(place[2])
    else:
        line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    what = _AT_END.sub("", _PLACE.sub("", message))
    return ItemProblem(file, f"is no TOML: {what[:200]}", line=line, column=column)


def position_of(text: str, path: Path) -> tuple[int, int]:
    """Return line and column, from 1, of the field with this path; (0, 0) if they cannot be found.

    The field of an inline table has the position of that table; in an array of tables, the number of a table,
    from 0, is a part of the path. The text must be TOML.
    """
    best, found = 0, (0, 0)
    for number, column, named in _named(text):
        shared = named == path[: len(named)]
        if shared and len(named) > best and _begins_a_line(text, number):
            best, found = len(named), (number, column)
    return found


def _named(text: str) -> Iterator[tuple[int, int, Path]]:
    """Yield line, column and path of everything that looks like a table's header or a field."""
    table: Path = ()
    arrays = Counter[Path]()
    for number, line in enumerate(text.splitlines(), 1):
        column = len(line) - len(line.lstrip()) + 1
        if (array := _ARRAY.fullmatch(line)) is not None:
            if (keys := _keys(array[1])) is not None:
                table = (*keys, str(arrays[keys]))
                arrays[keys] += 1
                yield number, column, table
        elif (header := _HEADER.fullmatch(line)) is not None:
            if (keys := _keys(header[1])) is not None:
                table = keys
                yield number, column, table
        elif "=" in line and (keys := _keys_before_equals(line)) is not None:
            yield number, column, (*table, *keys)


def _keys_before_equals(line: str) -> Path | None:
    """Return the keys of a field; a quoted key may have an equals sign."""
    for place, character in enumerate(line):
        if character == "=" and (keys := _keys(line[:place])) is not None:
            return keys
    return None


def _keys(text: str) -> Path | None:
    """Return the keys of a dotted key; None if it is none."""
    try:
        value: Any = tomllib.loads(f"{text.strip()} = 0")
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    keys = []
    while isinstance(value, dict):
        if len(value) != 1:
            return None
        ((key, value),) = value.items()
        keys.append(key)
    return tuple(keys)


def _begins_a_line(text: str, number: int) -> bool:
    """Return True if a line is not inside a text of several lines."""
    before = "\n".join(text.splitlines()[: number - 1])
    try:
        tomllib.loads(before)
    except (tomllib.TOMLDecodeError, RecursionError):
        return False
    return True


def problem_at(text: str, file: str, path: Path, detail: str, near: str = "") -> ItemProblem:
    """Return a problem of one field, with its position."""
    line, column = position_of(text, path)
    field = ".".join(part[:_LONGEST] for part in path)
    return ItemProblem(file, detail, field, line, column, near)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most like an unknown one; an empty text if none is."""
    return next(iter(get_close_matches(name[:_LONGEST], sorted(known), 1)), "")


def field_problems(
    given: Mapping[str, Any], kinds: Mapping[str, Any], text: str, file: str, inside: Path = ()
) -> list[ItemProblem]:
    """Return the problems of the fields of one table; `kinds` has the type of each field by name."""
    found = []
    for name, value in given.items():
        path = (*inside, name)
        if name not in kinds:
            near = nearest(name, kinds)
            found.append(problem_at(text, file, path, "does not exist", near))
            continue
        try:
            msgspec.convert(value, kinds[name])
        except msgspec.ValidationError as fault:
            found.append(problem_at(text, file, path, plain_fault(str(fault), kinds[name])))
    return found


#: Types as msgspec names them, and in the words of TOML.
_TYPES = {
    "int": "an integer",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}
_TYPE = re.compile(rf"\b({'|'.join(_TYPES)})\b")


def plain_fault(message: str, kind: Any = None) -> str:  # noqa: ANN401 (a type, as msgspec takes it)
    """Return what is wrong with a value, as msgspec has it, with the values that its type allows."""
    if message.startswith("Invalid enum value") or "matching regex" in message:
        message = _allowed(kind) or message
    text = message.partition(" - at `$")[0].replace("Expected", "must be").replace("`", "")
    return _TYPE.sub(lambda found: _TYPES[found[0]], text.replace(" | null", ""))


def _allowed(kind: Any) -> str:  # noqa: ANN401 (a type, as msgspec takes it)
    """Return what values a type allows, if it lists them or has an example; an empty text if not."""
    info = msgspec.inspect.type_info(kind)
    for one in info.types if isinstance(info, msgspec.inspect.UnionType) else (info,):
        if isinstance(one, msgspec.inspect.LiteralType):
            return f"must be one of {', '.join(map(str, one.values))}"
        if isinstance(one, msgspec.inspect.Metadata) and one.extra_json_schema:
            return f"must be like {' or '.join(one.extra_json_schema.get('examples', ()))}"
    return ""

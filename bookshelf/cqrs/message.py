"""The base classes of events, commands and states, which are immutable values; the mark of sealed texts."""

from functools import cache
from typing import Any, ClassVar

import msgspec
from msgspec import Meta, inspect

#: What every sealed text begins with. No text of a request may have this character.
SEALED = "\x02"


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact about an aggregate, named in the past tense. `TYPE` is its name in the log and never changes.

    A type is literal and versioned (`shelf.book-added.v1`), never a class path: code may move, and the log
    stays. Unknown fields are skipped when a record is read, so that older readers can read newer records.
    """

    TYPE: ClassVar[str]


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request to change one aggregate, named in the imperative. `TYPE` is its name in a command message."""

    TYPE: ClassVar[str]


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state that an aggregate decides with: a fold of its events, and of nothing else."""


def sealed(field: str, *, shared: bool = False) -> Meta:
    """Return the mark of a type of personal texts, which stands beside `str` in its `Annotated`.

    While there are accounts, such a text is sealed with the key of its person before a command is made, and
    opened when an answer is rendered: commands, events, states and rows have the sealed text. Equal texts of
    one person in one `field` are equal when sealed. A `shared` one is sealed by a handler, with a key that
    is no person's, like the address of an invoice, which outlasts the account of its customer.
    """
    return Meta(extra={"sealed": field, "shared": shared})


class SealedText(str):
    """A sealed text with its plain text, for the search tokens of a view that `opens` its events.

    `opened` is empty if the key was destroyed.
    """

    __slots__ = ("opened",)
    opened: str


def opened(text: str) -> str:
    """Return the plain text of a text."""
    return text.opened if isinstance(text, SealedText) else text


@cache
def sealed_fields(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return the field that each sealed attribute of a struct type is sealed as, by the attribute's name."""
    about = inspect.type_info(kind)
    assert isinstance(about, inspect.StructType)  # noqa: S101 (that is its kind)
    found = {field.name: _sealed_as(field.type) for field in about.fields}
    return {name: field for name, field in found.items() if field is not None}


def unsealed(value: msgspec.Struct) -> str | None:
    """Return where a struct has a personal text that is not sealed, as a dotted path; None without one."""
    for name in sealed_fields(type(value)):
        text = getattr(value, name)
        if isinstance(text, str) and text and not text.startswith(SEALED):
            return name
    for name in value.__struct_fields__:
        inner = getattr(value, name)
        if isinstance(inner, msgspec.Struct) and (place := unsealed(inner)) is not None:
            return f"{name}.{place}"
    return None


@cache
def shared_fields(kind: type[msgspec.Struct]) -> frozenset[str]:
    """Return the fields that texts of a struct type are sealed as with a key that is no person's."""
    about = inspect.type_info(kind)
    assert isinstance(about, inspect.StructType)  # noqa: S101 (that is its kind)
    marks = [_mark(field.type) for field in about.fields]
    return frozenset(mark["sealed"] for mark in marks if mark.get("shared"))


def _sealed_as(kind: inspect.Type) -> str | None:
    field: str | None = _mark(kind).get("sealed")
    return field


def _mark(kind: inspect.Type) -> dict[str, Any]:
    if isinstance(kind, inspect.UnionType):
        return next(filter(None, map(_mark, kind.types)), {})
    extra = kind.extra if isinstance(kind, inspect.Metadata) else None
    return extra if extra is not None and "sealed" in extra else {}

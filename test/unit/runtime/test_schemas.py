"""Schemas of events: what they describe, and each change of them that is refused."""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pytest
from msgspec import Meta

from bookshelf.cqrs.catalogue import Catalogue, Upcast
from bookshelf.cqrs.message import Event
from bookshelf.runtime.schemas import breaking_changes, event_schemas


class Shelfmark(msgspec.Struct, frozen=True):
    """A nested value."""

    room: str
    row: int = 0


class BookMoved(Event, frozen=True):
    """The book stands elsewhere."""

    TYPE: ClassVar[str] = "shelf.book-moved.v1"
    to: Shelfmark
    by: str
    reason: str | None = None
    tags: tuple[str, ...] = ()
    former: tuple[Shelfmark, ...] = ()
    weight: Annotated[int, Meta(ge=1)] = 1
    kind: Literal["lent", "lost"] = "lent"


class BookKept(Event, frozen=True):
    """The book stays."""

    TYPE: ClassVar[str] = "shelf.book-kept.v1"


BEFORE = event_schemas([Catalogue(BookMoved, BookKept)])
#: Fields of BookMoved with their types, and their defaults if they have one.
FIELDS: dict[str, tuple[Any, ...]] = {
    field.name: (field.type,) if field.required else (field.type, field.default)
    for field in msgspec.structs.fields(BookMoved)
}


def after(fields: dict[str, tuple[Any, ...] | None]) -> list[str]:
    """Return what is refused when these fields of BookMoved are changed, added, or (None) removed."""
    made = [(name, *spec) for name, spec in (FIELDS | fields).items() if spec is not None]
    kind = msgspec.defstruct(
        "BookMoved", made, bases=(Event,), frozen=True, kw_only=True, namespace={"TYPE": BookMoved.TYPE}
    )
    assert issubclass(kind, Event)
    return breaking_changes(BEFORE, event_schemas([Catalogue(kind, BookKept)]))


def nested(*fields: tuple[Any, ...]) -> type[msgspec.Struct]:
    return msgspec.defstruct("Place", fields)


def test_an_unchanged_event_is_accepted() -> None:
    assert after({}) == []


def test_a_schema_stands_alone_and_is_named_after_its_type() -> None:
    schema = BEFORE[BookMoved.TYPE]
    assert schema["title"] == BookMoved.TYPE
    assert schema["$defs"].keys() == {"Shelfmark"}
    assert "$defs" not in BEFORE[BookKept.TYPE]


@pytest.mark.parametrize(
    "fields",
    [
        {"note": (str, "")},
        {"note": (str | None, None)},
        {"note": (tuple[Shelfmark, ...], ())},
        {"to": (nested(("room", str), ("row", int, 0), ("side", str, "left")),)},
        {"by": (Annotated[str, Meta(description="by whom", examples=["Ann"])],)},
    ],
    ids=["field", "field or null", "fields", "nested field", "description"],
)
def test_a_change_that_readers_skip_is_accepted(fields: dict[str, tuple[Any, ...] | None]) -> None:
    assert after(fields) == []


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"reason": None}, "the field reason was removed"),
        ({"by": None}, "the field by was removed"),
        ({"note": (str,)}, "the field note is new and required"),
        ({"reason": (str | None,)}, "the field reason is required now"),
        ({"by": (int,)}, "the field by changed its type from string to integer"),
        ({"by": (str | None,)}, "the field by changed its type from string to string or null"),
        ({"reason": (str, "")}, "the field reason changed its type from string or null to string"),
        ({"reason": (int | None, None)}, "the field reason changed its type from string to integer"),
        ({"tags": (tuple[int, ...], ())}, "the field tags[] changed its type from string to integer"),
        ({"tags": (str, "")}, "the field tags changed its type from array to string"),
        (
            {"weight": (Annotated[int, Meta(ge=2)], 2)},
            'the field weight changed its type from integer {"minimum":1} to integer {"minimum":2}',
        ),
        ({"weight": (Annotated[int, Meta(ge=1)], 7)}, "the field weight changed its default from 1 to 7"),
        (
            {"kind": (Literal["lent"], "lent")},
            'the field kind changed its type from string {"enum":["lent","lost"]} to string',
        ),
        ({"to": (nested(("room", str)),)}, "the field to.row was removed"),
        ({"to": (nested(("room", int), ("row", int, 0)),)}, "the field to.room changed its type from"),
        (
            {"former": (tuple[nested(("room", str), ("row", int)), ...], ())},  # type: ignore[misc]
            "the field former[].row is required now",
        ),
    ],
)
def test_a_breaking_change_is_refused_in_one_line(
    fields: dict[str, tuple[Any, ...] | None], line: str
) -> None:
    [found] = after(fields)
    assert found.startswith(f"shelf.book-moved.v1: {line}")


def test_a_removed_event_is_refused_unless_it_is_upcast() -> None:
    kept = event_schemas([Catalogue(BookMoved)])
    [found] = breaking_changes(BEFORE, kept)
    assert found == "shelf.book-kept.v1: the event was removed; keep its class, or add an Upcast from it"
    upcast = Upcast(BookKept.TYPE, BookMoved, lambda data: data)
    assert breaking_changes(BEFORE, kept, {upcast.retired}) == []


def test_a_new_event_is_accepted() -> None:
    assert breaking_changes(event_schemas([Catalogue(BookMoved)]), BEFORE) == []


class Branch(msgspec.Struct, frozen=True):
    """A value that has values like itself."""

    name: str
    below: tuple["Branch", ...] = ()


class TreeGrown(Event, frozen=True):
    """Data without a limit to their depth."""

    TYPE: ClassVar[str] = "shelf.tree-grown.v1"
    root: Branch


def test_a_recursive_type_is_compared_once() -> None:
    schemas = event_schemas([Catalogue(TreeGrown)])
    assert breaking_changes(schemas, schemas) == []

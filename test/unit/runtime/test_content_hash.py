"""A command's content has one hash in every release that understands it alike."""

from typing import Any

import msgspec
import pytest

from bookshelf.runtime.aggregate.command import content_hashes


class Author(msgspec.Struct):
    name: str
    born: int = 0


class AuthorOfTheNextRelease(msgspec.Struct):
    url: str | None = None
    name: str = ""
    born: int = 0
    died: int | msgspec.UnsetType = msgspec.UNSET
    prizes: list[str] = msgspec.field(default_factory=list)


class Digital(msgspec.Struct, tag="digital"):
    size: int = 0


class Printed(msgspec.Struct, tag="printed"):
    size: int = 0


class Title(msgspec.Struct):
    title: str
    authors: tuple[Author, ...] = ()
    form: Digital | Printed | None = None
    marks: dict[str, Author] = msgspec.field(default_factory=dict)
    sold: bool | int = 0
    more: Any = None


class TitleOfTheNextRelease(msgspec.Struct):
    series: str | None = None
    title: str = ""
    authors: tuple[AuthorOfTheNextRelease, ...] = ()
    form: Digital | Printed | None = None
    marks: dict[str, AuthorOfTheNextRelease] = msgspec.field(default_factory=dict)
    sold: bool | int = 0
    more: Any = None


def hash_of(content: msgspec.Struct) -> str:
    return content_hashes(b"POST /titles", content)[0]


def test_a_new_optional_field_that_is_not_given_does_not_change_the_hash() -> None:
    old = Title("Dune", (Author("Frank Herbert", 1920),), marks={"b": Author("Bill"), "a": Author("Ann")})
    new = TitleOfTheNextRelease(
        title="Dune",
        authors=(AuthorOfTheNextRelease(name="Frank Herbert", born=1920),),
        marks={"a": AuthorOfTheNextRelease(name="Ann"), "b": AuthorOfTheNextRelease(name="Bill")},
    )
    assert hash_of(old) == hash_of(new)


@pytest.mark.parametrize(
    "other",
    [
        Title("Dune II"),
        Title("Dune", (Author("F", 1), Author("F"))),
        Title("Dune", (Author("F"), Author("F", 2))),
        Title("Dune", (Author("F"),)),
        Title("Dune", form=Digital()),
        Title("Dune", form=Printed()),
        Title("Dune", marks={"a": Author("Ann")}),
        Title("Dune", sold=False),
        TitleOfTheNextRelease(title="Dune", series="Dune"),
    ],
)
def test_a_given_value_other_than_the_default_changes_the_hash(other: msgspec.Struct) -> None:
    others = [
        Title("Dune"),
        Title("Dune", (Author("F", 1), Author("F", 2))),
        Title("Dune", form=Digital(1)),
        Title("Dune", marks={"b": Author("Ann")}),
        Title("Dune", sold=True),
    ]
    assert hash_of(other) not in [hash_of(one) for one in others]


def test_a_tagged_type_is_part_of_the_hash() -> None:
    assert hash_of(Title("Dune", form=Digital())) != hash_of(Title("Dune", form=Printed()))


def test_the_route_is_part_of_the_content() -> None:
    assert content_hashes(b"POST /a", Title("Dune")) != content_hashes(b"POST /b", Title("Dune"))


def test_deeply_nested_json_is_hashed() -> None:
    deep = msgspec.json.decode(b"[" * 900 + b"]" * 900)
    assert hash_of(Title("Dune", more=deep)) != hash_of(Title("Dune"))

"""Types are literal and versioned; a retired one reads as what it has become."""

from typing import Any, ClassVar

import msgspec
import pytest
from support.counter_context import EVENTS, Counted, counted, said

from bookshelf.cqrs.catalogue import Catalogue, UnknownEvent, Upcast
from bookshelf.cqrs.errors import Malformed
from bookshelf.cqrs.message import Event


class Moved(Event, frozen=True):
    TYPE: ClassVar[str] = "test.moved.v3"
    metres: float
    by: str = "foot"


def from_v1(data: dict[str, Any]) -> dict[str, Any]:
    return {"metres": data["feet"] * 0.3048}


CATALOGUE = Catalogue(
    Moved,
    upcasts=(
        Upcast("test.moved.v1", Moved, from_v1),
        Upcast("test.moved.v2", Moved, lambda data: {"metres": data["m"], "by": data.get("by", "foot")}),
    ),
)


def test_a_current_event_is_decoded_unchanged() -> None:
    assert CATALOGUE.decode("test.moved.v3", b'{"metres":1.5,"by":"bus"}') == Moved(metres=1.5, by="bus")


@pytest.mark.parametrize(
    ("kind", "data", "event"),
    [
        ("test.moved.v1", b'{"feet":10}', Moved(metres=3.048)),
        ("test.moved.v2", b'{"m":2,"by":"bus"}', Moved(metres=2, by="bus")),
    ],
)
def test_a_retired_type_is_upcast(kind: str, data: bytes, event: Moved) -> None:
    assert CATALOGUE.decode(kind, data) == event


@pytest.mark.parametrize("kind", ["test.moved.v4", "test.moved", "Moved", ""])
def test_an_unknown_type_is_skipped(kind: str) -> None:
    assert CATALOGUE.decode(kind, b"not even JSON") is None


def test_unknown_fields_are_ignored() -> None:
    found = CATALOGUE.decode("test.moved.v3", b'{"metres":1,"colour":{"deep":[1]}}')
    assert msgspec.json.encode(found) == b'{"metres":1.0}'


@pytest.mark.parametrize("kind", ["test.moved.v3", "test.moved.v1"])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"\xff",
        b'{"metres":"far","feet":"far"}',
        b'{"a":' * 5000,
        b'{"feet":null}',
    ],
    ids=lambda data: repr(data[:16]),
)
def test_data_of_another_shape_is_malformed_and_names_the_type(kind: str, data: bytes) -> None:
    with pytest.raises(Malformed, match=f"^{kind}: "):
        CATALOGUE.decode(kind, data)


def test_a_catalogue_lists_the_types_that_are_written() -> None:
    assert list(CATALOGUE) == [Moved]


class Stopped(Event, frozen=True):
    TYPE: ClassVar[str] = "test.stopped.v1"


def test_an_event_that_the_catalogue_lacks_may_not_be_appended() -> None:
    CATALOGUE.check(Moved(metres=1), "roads")
    with pytest.raises(UnknownEvent) as unknown:
        CATALOGUE.check(Stopped(), "roads")
    assert str(unknown.value).startswith("Stopped (test.stopped.v1) is not in the catalogue of topic roads: ")


def test_two_events_of_one_type_are_refused() -> None:
    with pytest.raises(ValueError, match=r"two events of one catalogue have the type test\.moved\.v3"):
        Catalogue(Moved, Moved)


def test_readers_share_the_decoded_event_of_a_record_unless_it_is_large() -> None:
    small, large = (
        counted("a").value,
        said(Counted.TYPE, "a", b'{"by": 1, "note": "%s"}' % (b"x" * 4096)).value,
    )
    assert EVENTS.read(small) is EVENTS.read(bytes(bytearray(small)))
    assert EVENTS.read(large) == EVENTS.read(large)
    assert EVENTS.read(large) is not EVENTS.read(large)


def test_a_record_that_cannot_be_read_is_malformed_each_time() -> None:
    for _ in range(2):
        with pytest.raises(Malformed):
            EVENTS.read(b"no envelope")

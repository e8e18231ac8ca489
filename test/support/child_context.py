"""The smallest context with child keys: boxes, and the items in them, which another owner decides.

`folded` is what must be true: a fold of the whole log with a few lines of Python.
"""

from typing import ClassVar

import msgspec
from support.counter_context import TOPIC, everything, said

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.cqrs.parent import Parent
from bookshelf.log.port import Log, NewRecord, partition_of


class BoxMade(Event, frozen=True):
    TYPE: ClassVar[str] = "test.box-made.v1"


class BoxPainted(Event, frozen=True):
    TYPE: ClassVar[str] = "test.box-painted.v1"


class BoxBurned(Event, frozen=True):
    TYPE: ClassVar[str] = "test.box-burned.v1"


class ItemPut(Event, frozen=True):
    TYPE: ClassVar[str] = "test.item-put.v1"
    by: int


class ItemTaken(Event, frozen=True):
    TYPE: ClassVar[str] = "test.item-taken.v1"


class Put(Command, frozen=True):
    TYPE: ClassVar[str] = "test.put.v1"
    by: int = 1


class Take(Command, frozen=True):
    """Take everything out, also of what is left of a box."""

    TYPE: ClassVar[str] = "test.take.v1"


class Box(State, frozen=True):
    made: bool = False
    burned: bool = False


class Item(State, frozen=True):
    number: int = 0


def evolve_box(box: Box, event: Event) -> Box:
    match event:
        case BoxMade():
            return msgspec.structs.replace(box, made=True)
        case BoxBurned():
            return msgspec.structs.replace(box, burned=True)
    return box


def decide_item(item: Item, command: Command, box: Box) -> list[Event]:
    match command:
        case Put() if not box.made or box.burned:
            raise NotFound("there is no such box")
        case Put(by=by):
            return [ItemPut(by=by)]
        case Take() if item.number:
            return [ItemTaken()]
    return []


def evolve_item(item: Item, event: Event) -> Item:
    match event:
        case ItemPut(by=by):
            return Item(number=item.number + by)
        case ItemTaken():
            return Item()
    return item


def admits(box: Box, event: Event) -> bool:
    return not box.burned or not isinstance(event, ItemPut)


CATALOGUE = Catalogue(BoxMade, BoxPainted, BoxBurned, ItemPut, ItemTaken)
BOX = Parent(catalogue=CATALOGUE, initial=Box(), evolve=evolve_box, folds=(BoxMade, BoxBurned), admits=admits)
#: Its name is the tally's, so that the logs of the tests have its topic of commands.
ITEM = Aggregate(
    name="tally",
    topic=TOPIC,
    catalogue=CATALOGUE,
    initial=Item(),
    decide=decide_item,
    evolve=evolve_item,
    takes=(Put, Take),
    folds=(ItemPut, ItemTaken),
    parent=BOX,
)


def of_box(event: Event, box: str) -> NewRecord:
    """A record of a box, as its own owner writes it."""
    return said(event.TYPE, box, msgspec.json.encode(event), source="box")


async def append_box(log: Log, box: str, *events: Event) -> None:
    """Append events of a box to its partition."""
    writer = await log.writer("box", TOPIC, partition_of(box, log.partitions(TOPIC)))
    await writer.append([of_box(event, box) for event in events])


async def folded(log: Log) -> dict[str, int]:
    """Return the number of each item after the whole log."""
    numbers: dict[str, int] = {}
    burned: set[str] = set()
    for record in await everything(log):
        value = msgspec.json.decode(record.value)
        box = record.key.partition("~")[0]
        match value["type"]:
            case BoxBurned.TYPE:
                burned.add(box)
            case ItemPut.TYPE if box not in burned:
                numbers[record.key] = numbers.get(record.key, 0) + value["data"]["by"]
            case ItemTaken.TYPE:
                numbers[record.key] = 0
    return numbers

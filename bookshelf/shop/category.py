"""A category of products. Its id stays; products name it, and lose it if it is removed."""

from typing import ClassVar

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, NotFound
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.shop.events import (
    CATEGORY_EVENTS,
    EVENTS,
    TOPIC,
    CategoryAdded,
    CategoryRemoved,
    CategoryRenamed,
)


class AddCategory(Command, frozen=True, kw_only=True):
    """Make a category."""

    TYPE: ClassVar[str] = "shop.add-category.v1"
    name: str


class RenameCategory(Command, frozen=True, kw_only=True):
    """Give the category another name."""

    TYPE: ClassVar[str] = "shop.rename-category.v1"
    name: str


class RemoveCategory(Command, frozen=True, kw_only=True):
    """Remove the category."""

    TYPE: ClassVar[str] = "shop.remove-category.v1"


class Category(State, frozen=True):
    """The state of a category; its name is empty before it is added."""

    name: str = ""
    removed: bool = False


def decide(state: Category, command: Command) -> list[Event]:
    """Return the events that a command leads to. Raises `Conflict`, `NotFound`."""
    match command:
        case AddCategory() if state.name:
            raise Conflict("this id is taken", field="id")
        case AddCategory(name=name):
            return [CategoryAdded(name=name)]
        case RemoveCategory() if state.removed:
            return []
        case _ if not state.name or state.removed:
            raise NotFound("there is no such category")
        case RenameCategory(name=name):
            return [] if name == state.name else [CategoryRenamed(name=name)]
        case RemoveCategory():
            return [CategoryRemoved()]
    return []


def evolve(state: Category, event: Event) -> Category:
    """Return the category after an event."""
    match event:
        case CategoryAdded(name=name) | CategoryRenamed(name=name):
            return Category(name=name)
        case CategoryRemoved():
            return msgspec.structs.replace(state, removed=True)
    return state


CATEGORY = Aggregate(
    name="category",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Category(),
    decide=decide,
    evolve=evolve,
    takes=(AddCategory, RenameCategory, RemoveCategory),
    folds=CATEGORY_EVENTS,
)

"""The service lists: ordered lists of books. The list `up-next` always exists, once for each owner."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, Invalid, NotFound
from bookshelf.cqrs.handler import RequestContext
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.cqrs.route import CommandRoute, Empty
from bookshelf.shelf import field_types, limits
from bookshelf.shelf.events import (
    EVENTS,
    LIST_EVENTS,
    TOPIC,
    ListCreated,
    ListEntryAdded,
    ListEntryMoved,
    ListEntryRemoved,
    ListRemoved,
    ListRenamed,
    ListReordered,
    ListRestored,
)
from bookshelf.shelf.ranks import even_ranks, rank_between

#: The id of the list of books to read next, as paths have it; its key names the owner too.
UP_NEXT = "up-next"
#: The name that events give that list: a list with this name cannot be renamed or removed.
_NO_NAME = ""

ListId = Annotated[str, Meta(description="the id of the list, or up-next", examples=[UP_NEXT])]
ListName = Annotated[field_types.Line, Meta(description="the name of the list", examples=["Holidays"])]


def list_key(list_id: str, owner: str | None) -> str:
    """Return the key of a list's events; that of `up-next` names any owner but the local reader."""
    return f"{UP_NEXT}:{owner}" if list_id == UP_NEXT and owner is not None else list_id


def is_up_next(name: str) -> bool:
    """Return True for the id of up-next and for its name in words, in any case."""
    return name.casefold().replace(" ", "-") == UP_NEXT


def list_named(lists: Iterable[Mapping[str, Any]], name: str) -> str | None:
    """Return the id of the list with a name, in any case; None if there is none."""
    if is_up_next(name):
        return UP_NEXT
    folded = name.casefold()
    return next((str(one["id"]) for one in lists if str(one["name"]).casefold() == folded), None)


class NewList(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The fields of a new list; `id` is for imports."""

    name: ListName
    id: field_types.ChosenId | UnsetType = UNSET


class ListChanges(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of a list to change."""

    name: ListName


class Place(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The place of a book on a list; if it is left out, a new book comes last and another one stays."""

    after: (
        Annotated[str, Meta(description="the book that it follows; null for the first place")]
        | UnsetType
        | None
    ) = UNSET
    added: (
        Annotated[
            field_types.Moment, Meta(description="when it was put there, if that was before; for imports")
        ]
        | UnsetType
    ) = UNSET


class ListAnswer(msgspec.Struct, frozen=True):
    """A list without its books."""

    id: ListId
    name: Annotated[str, Meta(examples=["Holidays"])]


class OneList(msgspec.Struct, forbid_unknown_fields=True):
    """The list that a request is about."""

    id: ListId


class OneEntry(msgspec.Struct, forbid_unknown_fields=True):
    """The list and the book that a request is about."""

    id: ListId
    book: field_types.BookId


class CreateList(Command, frozen=True):
    """Create a list of `owner` (None: the local reader)."""

    TYPE: ClassVar[str] = "shelf.create-list.v1"
    name: ListName
    owner: str | None = None


class RenameList(Command, frozen=True):
    """Give a list another name."""

    TYPE: ClassVar[str] = "shelf.rename-list.v1"
    name: ListName


class RemoveList(Command, frozen=True):
    """Remove a list."""

    TYPE: ClassVar[str] = "shelf.remove-list.v1"


class RestoreList(Command, frozen=True):
    """Put a removed list back, with its entries."""

    TYPE: ClassVar[str] = "shelf.restore-list.v1"


class PutEntry(Command, frozen=True):
    """Put a book on a list, or move it there.

    `after` is the book that it follows, None for the first place; if it is left out, a new book comes last
    and another one stays. `added` is when a new book was put there, if that was before. `up_next`: the list
    is up-next of `owner`, which is created by its first entry.
    """

    TYPE: ClassVar[str] = "shelf.put-entry.v1"
    book: field_types.ChosenId
    after: str | UnsetType | None = UNSET
    added: datetime | None = None
    up_next: bool = False
    owner: str | None = None


class RemoveEntry(Command, frozen=True):
    """Take a book off a list."""

    TYPE: ClassVar[str] = "shelf.remove-entry.v1"
    book: str


class OrderedList(State, frozen=True):
    """The state of a list. `ranks` has the rank of each book, in the order of the list."""

    created: bool = False
    removed: bool = False
    owner: str | None = None
    name: str = _NO_NAME
    ranks: dict[str, str] = msgspec.field(default_factory=dict)


def decide(state: OrderedList, command: Command) -> list[Event]:
    """Return the events that a command leads to. Raises `NotFound`, `Conflict`, `Invalid`."""
    match command:
        case CreateList() if state.created:
            raise Conflict("this list exists already")
        case CreateList(name=name, owner=owner):
            return [ListCreated(name=name, owner=owner)]
        case PutEntry(up_next=True, owner=owner) if not state.created:
            created = ListCreated(name=_NO_NAME, owner=owner)
            return [created, *_put(evolve(state, created), command)]
        case _ if not state.created or (state.removed and not isinstance(command, RestoreList)):
            raise NotFound("there is no such list")
        case PutEntry():
            return _put(state, command)
        case RemoveEntry(book=book):
            return [ListEntryRemoved(book=book)] if book in state.ranks else []
        case RenameList() | RemoveList() | RestoreList():
            return _of_whole_list(state, command)
    return []


def _of_whole_list(state: OrderedList, command: RenameList | RemoveList | RestoreList) -> list[Event]:
    if state.name == _NO_NAME and not isinstance(command, RestoreList):
        raise Conflict("up-next can neither be renamed nor removed")
    match command:
        case RenameList(name=name) if name != state.name:
            return [ListRenamed(name=name)]
        case RemoveList():
            return [ListRemoved()]
        case RestoreList() if state.removed:
            return [ListRestored()]
    return []


def _put(state: OrderedList, command: PutEntry) -> list[Event]:
    book, after = command.book, command.after
    place = list(state.ranks).index(book) if book in state.ranks else None
    if place is None and len(state.ranks) >= limits.LIST_BOOKS_MAX:
        raise Conflict(f"a list has up to {limits.LIST_BOOKS_MAX} books")
    others = [other for other in state.ranks if other != book]
    if after is None:
        wanted = 0
    elif after is UNSET or after == book:
        wanted = len(others) if place is None else place
    elif after in state.ranks:
        wanted = others.index(after) + 1
    else:
        raise Invalid("is not on this list", field="after")
    return [] if wanted == place else _placed(state.ranks, others, wanted, command)


def _placed(ranks: dict[str, str], others: list[str], place: int, command: PutEntry) -> list[Event]:
    """Return the events that put a book between two others; all ranks are made new if one became too long."""
    book = command.book

    def rank_at(place: int, ranks: dict[str, str]) -> str:
        low = ranks[others[place - 1]] if place else None
        return rank_between(low, ranks[others[place]] if place < len(others) else None)

    def put(rank: str) -> Event:
        if book in ranks:
            return ListEntryMoved(book=book, rank=rank)
        return ListEntryAdded(book=book, rank=rank, added=command.added)

    rank = rank_at(place, ranks)
    if len(rank) <= limits.RANK_MAX:
        return [put(rank)]
    renewed = even_ranks(list(ranks))
    return [ListReordered(ranks=renewed), put(rank_at(place, renewed))]


def evolve(state: OrderedList, event: Event) -> OrderedList:  # noqa: PLR0911 (one for each event)
    """Return the list after an event."""
    replace = msgspec.structs.replace
    match event:
        case ListCreated(name=name, owner=owner):
            return OrderedList(created=True, name=name, owner=owner)
        case ListRenamed(name=name):
            return replace(state, name=name)
        case ListRemoved() | ListRestored():
            return replace(state, removed=isinstance(event, ListRemoved))
        case ListEntryAdded(book=book, rank=rank) | ListEntryMoved(book=book, rank=rank):
            return replace(state, ranks=_with_rank(state.ranks, book, rank))
        case ListEntryRemoved(book=book):
            return replace(state, ranks={other: rank for other, rank in state.ranks.items() if other != book})
        case ListReordered(ranks=ranks):
            return replace(state, ranks=_in_order(ranks))
    return state


def _with_rank(ranks: dict[str, str], book: str, rank: str) -> dict[str, str]:
    last = next(reversed(ranks), None)
    placed = {**ranks, book: rank}
    # most books come last, and a list has thousands: it is sorted for the others only
    return placed if last is None or (ranks[last] < rank and book not in ranks) else _in_order(placed)


def _in_order(ranks: dict[str, str]) -> dict[str, str]:
    return dict(sorted(ranks.items(), key=lambda entry: entry[1]))


LIST = Aggregate(
    name="list",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=OrderedList(),
    decide=decide,
    evolve=evolve,
    version=2,
    folds=LIST_EVENTS,
    takes=(CreateList, RenameList, RemoveList, RestoreList, PutEntry, RemoveEntry),
    reserved_ids=re.compile(r"bulk|goal-.*", re.DOTALL),
    owner=lambda state: state.owner,
)


def to_list_answer(list_id: str, state: OrderedList) -> ListAnswer:
    """Return the list as the body of an answer."""
    return ListAnswer(id=list_id, name=state.name)


def _subject(_body: Any, context: RequestContext) -> str:  # noqa: ANN401 (the body of any of the routes)
    return list_key(context.params.id, context.owner)


def _put_entry(body: Place, context: RequestContext) -> PutEntry:
    added = None if body.added is UNSET else body.added
    if added is not None and added > context.at + timedelta(days=1):
        raise Invalid("lies in the future", field="added")
    return PutEntry(
        book=context.params.book,
        after=body.after,
        added=added,
        up_next=context.params.id == UP_NEXT,
        owner=context.owner,
    )


COMMAND_ROUTES = (
    CommandRoute(
        method="POST",
        path="/lists",
        summary="Create a list",
        aggregate=LIST,
        body=NewList,
        command=lambda body, context: CreateList(name=body.name, owner=context.owner),
        subject=lambda body, _context: body.id or None,
        answer=to_list_answer,
        returns=ListAnswer,
        status=201,
        creates=True,
    ),
    CommandRoute(
        method="PATCH",
        path="/lists/{id}",
        summary="Give a list another name",
        aggregate=LIST,
        body=ListChanges,
        params=OneList,
        subject=_subject,
        command=lambda body, _context: RenameList(name=body.name),
        answer=to_list_answer,
        returns=ListAnswer,
        status=200,
    ),
    CommandRoute(
        method="DELETE",
        path="/lists/{id}",
        summary="Remove a list",
        aggregate=LIST,
        body=Empty,
        body_required=False,
        params=OneList,
        subject=_subject,
        command=lambda _body, _context: RemoveList(),
    ),
    CommandRoute(
        method="POST",
        path="/lists/{id}/restored",
        summary="Put a removed list back",
        aggregate=LIST,
        body=Empty,
        body_required=False,
        params=OneList,
        subject=_subject,
        command=lambda _body, _context: RestoreList(),
    ),
    CommandRoute(
        method="PUT",
        path="/lists/{id}/books/{book}",
        summary="Put a book on a list, or move it there",
        aggregate=LIST,
        body=Place,
        body_required=False,
        params=OneEntry,
        subject=_subject,
        command=_put_entry,
    ),
    CommandRoute(
        method="DELETE",
        path="/lists/{id}/books/{book}",
        summary="Take a book off a list",
        aggregate=LIST,
        body=Empty,
        body_required=False,
        params=OneEntry,
        subject=_subject,
        command=lambda _body, context: RemoveEntry(book=context.params.book),
    ),
)

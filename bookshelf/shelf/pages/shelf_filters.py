"""The filters of the shelf: the query of its address, chips and choices with their counts."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import msgspec

from bookshelf.shelf.languages import language_code, language_name
from bookshelf.shelf.lists import UP_NEXT
from bookshelf.shelf.pages.field_labels import FORMATS
from bookshelf.shelf.search_text import query_terms
from bookshelf.site.api_adapters import target
from bookshelf.site.page import _
from bookshelf.site.preferences import Choice, Preferences

View = Literal["", "covers", "list", "spines"]
SORTS: tuple[tuple[str, str], ...] = (
    ("", _("Best match")),
    ("-added", _("Added last")),
    ("title", _("Title")),
    ("author", _("Author")),
    ("series", _("Series")),
    ("-finished", _("Finished last")),
    ("-stars", _("Most stars")),
    ("-published", _("Newest")),
    ("published", _("Oldest")),
    ("-pages", _("Longest")),
    ("pages", _("Shortest")),
)
USUAL_SORT = "-added"
#: Chips of decades.
_DECADES = 3
#: The columns of the list that can be left out, with their labels.
COLUMNS: Mapping[str, str] = {
    "author": _("Author"),
    "series": _("Series"),
    "published": _("Published"),
    "stars": _("Stars"),
    "state": _("State"),
    "finished": _("Finished"),
    "pages": _("Pages"),
}
#: What the browser keeps of how the shelf is shown.
CHOICES: Mapping[str, Choice] = {
    "view": Choice(_("View"), (("covers", _("Covers")), ("list", _("List")), ("spines", _("Spines")))),
    "sort": Choice(_("Sort"), tuple((value, text) for value, text in SORTS if value)),
    "columns": Choice(_("Columns of the list"), tuple(COLUMNS.items()), many=True),
}
#: The filters of the panel, with their labels.
PANEL: Mapping[str, str] = {
    "tag": _("Tag"),
    "author": _("Author"),
    "series": _("Series"),
    "format": _("Format"),
    "language": _("Language"),
    "stars": _("Stars"),
    "finished": _("Finished in"),
    "published": _("Published in"),
}
LABELS: Mapping[str, str] = {
    "q": _("words"),
    "state": _("state"),
    **PANEL,
    "list": _("list"),
    "has": _("with"),
    "missing": _("without"),
}
STATES: Mapping[str, str] = {
    "reading": _("Reading"),
    "unread": _("Unread"),
    "finished": _("Finished"),
    "paused": _("Paused"),
    "abandoned": _("Given up"),
}


class ShelfQuery(msgspec.Struct, frozen=True, kw_only=True, rename={"among": "list", "start": "from"}):
    """Which books, in which sort and view, from which cursor or key on; with or without selection.

    `shown`: how many books the document has before these, and `first`: the cursor that it begins at.
    `loaded`: how many books the document has at once, so that one comes back to the same place.
    `open`: if they are one book, its page is shown.
    """

    q: str = ""
    state: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    author: str = ""
    series: str = ""
    format: str = ""
    language: str = ""
    stars: str = ""
    finished: str = ""
    published: str = ""
    among: str = ""
    has: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    sort: str = ""
    view: View = ""
    columns: tuple[str, ...] = ()
    shown: int = 0
    first: str = ""
    loaded: int = 0
    start: str = ""
    after: str = ""
    select: bool = False
    open: bool = False


#: What an address has at the first page.
FIRST_PAGE: Mapping[str, Any] = {
    "after": "",
    "start": "",
    "columns": (),
    "shown": 0,
    "first": "",
    "loaded": 0,
    "open": False,
}


class Chip(msgspec.Struct, frozen=True, kw_only=True):
    """A filter as a link, with the number of its books."""

    text: str
    count: int
    address: str
    current: bool = False


class Active(msgspec.Struct, frozen=True, kw_only=True):
    """A filter that is set: its label, its value, and the address without it."""

    label: str
    value: str
    address: str


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one filter of the panel, each with its text and its count, and the chosen one."""

    name: str
    label: str
    values: tuple[tuple[str, str, int], ...]
    chosen: str


def filters_of(asked: ShelfQuery) -> dict[str, Any]:
    """Return the filters of a query by the names of their parameters."""
    built = msgspec.to_builtins(asked)
    return {name: built[name] for name in LABELS if built[name]}


def sort_of(asked: ShelfQuery, usual: str = USUAL_SORT) -> str:
    """Return the sort of the books: the chosen one, else the best match, else the reader's usual one."""
    return asked.sort or ("relevance" if query_terms(asked.q) else usual)


def preferred(asked: ShelfQuery, before: Preferences) -> Preferences:
    """Return the preferences with the view, the sort and the columns that were asked for."""
    given = {"view": (asked.view,), "sort": (asked.sort,), "columns": asked.columns}
    allowed = {name: {*CHOICES[name].names, "-"} for name in given}
    chosen = {
        name: CHOICES[name].value_of(values)
        for name, values in given.items()
        if not allowed[name].isdisjoint(values)
    }
    return replace(before, more={**before.more, **chosen})


def address(asked: ShelfQuery, **changes: Any) -> str:  # noqa: ANN401 (values of the query)
    """Return the address of a query with changes; it starts at the first page again."""
    built = msgspec.to_builtins(msgspec.structs.replace(asked, **{**FIRST_PAGE, **changes}))
    shown = {name: "1" if value is True else value for name, value in built.items() if value}
    return target("/books", **shown)


def make_chips(asked: ShelfQuery, facets: Mapping[str, Any] | None, up_next: int = 0) -> tuple[Chip, ...]:
    """Return chips of states, up next, many stars, decades; none if their counts cannot be read."""
    if facets is None:
        return ()
    counts = {value["value"]: value["count"] for value in facets["state"]}
    everything = Chip(
        text=_("All"), count=sum(counts.values()), address=address(asked, state=()), current=not asked.state
    )
    states = (
        Chip(
            text=text,
            count=counts[state],
            address=address(asked, state=(state,)),
            current=asked.state == (state,),
        )
        for state, text in STATES.items()
        if counts.get(state)
    )
    loved = sum(value["count"] for value in facets["stars"] if float(value["value"]) >= 4)  # noqa: PLR2004 (stars)
    chosen = asked.stars == "4-"
    starred = Chip(
        text=_("★ 4 and up"),
        count=loved,
        address=address(asked, stars="" if chosen else "4-"),
        current=chosen,
    )
    return (
        everything,
        *states,
        *_next_chip(asked, up_next),
        *((starred,) if loved or chosen else ()),
        *_decades(asked, facets),
    )


def _next_chip(asked: ShelfQuery, count: int) -> Iterator[Chip]:
    chosen = asked.among == UP_NEXT
    if count or chosen:
        there = address(asked, among="" if chosen else UP_NEXT)
        yield Chip(text=_("Up next"), count=count, address=there, current=chosen)


def _decades(asked: ShelfQuery, facets: Mapping[str, Any]) -> Iterator[Chip]:
    """Yield the decades of publication with the most books, in the sequence of time."""
    counts = Counter[int]()
    for value in facets["published"]:
        counts[int(value["value"]) // 10 * 10] += value["count"]
    for first in sorted(decade for decade, _count in counts.most_common(_DECADES)):
        years = f"{first}-{first + 9}"
        chosen = asked.published == years
        there = address(asked, published="" if chosen else years)
        yield Chip(text=years.replace("-", "\N{EN DASH}"), count=counts[first], address=there, current=chosen)


#: Returns a value of a filter, by its name, as the page shows it.
TextOf = Callable[[str, str], str]


def value_text(name: str, value: str, translate: Callable[[str], str] = _, language: str = "en") -> str:
    """Return a value of a filter as a page in a language shows it."""
    match name:
        case "language":
            return language_name(language_code(value) or value, language)
        case "state" | "format":
            words = STATES if name == "state" else FORMATS
            return translate(words[value]) if value in words else value
    return value


def make_active(asked: ShelfQuery, text_of: TextOf = value_text) -> tuple[Active, ...]:
    """Return the filters that are set, each with the address without it."""
    return tuple(_active(asked, text_of))


def _active(asked: ShelfQuery, text_of: TextOf) -> Iterator[Active]:
    for name, value in filters_of(asked).items():
        attribute = {"list": "among"}.get(name, name)
        values: Sequence[str] = value if isinstance(value, list | tuple) else (value,)
        for one in values:
            rest = tuple(other for other in values if other != one) if value is not one else ""
            shown = text_of(name, one)
            yield Active(label=LABELS[name], value=shown, address=address(asked, **{attribute: rest}))


def make_choices(
    asked: ShelfQuery,
    facets: Mapping[str, Any] | None,
    text_of: TextOf = value_text,
) -> tuple[Choices, ...]:
    """Return the filters of the panel with the values that the books have."""
    if facets is None:
        return ()
    found = []
    for name, label in PANEL.items():
        given = getattr(asked, name)
        chosen = given[0] if isinstance(given, tuple) and given else given or ""
        if name == "language":
            chosen = language_code(chosen) or ""
        values = [(value["value"], value["count"]) for value in facets[name]]
        if chosen and chosen not in dict(values):
            values.insert(0, (chosen, 0))
        shown = ((value, text_of(name, value), count) for value, count in values)
        found.append(Choices(name=name, label=label, values=tuple(shown), chosen=chosen))
    return tuple(choices for choices in found if choices.values)

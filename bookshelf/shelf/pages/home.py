"""The home page: what is being read, what comes next, the goal of the year, what was finished last."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec

from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.shelf.pages.models import BookTile, book_tile
from bookshelf.shelf.pages.reading_pace import ReadingPosition, find_position
from bookshelf.shelf.pages.samples import SAMPLES, TAG, add_samples, count_samples, remove_samples
from bookshelf.site.api_adapters import target
from bookshelf.site.charts import HeatMap, heat_map
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

NOTICES: Mapping[str, str] = {
    "samples-added": _("Twelve sample books are on your shelf."),
    "samples-removed": _("The sample books are removed."),
}
#: Books in each part.
_READING, _NEXT, _FINISHED = 12, 12, 7
#: Weeks of the heat map.
_WEEKS = 53
_DAY_HOURS = ((5, _("Good morning.")), (12, _("Good afternoon.")), (18, _("Good evening.")))
#: Numbers of books in words, from 2 on.
_WORDS = (
    *(_("Two"), _("Three"), _("Four"), _("Five"), _("Six"), _("Seven")),
    *(_("Eight"), _("Nine"), _("Ten"), _("Eleven"), _("Twelve")),
)


class OpenBook(msgspec.Struct, frozen=True, kw_only=True):
    """A book that is being read, and how far."""

    tile: BookTile
    position: ReadingPosition


class GoalProgress(msgspec.Struct, frozen=True, kw_only=True):
    """The readings of a year, the goal if there is one, and how many it is ahead of an even pace."""

    year: int
    readings: int
    goal: int | None
    ahead: int


class HomeModel(Model):
    """The parts of the home page; one that cannot be read is None.

    `greeting` is a text, `word` the number of open books in words, if it is a small one. `shelved`: there are
    books on the shelf. `samples`: how many of them are samples.
    """

    today: date
    greeting: str
    shelved: bool
    samples: int
    word: str
    open: tuple[OpenBook, ...] | None
    open_count: int
    paused: int
    next: tuple[BookTile, ...] | None
    next_count: int
    goal: GoalProgress | None
    heat: HeatMap | None
    finished: tuple[BookTile, ...] | None


class SamplesForm(Form):
    """What is done with the sample books: "add" or "remove"."""

    samples: str = ""


async def show_home(request: PageRequest) -> Page:
    """Show the home page."""
    today = request.today
    shelf = await request.api.get(target("/books", limit=1))
    open_books, open_readings, paused, up_next, finished, samples, year, *days = await asyncio.gather(
        *map(request.api.try_get, _parts(today))
    )
    reading = _open_books(open_books, open_readings, today)
    model = HomeModel(
        today=today,
        greeting=_greeting(request.now.hour),
        shelved=shelf.total > 0,
        samples=0 if samples is None else count_samples(samples.body),
        word=_word(0 if open_books is None else open_books.total),
        open=reading,
        open_count=0 if open_books is None else open_books.total,
        paused=0 if paused is None else paused.total,
        next=None
        if up_next is None
        else tuple(book_tile(entry["book"]) for entry in up_next.body["entries"]),
        next_count=0 if up_next is None else up_next.total,
        goal=None if year is None else _goal(year.body, today),
        heat=_heat(days, today),
        finished=None if finished is None else tuple(map(book_tile, finished.body)),
    )
    return Page("home.html", model, live=("readings", "lists"))


def _parts(today: date) -> tuple[str, ...]:
    """Return the requests for the parts of the page."""
    return (
        target("/books", state="reading", limit=100),
        target("/readings", state="reading", entries="true", limit=100),
        target("/books", state="paused", limit=1),
        target("/lists/up-next", limit=_NEXT),
        target("/books/last/read", limit=_FINISHED),
        target("/books", tag=TAG, limit=100),
        f"/stats/{today.year}",
        target("/stats/days", year=today.year - 1),
        target("/stats/days", year=today.year),
    )


def _listed(body: Mapping[str, Any]) -> Iterator[BookTile]:
    return (book_tile(entry["book"]) for entry in body["entries"])


async def change_samples(request: PageRequest, form: SamplesForm) -> Redirect:
    """Add the sample books, or remove them."""
    if form.samples == "remove":
        correlation = await remove_samples(request)
        return Redirect("/", notice="samples-removed", correlation=correlation)
    return Redirect("/", notice="samples-added", correlation=await add_samples(request))


def _greeting(hour: int) -> str:
    return next((text for start, text in reversed(_DAY_HOURS) if hour >= start), _("Good evening."))


def _word(count: int) -> str:
    return _WORDS[count - 2] if 0 <= count - 2 < len(_WORDS) else ""


def _open_books(
    books: ApiAnswer | None, readings: ApiAnswer | None, today: date
) -> tuple[OpenBook, ...] | None:
    """Return the open books, last read first; None if they cannot be read."""
    if books is None or readings is None:
        return None
    by_id = {book["id"]: book for book in books.body}
    found = [
        (_last_day(reading), OpenBook(tile=book_tile(book), position=_position(reading, today)))
        for reading in readings.body
        if (book := by_id.get(reading["book"])) is not None
    ]
    newest = sorted(found, key=lambda pair: pair[0], reverse=True)
    return tuple(book for _, book in newest[:_READING])


def _last_day(reading: Mapping[str, Any]) -> str:
    days = [entry.get("on") or "" for entry in reading.get("entries", ())]
    return max([*days, reading.get("started") or ""])


def _position(reading: Mapping[str, Any], today: date) -> ReadingPosition:
    return find_position(reading.get("progress"), reading.get("entries", ()), today)


def _goal(stats: Mapping[str, Any], today: date) -> GoalProgress:
    goal = stats["goal"].get("books")
    first, last = date(today.year, 1, 1), date(today.year, 12, 31)
    passed = ((today - first).days + 1) / ((last - first).days + 1)
    ahead = 0 if goal is None else stats["readings"] - round(goal * passed)
    return GoalProgress(year=today.year, readings=stats["readings"], goal=goal, ahead=ahead)


def _heat(answers: Sequence[ApiAnswer | None], today: date) -> HeatMap | None:
    """Return the days of reading of the last year; None if they cannot be read."""
    known = [answer for answer in answers if answer is not None]
    if len(known) < len(answers):
        return None
    days = {date.fromisoformat(day["day"]): float(day["books"]) for answer in known for day in answer.body}
    return heat_map(days, today - timedelta(weeks=_WEEKS, days=-1), today)


def _example(
    books: Sequence[Mapping[str, Any]],
    position: ReadingPosition,
    count: int | None = None,
    **more: Any,  # noqa: ANN401 (further fields)
) -> Page:
    today = date(2026, 1, 31)
    states = ["reading"] * 2 + ["unread"] * len(books)
    tiles = tuple(book_tile({**book, "state": state}) for book, state in zip(books, states, strict=False))
    days = {today - timedelta(days=n): float((n * n) % 17) for n in range(0, 365, 2)}
    of_shelf = {
        "today": today,
        "greeting": _("Good evening."),
        "shelved": True,
        "samples": 0,
        "word": _word(len(books[:2]) if count is None else count),
        "open": tuple(OpenBook(tile=tile, position=position) for tile in tiles[:2]),
        "open_count": len(books[:2]) if count is None else count,
        "paused": 1,
        "next": tiles[2:],
        "next_count": 41,
        "goal": GoalProgress(year=2026, readings=31, goal=40, ahead=2),
        "heat": heat_map(days, today - timedelta(days=370), today),
        "finished": tuple(msgspec.structs.replace(tile, stars=4.5) for tile in tiles[2:8]),
    }
    return Page("home.html", HomeModel(**{**of_shelf, **more}))


def _examples() -> Mapping[str, Page]:
    usual = ReadingPosition(unit="page", value=212, of=412, share=0.51, typed="212", evenings=4)
    time = ReadingPosition(unit="minutes", value=190, of=480, share=0.39, typed="3h10")
    title = "The Life and Strange Surprizing Adventures of Robinson Crusoe, of York, Mariner " * 12
    long = [{**book, "title": title, "author": "Daniel Defoe and " * 9} for book in SAMPLES]
    many = [{**book, "id": f"{book['id']}-{n}"} for n in range(7) for book in SAMPLES]
    nothing: dict[str, Any] = {
        "open": (),
        "open_count": 0,
        "next": (),
        "next_count": 0,
        "finished": (),
        "paused": 0,
    }
    quiet: dict[str, Any] = {
        **nothing,
        "word": "",
        "goal": GoalProgress(year=2026, readings=0, goal=None, ahead=0),
    }
    unread: dict[str, Any] = dict.fromkeys(("open", "next", "goal", "heat", "finished"))
    return {
        "usual": _example(SAMPLES, usual, samples=12),
        "empty": _example([], usual, shelved=False, **quiet),
        "nothing open": _example([], usual, **quiet),
        "long": _example(long, time),
        "large": _example(many, usual, 60, next_count=9000, paused=300),
        "failed": _example([], usual, 0, **unread),
    }


PAGES = (
    PageRoute(
        "/",
        get=show_home,
        post=change_samples,
        form=SamplesForm,
        title=_("Home"),
        section="/",
        examples=_examples,
    ),
)

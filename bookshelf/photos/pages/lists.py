"""The three lists of photos: the newest, those voted for on one day, and those of all time."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import msgspec

from bookshelf.photos.pages.example_photos import example_cards, long_card
from bookshelf.photos.pages.models import GalleryPhoto, PhotoCard, card_of
from bookshelf.site.api_adapters import target
from bookshelf.site.page import Model, Page, PageRoute, Show, _
from bookshelf.site.page_request import PageRequest

ROOT = "/gallery"
HOT, TRENDING = f"{ROOT}/hot", f"{ROOT}/trending"
_ROWS = 12
_ADDRESSES = {"fresh": ROOT, "hot": HOT, "trending": TRENDING}
_DAY = timedelta(days=1)
#: No day before this one is shown.
_FIRST = date(2000, 1, 1)


class PhotoListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """From where on; of hot the day, like 2026-11-25."""

    after: str = ""
    day: date | None = None


class HotDay(msgspec.Struct, frozen=True):
    """The day whose votes count, its zone, and the addresses of the days beside it; "" without one."""

    day: date
    zone: str
    before: str
    after: str


class PhotoListModel(Model):
    """A page of photos, None if they cannot be read now. `sort` is fresh, hot or trending."""

    sort: str
    hot: HotDay | None
    cards: tuple[PhotoCard, ...] | None
    more_address: str


async def show_fresh(request: PageRequest) -> Page:
    """Show the newest photos."""
    return await _show(request, "fresh")


async def show_trending(request: PageRequest) -> Page:
    """Show the photos with the best votes of all time."""
    return await _show(request, "trending")


async def show_hot(zone: str, request: PageRequest) -> Page:
    """Show the photos with the best votes of one day, today if none is given."""
    today = request.now.astimezone(ZoneInfo(zone)).date()
    day = max(min(request.query.day or today, today), _FIRST)
    after = target(HOT, day=None if day + _DAY == today else day + _DAY) if day < today else ""
    hot = HotDay(day, zone.replace("_", " "), "" if day == _FIRST else target(HOT, day=day - _DAY), after)
    return await _show(request, "hot", hot)


async def _show(request: PageRequest, sort: str, hot: HotDay | None = None) -> Page:
    day = None if hot is None else hot.day
    asked = target("/photos", sort=sort, rows=_ROWS, after=request.query.after, day=day)
    found = await request.api.try_get(asked, kind=list[GalleryPhoto])
    if found is None:
        return _page(sort, None, hot)
    more = "" if found.cursor is None else target(_ADDRESSES[sort], day=day, after=found.cursor)
    return _page(sort, [card_of(request, photo) for photo in found.body], hot, more)


def _page(
    sort: str, cards: Sequence[PhotoCard] | None, hot: HotDay | None = None, more_address: str = ""
) -> Page:
    shown = None if cards is None else tuple(cards)
    return Page("photos.html", PhotoListModel(sort=sort, hot=hot, cards=shown, more_address=more_address))


def _fresh_examples() -> Mapping[str, Page]:
    cards = example_cards()
    return {
        "usual": _page("fresh", cards, more_address=target(ROOT, after="next")),
        "empty": _page("fresh", []),
        "long": _page("fresh", [long_card(), *cards]),
        "failed": _page("fresh", None),
    }


def _hot_examples() -> Mapping[str, Page]:
    day = example_cards()[0].photo.added.astimezone(UTC).date()
    before, after = target(HOT, day=day - _DAY), target(HOT, day=day + _DAY)
    hot = HotDay(day, "Europe/Berlin", before, "")
    past = HotDay(day, "Europe/Berlin", before, after)
    return {"hot": _page("hot", example_cards()[::-1], hot), "quiet": _page("hot", [], past)}


def _trending_examples() -> Mapping[str, Page]:
    cards = sorted(example_cards(), key=lambda card: -card.photo.score)
    return {"trending": _page("trending", cards)}


def _route(
    path: str,
    get: Show,
    title: str,
    examples: Callable[[], Mapping[str, Page]],
) -> PageRoute:
    return PageRoute(
        path,
        get=get,
        title=title,
        params=PhotoListQuery,
        section=path,
        examples=examples,
        requires=None,
    )


def list_pages(zone: str) -> tuple[PageRoute, ...]:
    """Return the pages of the lists; `zone` is where the days of hot begin."""
    return (
        _route(ROOT, show_fresh, _("Fresh"), _fresh_examples),
        _route(HOT, partial(show_hot, zone), _("Hot"), _hot_examples),
        _route(TRENDING, show_trending, _("Trending"), _trending_examples),
    )

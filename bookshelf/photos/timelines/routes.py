"""The routes of the service timelines that are queries of its view."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta

from bookshelf.cqrs.route import Addressed, Answer, QueryRoute
from bookshelf.cqrs.view import View
from bookshelf.photos.parent import checked_id
from bookshelf.photos.person import LOCAL_READER, person_key
from bookshelf.photos.timelines import queries
from bookshelf.photos.timelines.answers import OwnComment, OwnVote, PersonAnswer, ShownComment, WholePhoto
from bookshelf.photos.timelines.handlers import day_of
from bookshelf.photos.timelines.lists import PagePlace
from bookshelf.storage.paging import After

_PHOTO = "5b1f6f0e-6a9b-5d0c-9f43-8f9a7a1f2b11"
Rows = Annotated[int, Meta(ge=1, le=100, description="how many, at the most")]
Offset = Annotated[int, Meta(ge=0, le=10_000, description="how many to pass over; `after` takes its place")]
Day = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$(?!\n)",
        extra={"hint": "is a day like 2026-11-25"},
        description="the day of hot photos; today without it",
        examples=["2026-11-25"],
    ),
]
SortName = Annotated[
    Literal["fresh", "hot", "trending"], Meta(description="the newest, or the best rated", examples=["hot"])
]
PhotoId = Annotated[str, Meta(description="the id of a photo", examples=[_PHOTO])]
PersonId = Annotated[str, Meta(description="the id of a person", examples=["a-1"])]
Db = Any


class PageQuery(Addressed, forbid_unknown_fields=True):
    """How many, and from where on."""

    rows: Rows = 10
    after: After | None = None
    offset: Offset = 0

    @property
    def place(self) -> PagePlace:
        """The page that is asked for."""
        return PagePlace(self.rows, self.after, self.offset)

    @property
    def me(self) -> str:
        """The person that the caller is."""
        return person_key(self.caller or LOCAL_READER)


class PhotosQuery(PageQuery, forbid_unknown_fields=True):
    """Which list of photos."""

    sort: SortName = "fresh"
    day: Day | None = None


class PhotoQuery(Addressed, forbid_unknown_fields=True, kw_only=True):
    """Which photo."""

    id: PhotoId


class PhotoCommentsQuery(PageQuery, forbid_unknown_fields=True, kw_only=True):
    """Which photo, how many comments, and from where on."""

    id: PhotoId


class PersonQuery(Addressed, forbid_unknown_fields=True, kw_only=True):
    """Which person."""

    person: PersonId


class PersonPhotosQuery(PageQuery, forbid_unknown_fields=True, kw_only=True):
    """Which person, how many photos, and from where on."""

    person: PersonId


class MeQuery(Addressed, forbid_unknown_fields=True):
    """The caller."""


def _caller(asked: Addressed) -> str:
    return person_key(asked.caller or LOCAL_READER)


def _page(found: tuple[Any, str | None]) -> Answer:
    return Answer(found[0], after=found[1])


def list_photos(db: Db, asked: PhotosQuery) -> Answer:
    """Return a page of photos. Raises `Invalid`."""
    # the pages of a list are of one day, also if it ends meanwhile
    day = asked.day or queries.day_of_list(asked.after) or asked.today
    return _page(queries.listed(db, asked.sort, day, asked.me, asked.place))


def one_photo(db: Db, asked: PhotoQuery) -> Answer:
    """Return a photo. Raises `Gone`, `NotFound`."""
    return Answer(queries.one_photo(db, asked.id, _caller(asked)))


def list_comments(db: Db, asked: PhotoCommentsQuery) -> Answer:
    """Return a page of the comments on a photo. Raises `Gone`, `Invalid`, `NotFound`."""
    return _page(queries.comments_on(db, checked_id(asked.id), asked.place))


def one_person(db: Db, asked: PersonQuery) -> Answer:
    """Return a person. Raises `Gone`, `NotFound`."""
    return Answer(queries.one_person(db, asked.person))


def list_photos_of(db: Db, asked: PersonPhotosQuery) -> Answer:
    """Return a page of the photos of a person. Raises `Gone`, `Invalid`, `NotFound`."""
    queries.one_person(db, asked.person)
    return _page(queries.photos_of(db, asked.person, asked.me, asked.place))


def own_profile(db: Db, asked: MeQuery) -> Answer:
    """Return the caller's profile. Raises `Gone`, `NotFound`."""
    return Answer(queries.one_person(db, _caller(asked)))


def own_photos(db: Db, asked: PageQuery) -> Answer:
    """Return a page of the caller's photos. Raises `Invalid`."""
    return _page(queries.photos_of(db, asked.me, asked.me, asked.place))


def own_comments(db: Db, asked: PageQuery) -> Answer:
    """Return a page of the caller's comments. Raises `Invalid`."""
    return _page(queries.own_comments(db, asked.me, asked.place))


def own_votes(db: Db, asked: PageQuery) -> Answer:
    """Return a page of the caller's votes. Raises `Invalid`."""
    return _page(queries.own_votes(db, asked.me, asked.place))


#: Path, summary, query, parameters, what is answered, and whether everyone is answered.
_TABLE: tuple[tuple[str, str, Callable[[Any, Any], Answer], Any, Any, bool], ...] = (
    ("/photos", "Photos: fresh, hot or trending", list_photos, PhotosQuery, list[WholePhoto], True),
    ("/photos/{id}", "A photo", one_photo, PhotoQuery, WholePhoto, True),
    (
        *("/photos/{id}/comments", "The comments on a photo, the newest first"),
        *(list_comments, PhotoCommentsQuery, list[ShownComment], True),
    ),
    ("/people/{person}", "A person", one_person, PersonQuery, PersonAnswer, True),
    (
        *("/people/{person}/photos", "The photos of a person, the newest first"),
        *(list_photos_of, PersonPhotosQuery, list[WholePhoto], True),
    ),
    ("/me", "One's profile", own_profile, MeQuery, PersonAnswer, False),
    ("/me/photos", "One's photos, the newest first", own_photos, PageQuery, list[WholePhoto], False),
    ("/me/comments", "One's comments, the newest first", own_comments, PageQuery, list[OwnComment], False),
    ("/me/votes", "One's votes, the newest first", own_votes, PageQuery, list[OwnVote], False),
)


def timeline_routes(view: View, zone: str) -> tuple[QueryRoute, ...]:
    """Return the routes of the view, whose present day is that of a time zone."""
    place = ZoneInfo(zone)

    def today(now: datetime) -> str:
        return day_of(now, place)

    return tuple(
        QueryRoute(
            path=path,
            summary=summary,
            view=view,
            query=query,
            params=params,
            returns=returns,
            requires=None if everyone else ("read",),
            today=today if params is PhotosQuery else None,
        )
        for path, summary, query, params, returns, everyone in _TABLE
    )

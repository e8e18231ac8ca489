"""The queries of the view of timelines. A page of photos is two statements, whatever its size.

Statements are made once: to make one takes longer than to run it.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, cast

import msgspec
from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, or_, select, union_all

from bookshelf.cqrs.errors import Gone, NotFound
from bookshelf.photos.parent import checked_id, is_id
from bookshelf.photos.person import LOCAL_READER, READER_NAME
from bookshelf.photos.timelines.answers import (
    OwnComment,
    OwnVote,
    PersonAnswer,
    PersonName,
    ShownComment,
    WholePhoto,
    percent,
    time_text,
)
from bookshelf.photos.timelines.lists import Ordered, PagePlace, order_of, read_page
from bookshelf.photos.timelines.tables import LIVE, OPEN, comments, days, people, photos, votes
from bookshelf.storage.statements import TEXT

#: The newest comments that a photo is answered with.
LAST_COMMENTS = 10
Db = Any


class _ShownParts(msgspec.Struct, frozen=True):
    """A `ShownPhoto` whose images stay JSON: they are answered as a row has them."""

    width: int
    height: int
    animated: bool
    placeholder: str
    images: msgspec.Raw


_decode = msgspec.json.Decoder(_ShownParts).decode


def _text_bound(name: str) -> BindParameter[str]:
    return bindparam(name, type_=TEXT)


def _photo_rows(*, of_day: bool = False) -> Select[Any]:
    """Return the query for live photos, each with its owner's name and the vote of `caller`, a parameter."""
    source = photos.join(days, days.c.photo == photos.c.id) if of_day else photos
    source = source.outerjoin(people, people.c.id == photos.c.owner).outerjoin(
        votes, and_(votes.c.photo == photos.c.id, votes.c.person == _text_bound("caller"))
    )
    named = (people.c.name.label("owner_name"), people.c.state.label("owner_state"))
    return (
        select(photos, *named, votes.c.way.label("mine"), votes.c.at.label("voted"))
        .select_from(source)
        .where(photos.c.state == LIVE)
    )


_PHOTOS = _photo_rows()
_BY_AGE, _BY_SCORE = (photos.c.added,), (photos.c.score, photos.c.added)
_FRESH = Ordered("fresh", _PHOTOS, _BY_AGE, photos.c.id)
_TRENDING = Ordered("trending", _PHOTOS, _BY_SCORE, photos.c.id, moves=True)
_HOT = Ordered(
    "hot-",
    _photo_rows(of_day=True).where(days.c.day == _text_bound("day"), or_(days.c.up > 0, days.c.down > 0)),
    (days.c.score, days.c.added),
    days.c.photo,
    moves=True,
)
_OF_PERSON = Ordered(
    "of-a-person", _PHOTOS.where(photos.c.owner == _text_bound("person")), _BY_AGE, photos.c.id
)
_OWN_VOTES = Ordered(
    "votes", _PHOTOS.where(votes.c.way.is_not(None)), (votes.c.at,), votes.c.photo, moves=True
)
_ONE_PHOTO = _PHOTOS.where(photos.c.id == _text_bound("photo"))
_SOME_PHOTOS = _PHOTOS.where(photos.c.id.in_(bindparam("ids", expanding=True)))


@lru_cache(maxsize=128)
def _last_comments(number: int) -> Any:  # noqa: ANN401 (a statement)
    """Return the statement for the newest comments on so many photos, each a limited range of an index."""
    parts = []
    for place in range(number):
        newest = (
            select(comments)
            .where(comments.c.photo == _text_bound(f"photo_{place}"))
            .order_by(comments.c.at.desc(), comments.c.id.desc())
            .limit(LAST_COMMENTS)
            .subquery()
        )
        parts.append(select(newest))  # SQLite takes no LIMIT in a part of a compound select
    every = union_all(*parts).subquery()
    named = (people.c.name.label("person_name"), people.c.state.label("person_state"))
    return select(every, *named).select_from(every.outerjoin(people, people.c.id == every.c.person))


def comments_of(db: Db, ids: Sequence[str]) -> dict[str, list[ShownComment]]:
    """Return the newest comments on each of these photos, the newest first."""
    if not ids:
        return {}
    found: dict[str, list[tuple[Any, ...]]] = {photo: [] for photo in ids}
    asked = {f"photo_{n}": photo for n, photo in enumerate(ids)}
    for photo, *comment in db.execute(_last_comments(len(ids)), asked).all():
        found[photo].append(tuple(comment))
    return {
        photo: [_comment(*row) for row in sorted(rows, reverse=True)]  # time and id come first
        for photo, rows in found.items()
    }


def shown_comment(row: Any) -> ShownComment:  # noqa: ANN401 (a row)
    """Return a comment as it is answered."""
    return _comment(row.at, row.id, row.person, row.text, row.person_name, row.person_state)


def _comment(
    at: int, comment: str, person: str, text: str, name: str | None, state: int | None
) -> ShownComment:
    return ShownComment(comment, person_name(person, name, state), text, time_text(at))


def person_name(person: str, name: str | None, state: int | None) -> PersonName:
    """Return a person by name; one without a profile by id, and a former member without a name."""
    if state is None:
        return PersonName(person, READER_NAME if person == LOCAL_READER else person)
    return PersonName(person, name or person if state == OPEN else None)


def whole_photos(db: Db, rows: Sequence[Any]) -> list[WholePhoto]:
    """Return the photos of rows, with their newest comments: one more statement."""
    last = comments_of(db, [row.id for row in rows])
    return [_whole(row, last[row.id]) for row in rows]


def _whole(row: Any, last: Sequence[ShownComment]) -> WholePhoto:  # noqa: ANN401 (a row)
    shown = _decode(row.shown)
    return WholePhoto(
        id=row.id,
        owner=person_name(row.owner, row.owner_name, row.owner_state),
        title=row.title,
        description=row.description,
        credit=row.credit,
        added=time_text(row.added),
        width=shown.width,
        height=shown.height,
        animated=shown.animated,
        placeholder=shown.placeholder,
        images=cast("Any", shown.images),
        up=row.up,
        down=row.down,
        votes=row.up + row.down,
        score=row.score,
        percent=percent(row.up, row.down),
        mine=row.mine,
        comments=row.comments,
        last_comments=tuple(last),
        version=str(row.version),
    )


def listed(db: Db, sort: str, day: str, caller: str, place: PagePlace) -> tuple[list[WholePhoto], str | None]:
    """Return a page of a list of photos: fresh, trending, or hot on a day. Raises `Invalid`."""
    if sort == "hot":
        page = read_page(db, _HOT, place, {"caller": caller, "day": day}, part=day)
    else:
        page = read_page(db, _FRESH if sort == "fresh" else _TRENDING, place, {"caller": caller})
    return whole_photos(db, page.rows), page.after


def day_of_list(after: str | None) -> str | None:
    """Return the day of the hot photos that a cursor goes on with; None for any other cursor."""
    order = "" if after is None else order_of(after)
    return order.removeprefix(_HOT.name) if order.startswith(_HOT.name) else None


def one_photo(db: Db, photo: str, caller: str) -> WholePhoto:
    """Return a photo. Raises `Gone`, `NotFound`."""
    row = db.execute(_ONE_PHOTO, {"photo": checked_id(photo), "caller": caller}).first()
    if row is not None:
        return whole_photos(db, [row])[0]
    if db.execute(select(photos.c.id).where(photos.c.id == photo)).first() is None:
        raise NotFound("there is no such photo")
    raise Gone("the photo was removed")


def photos_by_id(db: Db, ids: Iterable[str], caller: str) -> dict[str, WholePhoto]:
    """Return those of these photos that are live, by id: two statements. What is no id is left out."""
    wanted = list(filter(is_id, dict.fromkeys(ids)))
    if not wanted:
        return {}
    rows = db.execute(_SOME_PHOTOS, {"ids": wanted, "caller": caller}).all()
    return {photo.id: photo for photo in whole_photos(db, rows)}


def photos_of(db: Db, person: str, caller: str, place: PagePlace) -> tuple[list[WholePhoto], str | None]:
    """Return a page of the photos of a person, the newest first. Raises `Invalid`."""
    page = read_page(db, _OF_PERSON, place, {"caller": caller, "person": person})
    return whole_photos(db, page.rows), page.after


def comments_on(db: Db, photo: str, place: PagePlace) -> tuple[list[ShownComment], str | None]:
    """Return a page of the comments on a photo, the newest first. Raises `Gone`, `Invalid`, `NotFound`."""
    one_photo(db, photo, "")
    page = read_page(db, _COMMENTS_ON, place, {"photo": photo})
    return [shown_comment(row) for row in page.rows], page.after


def _comment_list(place: ColumnElement[bool]) -> Ordered:
    """Return a list of comments on live photos."""
    named = (people.c.name.label("person_name"), people.c.state.label("person_state"))
    source = comments.outerjoin(people, people.c.id == comments.c.person).join(
        photos, photos.c.id == comments.c.photo
    )
    query = select(comments, *named).select_from(source).where(photos.c.state == LIVE, place)
    return Ordered("comments", query, (comments.c.at,), comments.c.id)


_COMMENTS_ON = _comment_list(comments.c.photo == _text_bound("photo"))
_COMMENTS_OF = _comment_list(comments.c.person == _text_bound("person"))


def own_comments(db: Db, person: str, place: PagePlace) -> tuple[list[OwnComment], str | None]:
    """Return a page of the comments of a person, the newest first, each with its photo. Raises `Invalid`."""
    page = read_page(db, _COMMENTS_OF, place, {"person": person})
    found = photos_by_id(db, (row.photo for row in page.rows), person)
    shown = [(shown_comment(row), found[row.photo]) for row in page.rows]
    return [OwnComment(said.id, said.person, said.text, said.at, photo) for said, photo in shown], page.after


def own_votes(db: Db, person: str, place: PagePlace) -> tuple[list[OwnVote], str | None]:
    """Return a page of the votes of a person, the newest first, each with its photo. Raises `Invalid`."""
    page = read_page(db, _OWN_VOTES, place, {"caller": person})
    shown = whole_photos(db, page.rows)
    made = zip(page.rows, shown, strict=True)
    return [OwnVote(photo, row.mine, time_text(row.voted)) for row, photo in made], page.after


def one_person(db: Db, person: str) -> PersonAnswer:
    """Return a person. Raises `Gone`, `NotFound`."""
    row = db.execute(select(people).where(people.c.id == person)).first()
    if row is None:
        if person == LOCAL_READER:
            return PersonAnswer(person, READER_NAME, "", "", None)
        raise NotFound("there is no such person")
    if row.state != OPEN:
        raise Gone("this profile was deleted")
    is_own = select(photos.c.id).where(
        photos.c.id == row.avatar, photos.c.owner == person, photos.c.state == LIVE
    )
    avatar = row.avatar if row.avatar and db.execute(is_own).first() is not None else ""
    return PersonAnswer(row.id, row.name or row.id, row.about, avatar, time_text(row.since))

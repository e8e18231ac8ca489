"""What the caller has published: photos, comments and votes."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple, TypeVar

import msgspec

from bookshelf.photos.pages.example_photos import NOW, example_cards, long_card
from bookshelf.photos.pages.lists import ROOT
from bookshelf.photos.pages.models import GalleryPhoto, MyComment, MyVote, PhotoCard, ago, card_of
from bookshelf.site.api_adapters import target
from bookshelf.site.page import Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

ME = f"{ROOT}/me"
PHOTOS, COMMENTS, VOTES = f"{ME}/photos", f"{ME}/comments", f"{ME}/votes"
_ROWS = 24

RowT = TypeVar("RowT")


class MineQuery(msgspec.Struct, frozen=True, kw_only=True):
    """From where on."""

    after: str = ""


class CommentRow(NamedTuple):
    """A comment with how long ago it was made."""

    comment: MyComment
    ago: str


class VoteRow(NamedTuple):
    """A vote with how long ago it was cast."""

    vote: MyVote
    ago: str


class OwnPhotosModel(Model):
    """The caller's photos, the newest first; None if they cannot be read."""

    cards: tuple[PhotoCard, ...] | None
    more_address: str


class OwnCommentsModel(Model):
    """The caller's comments, the newest first; None if they cannot be read."""

    comments: tuple[CommentRow, ...] | None
    more_address: str


class OwnVotesModel(Model):
    """The caller's votes, the newest first; None if they cannot be read."""

    votes: tuple[VoteRow, ...] | None
    more_address: str


async def show_photos(request: PageRequest) -> Page:
    """Show the caller's photos."""
    found, more = await _read(request, "photos", GalleryPhoto)
    return _photos_page(None if found is None else [card_of(request, photo) for photo in found], more)


async def show_comments(request: PageRequest) -> Page:
    """Show the caller's comments."""
    found, more = await _read(request, "comments", MyComment)
    if found is None:
        return _comments_page(None)
    return _comments_page(
        [CommentRow(one, ago(one.at, request.now, request.language)) for one in found], more
    )


async def show_votes(request: PageRequest) -> Page:
    """Show the caller's votes."""
    found, more = await _read(request, "votes", MyVote)
    if found is None:
        return _votes_page(None)
    return _votes_page([VoteRow(one, ago(one.at, request.now, request.language)) for one in found], more)


async def _read(request: PageRequest, name: str, kind: type[RowT]) -> tuple[Sequence[RowT] | None, str]:
    asked = target(f"/me/{name}", rows=_ROWS, after=request.query.after)
    found = await request.api.try_get(asked, kind=list[kind])  # type: ignore[valid-type]  # a value, too
    if found is None:
        return None, ""
    return found.body, "" if found.cursor is None else target(f"{ME}/{name}", after=found.cursor)


def _photos_page(cards: Sequence[PhotoCard] | None, more_address: str = "") -> Page:
    shown = None if cards is None else tuple(cards)
    return Page("own_photos.html", OwnPhotosModel(cards=shown, more_address=more_address))


def _comments_page(rows: Sequence[CommentRow] | None, more_address: str = "") -> Page:
    shown = None if rows is None else tuple(rows)
    return Page("own_comments.html", OwnCommentsModel(comments=shown, more_address=more_address))


def _votes_page(rows: Sequence[VoteRow] | None, more_address: str = "") -> Page:
    shown = None if rows is None else tuple(rows)
    return Page("own_votes.html", OwnVotesModel(votes=shown, more_address=more_address))


def _photo_examples() -> Mapping[str, Page]:
    return {
        "usual": _photos_page(example_cards()[:4]),
        "empty": _photos_page([]),
        "long": _photos_page([long_card(), *example_cards()], target(PHOTOS, after="next")),
        "failed": _photos_page(None),
    }


def _comment_examples() -> Mapping[str, Page]:
    rows = [
        CommentRow(
            MyComment(id=f"c-{number}", text=line.comment.text, at=line.comment.at, photo=card.photo),
            line.ago,
        )
        for number, (card, line) in enumerate(
            (card, line) for card in (*example_cards(), long_card()) for line in card.lines
        )
    ]
    return {
        "usual": _comments_page(rows[:4]),
        "empty": _comments_page([]),
        "long": _comments_page(rows[::-1], target(COMMENTS, after="next")),
        "failed": _comments_page(None),
    }


def _vote_examples() -> Mapping[str, Page]:
    rows = [
        VoteRow(
            MyVote(
                photo=card.photo, way="up" if number % 3 else "down", at=NOW - timedelta(hours=number + 2)
            ),
            f"{number + 2} hours ago",
        )
        for number, card in enumerate((*example_cards(), long_card()))
    ]
    return {
        "usual": _votes_page(rows[:4]),
        "empty": _votes_page([]),
        "long": _votes_page(rows[::-1], target(VOTES, after="next")),
        "failed": _votes_page(None),
    }


PAGES = (
    PageRoute(PHOTOS, get=show_photos, title=_("Your photos"), params=MineQuery, examples=_photo_examples),
    PageRoute(
        COMMENTS, get=show_comments, title=_("Your comments"), params=MineQuery, examples=_comment_examples
    ),
    PageRoute(VOTES, get=show_votes, title=_("Your votes"), params=MineQuery, examples=_vote_examples),
)

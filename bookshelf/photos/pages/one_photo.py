"""One photo: its page with all comments, its card alone with the votes, and the comments that are added."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

import msgspec
from msgspec import Meta

from bookshelf.photos.pages.example_photos import example_cards, long_card
from bookshelf.photos.pages.lists import ROOT
from bookshelf.photos.pages.models import (
    DOWN,
    NONE,
    UP,
    CommentLine,
    GalleryComment,
    GalleryPhoto,
    PhotoCard,
    card_of,
    lines_of,
)
from bookshelf.photos.person import moderates
from bookshelf.site.api_adapters import ApiProblem, FieldFault, segment, target
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import SIGN_IN, Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest, safe_address

PHOTOS = f"{ROOT}/photos"
NOTICES = {"commented": _("Your comment is added.")}
_ROWS = 30
_INVALID = 422


class PhotoPageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """From where on comments are shown."""

    after: str = ""


class SignInQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Where a person goes afterwards."""

    next: str = ROOT


class PhotoCommentForm(Form):
    """A comment as it is typed."""

    text: Annotated[str, Meta(max_length=50_000)] = ""


class PhotoVoteForm(Form):
    """A vote: up, down or none."""

    way: Annotated[str, Meta(max_length=10)] = ""


class PhotoModel(Model):
    """A photo and a page of its comments, None if they cannot be read; `origin` begins absolute addresses."""

    card: PhotoCard
    lines: tuple[CommentLine, ...] | None
    more_address: str
    moderates: bool
    origin: str


class PhotoCardModel(Model):
    """A photo as lists show it."""

    card: PhotoCard


class AskSignInModel(Model):
    """Where a person goes after signing in."""

    following: str


def page_path(photo_id: str) -> str:
    """Return the address of the page of a photo."""
    return f"{PHOTOS}/{segment(photo_id)}"


def api_path(request: PageRequest) -> str:
    """Return the path of the API of the photo that a page is about."""
    return f"/photos/{segment(request.path['id'])}"


async def read_photo(request: PageRequest) -> GalleryPhoto:
    """Return the photo that a page is about. Raises `ApiProblem`."""
    photo: GalleryPhoto = (await request.api.get(api_path(request), kind=GalleryPhoto)).body
    return photo


async def show_photo(request: PageRequest) -> Page:
    """Show a photo with its comments."""
    photo = await read_photo(request)
    asked = target(f"{api_path(request)}/comments", rows=_ROWS, after=request.query.after)
    found = await request.api.try_get(asked, kind=tuple[GalleryComment, ...])
    more, lines = "", None
    if found is not None:
        lines = lines_of(photo, found.body, request.now, request.language, request.caller)
        more = "" if found.cursor is None else target(page_path(photo.id), after=found.cursor)
    card, may_remove = card_of(request, photo), moderates(request.caller)
    return _page(card, lines, more, moderates=may_remove, origin=request.origin)


def _page(
    card: PhotoCard,
    lines: Sequence[CommentLine] | None,
    more_address: str = "",
    *,
    moderates: bool = False,
    origin: str = "http://localhost:8000",
) -> Page:
    model = PhotoModel(
        card=card,
        lines=None if lines is None else tuple(lines),
        more_address=more_address,
        moderates=moderates,
        origin=origin,
    )
    return Page("photo.html", model, title=card.photo.title)


async def add_comment(most: int, request: PageRequest, form: PhotoCommentForm) -> Redirect:
    """Add a comment of up to `most` characters. Raises `ApiProblem`, `FormRefused`.

    Once the session is over, what was typed comes back.
    """
    text = " ".join(form.text.split())  # a comment is one line
    if not 0 < len(text) <= most:
        detail = request.translate(_("Write 1 to %(most)s characters.")) % {"most": most}
        raise FormRefused(FieldFault("text", detail))
    try:
        await request.api.post(f"{api_path(request)}/comments", {"text": text})
    except ApiProblem as problem:
        if problem.answer.status != _INVALID:
            raise
        detail = _("Only letters, digits and usual signs; no control characters.")
        raise FormRefused(FieldFault("text", request.translate(detail))) from None
    path = page_path(request.path["id"])
    return Redirect(request.back(f"{path}#comments"), notice="commented")


async def show_card(request: PageRequest) -> Page:
    """Show a photo as lists show it, with its votes as they are now."""
    return _card_page(card_of(request, await read_photo(request)))


def _card_page(card: PhotoCard) -> Page:
    return Page("card.html", PhotoCardModel(card=card), title=card.photo.title)


async def vote(request: PageRequest, form: PhotoVoteForm) -> Redirect:
    """Vote for or against a photo, or withdraw the vote. A guest signs in first. Raises `ApiProblem`."""
    path = page_path(request.path["id"])
    back = request.back(path)
    if request.caller.is_guest:
        return Redirect(target(SIGN_IN, next=back))
    if form.way == NONE:
        await request.api.delete(f"{api_path(request)}/vote")
    elif form.way in {UP, DOWN}:
        await request.api.put(f"{api_path(request)}/vote", {"way": form.way})
    return Redirect(back)


async def ask_sign_in(request: PageRequest) -> Page | Redirect:
    """Ask a guest to sign in; a person goes on at once."""
    query: SignInQuery = request.query
    following = safe_address(query.next) or ROOT
    if not request.caller.is_guest:
        return Redirect(following)
    return _sign_in_page(following)


def _sign_in_page(following: str) -> Page:
    return Page("ask_sign_in.html", AskSignInModel(following=following))


def _examples() -> Mapping[str, Page]:
    cards = example_cards()
    usual, alone, long = cards[0], cards[2], long_card()
    return {
        "usual": _page(usual, usual.lines, target(PHOTOS, after="next")),
        "empty": _page(alone, ()),
        "moderated": _page(cards[1], cards[1].lines, moderates=True),
        "long": _page(long, long.lines, moderates=True),
        "failed": _page(cards[3], None),
    }


def _card_examples() -> Mapping[str, Page]:
    return {"usual": _card_page(example_cards()[0]), "long": _card_page(long_card())}


def photo_pages(comment_most: int) -> tuple[PageRoute, ...]:
    """Return the pages of one photo, with comments of up to so many characters."""
    return (
        PageRoute(
            f"{PHOTOS}/{{id}}",
            get=show_photo,
            post=partial(add_comment, comment_most),
            form=PhotoCommentForm,
            title=_("Photo"),
            params=PhotoPageQuery,
            examples=_examples,
            requires=None,
        ),
        PageRoute(
            f"{PHOTOS}/{{id}}/card",
            get=show_card,
            post=vote,
            form=PhotoVoteForm,
            title=_("Photo"),
            examples=_card_examples,
            requires=None,
        ),
        PageRoute(
            f"{ROOT}/sign-in",
            get=ask_sign_in,
            title=_("Sign in to vote or comment"),
            params=SignInQuery,
            examples=lambda: {"usual": _sign_in_page(ROOT)},
            requires=None,
        ),
    )

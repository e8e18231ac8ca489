"""The page of a person, with the photos of this person."""

from collections.abc import Mapping, Sequence

import msgspec

from bookshelf.photos.pages.example_photos import example_cards, example_profile, long_card, long_profile
from bookshelf.photos.pages.lists import ROOT
from bookshelf.photos.pages.models import GalleryPhoto, GalleryProfile, PhotoCard, card_of, person_of
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page import Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

PEOPLE = f"{ROOT}/people"
_ROWS = 12


class PersonPageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """From where on photos are shown."""

    after: str = ""


class MemberPageModel(Model):
    """A person with photos, None if they cannot be read; `own`: the caller's page."""

    profile: GalleryProfile
    cards: tuple[PhotoCard, ...] | None
    more_address: str
    own: bool


async def show_person(request: PageRequest) -> Page:
    """Show a person."""
    path = f"/people/{segment(request.path['person'])}"
    profile: GalleryProfile = (await request.api.get(path, kind=GalleryProfile)).body
    asked = target(f"{path}/photos", rows=_ROWS, after=request.query.after)
    found = await request.api.try_get(asked, kind=list[GalleryPhoto])
    own = profile.id == person_of(request.caller)
    if found is None:
        return _page(profile, None, own=own)
    more = "" if found.cursor is None else target(f"{ROOT}{path}", after=found.cursor)
    return _page(profile, [card_of(request, photo) for photo in found.body], more, own=own)


def _page(
    profile: GalleryProfile, cards: Sequence[PhotoCard] | None, more_address: str = "", *, own: bool = False
) -> Page:
    shown = None if cards is None else tuple(cards)
    model = MemberPageModel(profile=profile, cards=shown, more_address=more_address, own=own)
    return Page("person.html", model, title=profile.name)


def _examples() -> Mapping[str, Page]:
    cards = [card for card in example_cards() if card.photo.owner.id == example_profile().id]
    more = target(PEOPLE, after="next")
    return {
        "usual": _page(example_profile(), cards, more),
        "empty": _page(msgspec.structs.replace(example_profile(), avatar="", about=""), [], own=True),
        "long": _page(long_profile(), [long_card(), *cards]),
        "failed": _page(example_profile(), None),
    }


PAGES = (
    PageRoute(
        f"{PEOPLE}/{{person}}",
        get=show_person,
        title=_("Person"),
        params=PersonPageQuery,
        examples=_examples,
        requires=None,
    ),
)

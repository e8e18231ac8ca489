"""Photos and people for examples of pages: usual ones, long texts, several scripts."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from bookshelf.photos.pages.models import (
    CommentLine,
    GalleryComment,
    GalleryPerson,
    GalleryPhoto,
    GalleryProfile,
    PhotoCard,
)

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
_ANN, _BEN, _MEI = (
    GalleryPerson(id="ann", name="Ann Reader"),
    GalleryPerson(id="ben", name="Ben Okri-Lindqvist"),
    GalleryPerson(id="mei", name="林美"),
)
_FORMER = GalleryPerson(id="gone", name=None)


class _Tiny(NamedTuple):
    """A picture of a few pixels: the width and height of what it stands for, and its WebP in base64."""

    width: int
    height: int
    content: str


#: Pictures of a few pixels.
_PICTURES = (
    _Tiny(
        900,
        600,
        "UklGRkoAAABXRUJQVlA4ID4AAADQAQCdASoQAAsAA4BaJZgCdAEOtW77AAD+ZtfbEmtRW364c3vPuZ8rlSwbMZB42o"
        "th77lEdRQL7tlRUQAAAA==",
    ),
    _Tiny(
        900,
        600,
        "UklGRkIAAABXRUJQVlA4IDYAAADwAQCdASoQAAsAA4BaJYwCdADv2+DIOeAA/ZfJRhk9kTWQihQfYfqrR8DWw/dGTM"
        "L8jeaAAAA=",
    ),
    _Tiny(
        900,
        600,
        "UklGRlAAAABXRUJQVlA4IEQAAADwAQCdASoQAAsAA4BaJQBOgCKKZrYPVDAA/sB+xh0KNyMeV6EpZ+kcegyETqqlzv"
        "+U+Kjf7l5Tc9wcWcIpAh8huOXgAA==",
    ),
    _Tiny(
        900,
        600,
        "UklGRkIAAABXRUJQVlA4IDYAAADwAQCdASoQAAsAA4BaJagCdAENVevJtQAA/mbD2tByHCoQZci+gUwWBkHW7JzinO"
        "z8ZXjOQAA=",
    ),
    _Tiny(
        600,
        800,
        "UklGRlYAAABXRUJQVlA4IEoAAADQAwCdASoQABUAPu1kqU2ppaQiMAgBMB2JZwAAW4/TkXQfyBaQsAAA+M7KKNv6Hx"
        "cB194LGoqRf6eZ6bxPEQk2Y9YsMJbmvzCgAA==",
    ),
    _Tiny(
        1200,
        600,
        "UklGRkwAAABXRUJQVlA4IEAAAADQAQCdASoQAAgAA4BaJZACdAEOu0d7JAD8AZxlzVa14LbHw4kUCQDvoXgm1r4yse"
        "iI93ksBCNjNIpnBeuRAAAA",
    ),
    _Tiny(
        900,
        600,
        "UklGRkIAAABXRUJQVlA4IDYAAAAQAgCdASoQAAsAA4BaJYgCdAEPbz/DouAAAM3lVNzO7dZFP7cD8VYLGVRFcvV4IG"
        "Vt8jkzkAA=",
    ),
)
#: Title, what it shows, owner, votes up and down, the caller's, comments in all.
_PHOTOS = (
    ("Low tide", "The sun low above the sea, and its way on the water", _ANN, 128, 9, 1, 14),
    ("Five ridges", "Mountains behind mountains in the morning haze", _BEN, 87, 4, None, 2),
    ("Lights over the lake", "Green northern lights above a black shore", _MEI, 342, 12, -1, 1),
    ("Lavender", "Rows of lavender that meet at the horizon", _ANN, 45, 30, None, 0),
    ("Firs, early", "Firs in the fog, row behind row", _BEN, 5, 0, None, 0),
    ("The last ferry", "", _FORMER, 0, 0, None, 0),
    ("砂漠", "A yellow evening above the hills", _MEI, 1204, 98, 1, 0),
)
_TEXTS = (
    "I was there last summer, and never saw it like this.",
    "How long was the exposure?",
    "سبحان الله، ما أجمل هذا المشهد",
    "🌊🌊🌊",
)
_LONG = "The long way home along the coast, where the wind never rests and no boat is in a hurry " * 3


def example_cards() -> tuple[PhotoCard, ...]:
    """Return photos with their votes and comments."""
    return tuple(
        _card(number, *photo, picture=picture)
        for number, (photo, picture) in enumerate(zip(_PHOTOS, _PICTURES, strict=True))
    )


def _card(  # noqa: PLR0913, PLR0917 (what is listed above)
    number: int,
    title: str,
    description: str,
    owner: GalleryPerson,
    up: int,
    down: int,
    mine: int | None,
    comments: int,
    *,
    picture: _Tiny,
) -> PhotoCard:
    width, height, content = picture
    last = _comments(number, comments)
    photo = GalleryPhoto(
        id=f"photo-{number}",
        owner=owner,
        title=title,
        description=description,
        credit="Ann Example, CC BY 4.0" if number == 0 else "",
        added=NOW - timedelta(hours=3 * number + 2),
        width=width,
        height=height,
        placeholder=content,
        up=up,
        down=down,
        percent=100 * up // max(up + down, 1),
        mine=mine,
        comments=comments,
        last_comments=last,
        version=3,
        instead=f"data:image/webp;base64,{content}",
    )
    lines = tuple(CommentLine(one, f"{place + 2} hours ago", place == 1) for place, one in enumerate(last))
    return PhotoCard(photo, f"{3 * number + 2} hours ago", lines, owner == _ANN)


def _comments(number: int, count: int) -> tuple[GalleryComment, ...]:
    return tuple(
        GalleryComment(
            id=f"comment-{number}-{place}",
            person=(_BEN, _ANN, _FORMER, _MEI)[place],
            text=text,
            at=NOW - timedelta(hours=place + 2),
        )
        for place, text in enumerate(_TEXTS[: min(count, len(_TEXTS))])
    )


def long_card() -> PhotoCard:
    """Return a photo with the longest texts, and a word without a space."""
    owner = GalleryPerson(id="long", name="Wolfeschlegelsteinhausenbergerdorff " * 5)
    first = _card(0, _LONG[:200], _LONG * 8, owner, 1_234_567, 98_765, 1, 12_345, picture=_PICTURES[4])
    texts = ("x" * 255, _LONG[:255])
    last = tuple(
        GalleryComment(id=f"long-{place}", person=owner, text=text, at=NOW - timedelta(days=place + 2))
        for place, text in enumerate(texts)
    )
    photo = msgspec.structs.replace(first.photo, id="long", last_comments=last, credit=_LONG[:200])
    lines = tuple(CommentLine(one, f"{place + 2} days ago", removable=True) for place, one in enumerate(last))
    return PhotoCard(photo, "2 years ago", lines, own=False)


def example_profile() -> GalleryProfile:
    """Return the profile of a person with photos."""
    return GalleryProfile(
        id="ann",
        name="Ann Reader",
        about="I walk along the coast before breakfast.\nAll pictures are from the phone.",
        avatar="",
        since=NOW - timedelta(days=400),
    )


def long_profile() -> GalleryProfile:
    """Return a profile with the longest texts."""
    return GalleryProfile(
        id="long", name="Wolfeschlegelsteinhausenbergerdorff " * 5, about=_LONG * 8, avatar="", since=NOW
    )

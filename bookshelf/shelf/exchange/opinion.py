"""What the reader made of a book: read or not, when, how many stars, which words."""

from datetime import date
from typing import NamedTuple

from bookshelf.shelf.exchange import ratings
from bookshelf.shelf.exchange.format import Fields
from bookshelf.shelf.exchange.reading import Setting, finished
from bookshelf.shelf.exchange.text import cut, many_lines
from bookshelf.shelf.limits import REVIEW_MAX


class Opinion(NamedTuple):
    """Rating and review of a finished book; a shelf has no place for others'."""

    finished: bool = False
    on: date | None = None
    rating: int | None = None
    review: str | None = None


def opinion(fields: Fields, setting: Setting, notes: list[str]) -> Opinion:
    """Answer the opinion; the review of a book not read goes to its notes, a rating is lost with a note."""
    done, day = finished(fields, setting, notes)
    scale = setting.facts.scale
    rating = ratings.stars(fields["rating"][0], scale, notes) if "rating" in fields and scale else None
    if done or (setting.rated_is_read and rating):
        review = cut("review", passage("review", fields, setting), REVIEW_MAX, notes)
        return Opinion(finished=True, on=day, rating=rating, review=review or None)
    if rating:
        notes.append(f"rating {rating} left out: the book is not marked as read")
    if "review" in fields:
        notes.append("review moved to the notes: the book is not marked as read")
        fields["notes"] = ["\n\n".join([*fields.get("notes", [])[:1], fields["review"][0]])]
    return Opinion()


def passage(name: str, fields: Fields, setting: Setting) -> str:
    """Answer a field of several lines, or the empty string."""
    if name not in fields:
        return ""
    return many_lines(fields[name][0], exact=setting.form.exact, markup=setting.form.markup)

"""Tags: what a reader filed the book under, less the shelves that say its state."""

from collections.abc import Iterable

from bookshelf.shelf.exchange.states import is_shelf
from bookshelf.shelf.exchange.text import one_line, shown
from bookshelf.shelf.limits import TAG_MAX, TAGS_MAX


def choose(given: Iterable[str], notes: list[str], *, exact: bool) -> list[str]:
    """Answer the tags in order, each once, within the shelf's limits."""
    found: dict[str, None] = {}
    for value in given:
        tag = one_line(value, exact=exact)
        if not tag.strip() or (not exact and is_shelf(tag)):
            continue
        if len(tag) > TAG_MAX:
            notes.append(f"tag {shown([tag])} left out: longer than {TAG_MAX} characters")
        else:
            found[tag] = None
    if len(found) > TAGS_MAX:
        notes.append(f"{len(found) - TAGS_MAX} tags left out: a book has at most {TAGS_MAX}")
    return list(found)[:TAGS_MAX]

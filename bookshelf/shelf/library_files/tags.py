"""Tags: what a reader filed the book under, less the shelves that say its state."""

from collections.abc import Iterable
from enum import Enum

from bookshelf.shelf.library_files.format import folded
from bookshelf.shelf.library_files.text import one_line, shown
from bookshelf.shelf.limits import TAG_MAX, TAGS_MAX


def choose_tags(given: Iterable[str], notes: list[str], *, exact: bool) -> list[str]:
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


class FileState(Enum):
    """How far the reader is with a book, as far as the shelf can say."""

    FINISHED = "finished"
    UNREAD = "unread"
    STOPPED = "stopped"


_WORDS = {
    FileState.FINISHED: """read, already read, finished, completed, complete, done, have read,
        gelesen, fertig, lu, leído, leido, letto, lido, gelezen""",
    FileState.UNREAD: """unread, to read, want to read, wanttoread, toread, tbr, not started, not read,
        currently reading, currentlyreading, reading, in progress, started, owned to read,
        wishlist, wish list, paused, on hold, ungelesen, à lire, por leer, da leggere""",
    FileState.STOPPED: """did not finish, dnf, not finished, abandoned, stopped, stopped reading,
        gave up, given up, abgebrochen, abandonné""",
}
_STATES = {" ".join(word.split()): state for state, words in _WORDS.items() for word in words.split(",")}

_SHELVES = frozenset({"read", "to read", "currently reading"})
_YES = frozenset(
    {"yes", "y", "true", "t", "1", "x", "ja", "j", "oui", "si", "sí", "sim", "wahr", "vrai", "✓", "✔", "☑"}
)
_NO = frozenset({"no", "n", "false", "f", "0", "nein", "non", "nee", "não", "falsch", "faux", "✗", "☐", "-"})


def state_of(word: str) -> FileState | None:
    """Answer what the word says, or None where it is none of ours."""
    return _STATES.get(folded(word))


def is_shelf(tag: str) -> bool:
    """Tell whether the tag is one of the shelves that only repeat the state."""
    return folded(tag) in _SHELVES


def is_yes(word: str) -> bool | None:
    """Answer what a yes-or-no column says, or None where it is neither."""
    plain = word.strip().casefold()
    if plain in _YES or state_of(plain) is FileState.FINISHED:
        return True
    return False if plain in _NO or state_of(plain) is not None else None

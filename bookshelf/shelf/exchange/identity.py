"""When two books are the same one."""

import unicodedata
from collections.abc import Mapping

Identity = tuple[str, str, str, str]


def identity(book: Mapping[str, object]) -> Identity:
    """Answer what tells this book from others: title, author, isbn and published.

    Title and author are compared without regard to case, to spacing and to how
    an accent is composed; a missing isbn or published is the empty string.
    """
    return (
        _folded(book["title"]),
        _folded(book["author"]),
        str(book.get("isbn") or ""),
        str(book.get("published") or ""),
    )


def _folded(value: object) -> str:
    composed = unicodedata.normalize("NFC", str(value))
    return " ".join(composed.split()).casefold()

"""Text of a cell, cut to a limit and without control characters; and what makes two entries one book."""

import html
import re
import unicodedata
from collections.abc import Mapping, Sequence

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LINE_END = re.compile(r"\r\n?")

_BREAK = re.compile(r"\s*<(?:br|hr)\s*/?>\s*|\s*</(?:div|li|tr|h[1-6])\s*>\s*", re.IGNORECASE)
_PARAGRAPH = re.compile(r"\s*</(?:p|blockquote|ul|ol)\s*>\s*", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:a|b|i|u|s|p|em|strong|del|ins|sub|sup|small|big|tt|div|span|blockquote|ul|ol|li|hr|br"
    r"|h[1-6]|img|pre|code|q|cite|font|center|table|tbody|thead|tr|td|th|spoiler|strike)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_MANY_BREAKS = re.compile(r"\n{3,}")


def one_line(value: str, *, exact: bool) -> str:
    """Answer the value on one line; unless exact, each run of spaces becomes one."""
    if not value.isprintable():
        value = _CONTROL.sub(" ", value)
    return value if exact else " ".join(value.split())


def many_lines(value: str, *, exact: bool, markup: bool) -> str:
    """Answer the value with its lines; markup makes plain text of HTML."""
    if markup:
        value = plain(value)
    if not value.isprintable():
        value = _CONTROL_BUT_LINES.sub(" ", _LINE_END.sub("\n", value))
    return value if exact else value.strip()


def plain(value: str) -> str:
    """Answer HTML as text: breaks as line ends, other known tags gone, entities as characters.

    Only tags that exist are taken away: "a < b" and "<3" stay.
    """
    if "<" in value:
        value = _PARAGRAPH.sub("\n\n", _BREAK.sub("\n", value))
        value = _MANY_BREAKS.sub("\n\n", _TAG.sub("", value))
    return html.unescape(value)


def cut(name: str, value: str, longest: int, notes: list[str]) -> str:
    """Answer the value, cut to its limit with a note."""
    if len(value) > longest:
        notes.append(f"{name} cut: it has {len(value):,} characters, {longest:,} are kept")
        return value[:longest]
    return value


def shown(values: Sequence[str]) -> str:
    """Answer the first value short enough for a note."""
    longest = 40
    value = " ".join(values[0].split())
    return repr(value if len(value) <= longest else value[: longest - 1] + "…")


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

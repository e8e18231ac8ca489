"""Text of a cell: on one line or on many, without HTML, decoded once; and letters folded for comparison."""

import html
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

from bookshelf.cqrs.phrases import Phrase, phrase

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
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")

#: Texts whose results are remembered, and their longest: most columns repeat a few short values.
_REMEMBERED, _SHORT = 2048, 80
Result = TypeVar("Result")


def remembered(function: Callable[[str], Result]) -> Callable[[str], Result]:
    """Return the same pure function of a text, which computes results for short texts once."""
    once = lru_cache(_REMEMBERED)(function)

    @wraps(function)
    def result_of(text: str) -> Result:
        return once(text) if len(text) <= _SHORT else function(text)

    return result_of


def one_line(value: str, *, exact: bool) -> str:
    """Return the value on one line; unless `exact`, entities are decoded and runs of spaces are one space."""
    if not exact:
        value = decode_entities(value)
    if not value.isprintable():
        value = _CONTROL.sub(" ", value)
    return value if exact else " ".join(value.split())


def many_lines(value: str, *, exact: bool, markup: bool) -> str:
    """Return the value with its lines; with `markup`, HTML becomes plain text."""
    if markup:
        value = plain(value)
    elif not exact:
        value = decode_entities(value)
    if not value.isprintable():
        value = _CONTROL_BUT_LINES.sub(" ", _LINE_END.sub("\n", value))
    return value if exact else value.strip()


def plain(value: str) -> str:
    """Return HTML as text: breaks as line ends, other known tags removed, entities as characters.

    Only tags that HTML has are removed: "a < b" and "<3" stay.
    """
    if "<" in value:
        value = _PARAGRAPH.sub("\n\n", _BREAK.sub("\n", value))
        value = _MANY_BREAKS.sub("\n\n", _TAG.sub("", value))
    return decode_entities(value)


def decode_entities(value: str) -> str:
    """Return the value with its HTML entities as characters; each ends with a semicolon ("AT&T" stays)."""
    return _ENTITY.sub(lambda found: html.unescape(found[0]), value) if "&" in value else value


_TWICE = re.compile(
    "[ÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"
)


def decode_twice_encoded(value: str) -> str:
    """Return text whose UTF-8 was read as Windows-1252 and encoded again ("CafÃ©") as it was ("Café").

    Text that does not look so, or that does not decode, is returned unchanged.
    """
    if value.isascii() or not _TWICE.search(value):
        return value
    try:
        return b"".join(map(_single_byte, value)).decode()
    except UnicodeError:
        return value


def _single_byte(letter: str) -> bytes:
    try:
        return letter.encode("cp1252")
    except UnicodeEncodeError:
        return letter.encode("latin-1")


def fold_letters(value: str) -> str:
    """Return the value without case and marks, for the comparison of words."""
    if value.isascii():
        return value.casefold()
    split = unicodedata.normalize("NFKD", value.casefold())
    return "".join(letter for letter in split if not unicodedata.combining(letter))


def cut(name: Phrase, value: str, longest: int, notes: list[Phrase]) -> str:
    """Return the value, cut to `longest` characters; if it was cut, a note has the rest."""
    if len(value) > longest:
        notes.append(
            phrase(
                "{name} cut: it has {count} characters, {most} are kept; left out: {rest}",
                name=name,
                count=len(value),
                most=longest,
                rest=repr(value[longest:]),
            )
        )
        return value[:longest]
    return value


def quoted(value: str) -> str:
    """Return the whole value on one line and quoted, for a note on what was left out."""
    return repr(" ".join(value.split()))


def shown(value: str) -> str:
    """Return the value on one line, cut and quoted for a note."""
    longest = 40
    value = " ".join(value.split())
    return repr(value if len(value) <= longest else value[: longest - 1] + "…")

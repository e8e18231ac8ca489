"""Makes the keys that lists are sorted by: texts that sort by code points as people expect, and years."""

import re
from functools import lru_cache
from typing import NamedTuple

from bookshelf.shelf.search_text import fold, split_words

#: Digits of a number in a key: shorter numbers are padded, so that 9 precedes 10.
_DIGITS = 15
_NUMBER = re.compile(r"[0-9]+")
_BEFORE_THE_POINT = re.compile(r"(?<![0-9.])[0-9]+")
#: Characters of a key, and of the title behind it: an index of PostgreSQL has no longer keys than 2.6 KB.
KEY_MAX = 120

#: The leading articles of languages, by their codes and names; an article with an apostrophe has no space.
_ARTICLES = {
    "en eng english": "the a an",
    "de deu ger german deutsch": "der die das den dem des ein eine einen einem einer eines",
    "fr fra fre french francais": "le la les l' un une des",
    "es spa spanish espanol castellano": "el la los las lo un una unos unas",
    "it ita italian italiano": "il lo la i gli le l' un uno una un'",
    "pt por portuguese portugues": "o a os as um uma uns umas",
    "ca cat catalan catala": "el la els les l' un una uns unes",
    "gl glg galician galego": "o a os as un unha uns unhas",
    "ro ron rum romanian romana": "un o niste",
    "nl nld dut dutch nederlands": "de het een t n",
    "af afr afrikaans": "die n",
    "sv swe swedish svenska": "en ett den det de",
    "da dan danish dansk": "en et den det de",
    "nb nob no nor norwegian norsk bokmal": "en ei et den det de",
    "nn nno nynorsk": "ein ei eit den det dei",
    "is isl ice icelandic islenska": "hinn hin hid",
    "hu hun hungarian magyar": "a az egy",
    "el ell gre greek ellinika ελληνικα": "ο η το οι τα ενας μια ενα",  # noqa: RUF001 (Greek letters)
    "ar ara arabic العربية": "ال",
    "eo epo esperanto": "la",
}
_BY_LANGUAGE = {name: articles.split() for names, articles in _ARTICLES.items() for name in names.split()}
_ALL_ARTICLES = frozenset(article for articles in _BY_LANGUAGE.values() for article in articles)
ENGLISH = _BY_LANGUAGE["en"]
_LANGUAGE = re.compile(r"[^\W\d_]+")
#: Articles that are written together with the next word.
_JOINED = ("l'", "un'", "ال")

#: Words for years before our era, after a year or a range of years; folded.
_BEFORE_OUR_ERA = r"(?:b\.? ?c|v\. ?chr|v\. ?u\. ?z|av\. ?j|a\. ?c|p\. ?n\. ?e|до н|π\. ?χ)"
_YEAR = re.compile(
    rf"(?P<minus>(?<!\w)[-\u2212])?(?<!\d)(?P<digits>\d+)(?!\d)"
    rf"(?P<before>(?: ?[-\u2013/] ?\d+)? ?{_BEFORE_OUR_ERA})?"
)
#: A year of one or two digits is one only if nothing but words for "about" and "of our era" is beside it.
_EARLY_YEAR = re.compile(r"(?:c|ca|circa|about|um|vers|ad)?[. ~]*(\d+)[. ]*(?:ad|a\.d|ce|c\.e)?[.?]*")
_YEAR_LENGTHS = (3, 4)
_DATE_LENGTH = 8


class TitleKeys(NamedTuple):
    """The keys of a title: whole, and without its leading article, if it may have one in some language."""

    full: str
    bare: str | None = None
    article: str | None = None


def title_keys(title: str) -> TitleKeys:
    """Return the keys of a title. Which one applies depends on the articles of the book's language."""
    folded = fold(title)
    words = split_words(folded)
    full = _natural(words) or folded[:KEY_MAX]
    first = words[0] if words else ""
    if len(words) > 1 and first in _ALL_ARTICLES:
        return TitleKeys(full, _natural(words[1:]), first)
    for article in _JOINED:
        if first.startswith(article) and len(first) > len(article) + 1:
            return TitleKeys(full, _natural([first[len(article) :], *words[1:]]), article)
    return TitleKeys(full)


@lru_cache(maxsize=1024)
def articles_of(language: str | None) -> str:
    """Return the articles of a language, each between bars; those of English if it is not given."""
    name = _LANGUAGE.search(fold(language or ""))
    articles = _BY_LANGUAGE.get(name[0], ()) if name else ENGLISH
    return f"|{'|'.join(articles)}|"


@lru_cache(maxsize=4096)
def name_key(name: str | None) -> str | None:
    """Return the key of an author, a series or a text like these; None if it is unknown."""
    return _natural(split_words(fold(name))) or fold(name)[:KEY_MAX] if name else None


def series_key(name: str, number: str | None) -> str:
    """Return the key of a place in a series: 2 precedes 2.5, which precedes 10."""
    return f"{name_key(name)} {_BEFORE_THE_POINT.sub(_padded, fold(number or ''))[:KEY_MAX]}"


def year_of(published: str | None) -> int | None:
    """Return the first year in a text: negative before our era; None if there is none."""
    text = fold(published or "").strip()
    if len(text) in _YEAR_LENGTHS and text.isdecimal():
        return int(text)
    for match in _YEAR.finditer(text):
        digits = match["digits"]
        if len(digits) == _DATE_LENGTH:
            return int(digits[:4])
        if len(digits) in _YEAR_LENGTHS or (match["before"] and len(digits) < _DATE_LENGTH):
            return -int(digits) if match["minus"] or match["before"] else int(digits)
    early = _EARLY_YEAR.fullmatch(text)
    return int(early[1]) if early and len(early[1]) < min(_YEAR_LENGTHS) else None


def _natural(words: list[str]) -> str:
    key = " ".join(words).replace("'", "")
    return _NUMBER.sub(_padded, key)[:KEY_MAX]


def _padded(number: re.Match[str]) -> str:
    return number[0].zfill(_DIGITS)

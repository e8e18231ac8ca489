"""Makes the tokens of full-text search: one set of rules for the index and for queries.

A token has small letters without accents, digits and marks of scripts that need them, and no other character
but `+` and `#` at its end. So it can be stored between spaces, and every database finds the same. The letters
that have no decomposition follow Lucene's ASCIIFoldingFilter.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise

from bookshelf.cqrs.message import opened

#: Characters of a token: a longer word is several, so that every database can index it.
TOKEN_MAX = 100
#: Signs at the end of a token.
SIGNS_MAX = 4
#: Characters of the tokens of one text, and of several joined: PostgreSQL indexes less than 1 MiB of a row.
COLUMN_MAX = 100_000
JOINED_MAX = 50_000

#: Letters that Unicode does not decompose, by what people write for them on a keyboard without them.
_PLAIN_LETTERS = {
    "a": "əɐɑⱥᴀ",
    "ae": "æᴁ",
    "b": "ƀɓƃʙ",
    "c": "ƈȼɕᴄ",
    "d": "ðđɖɗƌȡᴅ",
    "e": "ɛǝɘɇɜᴇ",
    "f": "ƒꜰ",
    "g": "ɠǥɡɢ",
    "h": "ħɦⱨʜ",
    "hv": "ƕ",
    "i": "ıɨɩɪ",
    "j": "ȷɉɟʝᴊ",
    "k": "ƙⱪʞᴋ",
    "l": "łƚɫɬɭⱡȴʟ",
    "m": "ɱɯᴍ",
    "n": "ŋƞɲɳȵɴ",
    "o": "øɔɵⱺᴏ",
    "oe": "œɶ",
    "ou": "\u0223",
    "p": "ƥᵽᴘ",
    "q": "ĸɋʠ",
    "r": "ɍɽɾɼʀ",
    "s": "ȿʂꜱ",
    "t": "ŧƭʈⱦƫȶᴛ",
    "th": "þ",
    "u": "ʉᴜ",
    "v": "ʋⱱʌᴠ",
    "w": "ƿⱳᴡ",
    "y": "ƴɏʏ",
    "z": "ƶȥʒʐɀⱬᴢ",
}
_PLAIN = str.maketrans({letter: plain for plain, letters in _PLAIN_LETTERS.items() for letter in letters})

#: Marks of Latin, Greek, Cyrillic, Hebrew and Arabic letters, the Arabic tatweel, and characters without a
#: width. Marks of Japanese and Indic letters are not among them: there they make another letter.
_REMOVED = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640"
    "\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u08d3-\u08ff\u1ab0-\u1aff"
    "\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f\u00ad\u180b-\u180f\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff]+"
)
#: What stands for an apostrophe inside a word, in Hebrew too; and what stands for a hyphen in an ISBN.
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u201b\u02b9\u02bb\u02bc\u00b4\u05f3\u05f4", "'"))
_HYPHENS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))
_NEITHER_WORD_NOR_ASCII = re.compile(r"[^\w\x00-\x7f]+")
#: Parts joined by apostrophes, and the signs after the last of them.
_WORD = re.compile(r"[0-9a-z\x80-\U0010ffff]+(?:'[0-9a-z\x80-\U0010ffff]+)*[+#]*")
_SIGNIFICANT = re.compile(r"'|(?<=[A-Za-z])[+#]")
#: Makes small letters, and spaces of all that is neither a letter nor a digit.
_ASCII_WORDS = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
_AT_MOST = re.compile(rf".{{1,{TOKEN_MAX}}}")
#: Letters of scripts that put no space between words, or none that readers rely on: Thai and Lao; Burmese and
#: Hangul; Khmer; Kangxi radicals; Kana, Bopomofo and Han.
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3035\u3040-\u312f"
    "\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\ua9e0-\ua9ff\uaa60-\uaa7f\uac00-\ud7ff"
    "\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff]+)"
)

_ISBN = r"(?:97[89]-?)?[0-9](?:-?[0-9]){8}-?[0-9x]"
_ISBN_IN_QUERY = re.compile(rf"(?<![\w-]){_ISBN}(?![\w-])")
_SPACED_ISBN = re.compile(_ISBN.replace("-?", "[- ]?"))
_ISBN_10, _ISBN_13 = re.compile(r"([0-9]{9})[0-9x]"), re.compile(r"978([0-9]{9})[0-9x]")

#: One word of a query. A book has it if each token of one alternative is, or begins, a token of the book.
Term = tuple[tuple[str, ...], ...]


def fold(text: str) -> str:
    """Return a text in small letters, without accents and in compatible forms, with its punctuation."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES))
    text = _REMOVED.sub("", text).casefold().translate(_PLAIN)
    return unicodedata.normalize("NFC", text)


def split_words(folded: str) -> list[str]:
    """Return the words of a folded text: with the apostrophes inside them and the signs behind them."""
    if not folded.isascii():
        folded = _NEITHER_WORD_NOR_ASCII.sub(_keep_marks, folded)
    return _WORD.findall(folded)


def join_tokens(texts: Iterable[str | None]) -> str:
    """Return the tokens of a column's texts for the index, each once, separated by spaces."""
    tokens: dict[str, None] = {}
    for text in texts:
        if text:
            tokens.update(dict.fromkeys(_index_tokens(opened(text))))
    joined = " ".join(tokens)
    return joined if len(joined) <= COLUMN_MAX else joined[:COLUMN_MAX].rpartition(" ")[0]


def isbn_forms(isbn: str | None) -> Iterator[str]:
    """Yield the 10 and the 13 digits of an ISBN, without hyphens, as far as it has both."""
    digits = (isbn or "").replace("-", "").replace(" ", "").lower()
    if digits:
        yield digits
    if (match := _ISBN_10.fullmatch(digits)) is not None:
        yield _with_check_digit_13(match[1])
    elif (match := _ISBN_13.fullmatch(digits)) is not None:
        yield _with_check_digit_10(match[1])


def query_terms(query: str) -> list[Term]:
    """Return the words of a query; none if it has no letter and no digit."""
    folded = fold(query.strip()).translate(_HYPHENS)
    if _SPACED_ISBN.fullmatch(folded):
        folded = folded.replace(" ", "")
    isbns = [isbn.replace("-", "") for isbn in _ISBN_IN_QUERY.findall(folded)]
    terms: dict[Term, None] = {((isbn,),): None for isbn in isbns}
    for word in split_words(_ISBN_IN_QUERY.sub(" ", folded)):
        parts, joined = _parts(word)
        alternatives = [tuple(token for part in parts for token in _query_tokens(part))]
        if len(parts) > 1:
            alternatives.append(tuple(_query_tokens(joined)))
        terms[tuple(alternatives)] = None
    return list(terms)


def has_terms(text: str, terms: Iterable[Term]) -> bool:
    """Return True if a text has every word of a query, whole or as a beginning."""
    tokens = tuple(_index_tokens(text))
    return all(
        any(all(any(token.startswith(part) for token in tokens) for part in parts) for parts in term)
        for term in terms
    )


def _keep_marks(match: re.Match[str]) -> str:
    return "".join(char if unicodedata.category(char).startswith("M") else " " for char in match[0])


def _parts(word: str) -> tuple[list[str], str]:
    """Return a word's parts between apostrophes, and the whole without them; the last has the signs."""
    return word.split("'"), word.replace("'", "")


def _index_tokens(text: str) -> Iterable[str]:
    if text.isascii() and len(text) <= TOKEN_MAX and not _SIGNIFICANT.search(text):
        return text.translate(_ASCII_WORDS).split()  # most texts, at a third of the cost
    return chain.from_iterable(map(_word_tokens, split_words(fold(text))))


def _word_tokens(word: str) -> Iterator[str]:
    parts, joined = _parts(word)
    for part in parts if len(parts) == 1 else (*parts, joined):
        for letters, signs, unspaced in _runs(part):
            if unspaced:
                yield from _pairs(letters)
                yield letters[-1]
            else:
                yield from _AT_MOST.findall(letters)
                if signs:
                    yield letters[-TOKEN_MAX:] + signs


def _query_tokens(part: str) -> Iterator[str]:
    for letters, signs, unspaced in _runs(part):
        if signs:
            yield letters[-TOKEN_MAX:] + signs
        elif unspaced:
            yield from _pairs(letters) if len(letters) > 1 else letters
        else:
            yield from _AT_MOST.findall(letters)


def _runs(part: str) -> Iterator[tuple[str, str, bool]]:
    """Yield the runs of one kind of script: letters and digits, signs behind a letter, True if unspaced."""
    letters = part.rstrip("+#")
    signs = part[len(letters) : len(letters) + SIGNS_MAX]
    runs = _UNSPACED.split(letters)
    for place, run in enumerate(runs):
        if run:
            unspaced = place % 2 == 1
            signed = place == len(runs) - 1 and not unspaced and run[-1].isalpha()
            yield run, signs if signed else "", unspaced


def _pairs(letters: str) -> Iterator[str]:
    return map("".join, pairwise(letters))


def _with_check_digit_13(digits: str) -> str:
    odd, even = sum(map(int, digits[1::2])), sum(map(int, digits[::2]))
    return f"978{digits}{-(38 + odd + 3 * even) % 10}"  # 9 + 3 * 7 + 8 is 38


def _with_check_digit_10(digits: str) -> str:
    check = -sum(place * int(digit) for place, digit in zip(range(10, 1, -1), digits, strict=True)) % 11
    return digits + "0123456789x"[check]

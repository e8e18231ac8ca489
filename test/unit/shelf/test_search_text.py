"""Search tokens: the same rules for the index and for queries, for the letters of all scripts."""

import csv
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookshelf.shelf.search_text import (
    COLUMN_MAX,
    TOKEN_MAX,
    fold,
    has_terms,
    isbn_forms,
    join_tokens,
    query_terms,
)

CASES = Path(__file__).parents[2] / "fixtures" / "libraries" / "cases"
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=60)

#: Letters without a decomposition: by the letter in their Unicode name, and those whose name has none.
STROKED = "øłđħŧƀƃƈȼƌɖɗȡƒɠǥɦⱨɨɉɟʝƙⱪʞƚɫɬɭⱡȴɱƞɲɳȵɵⱺƥᵽɋʠɍɽɾɼȿʂƭʈⱦƫȶʉʋⱱⱳƴɏƶȥʐɀⱬɓɕɇ"
_NAMED = (
    "æ=ae œ=oe ß=ss þ=th ð=d ı=i ŋ=n ĸ=q ə=a ɛ=e ɔ=o ƿ=w ƕ=hv ȷ=j ǝ=e ɐ=a ɑ=a ʒ=z ſ=s ɡ=g ɪ=i ʌ=v ɯ=m "  # noqa: RUF001 (letters)
    "\u0223=ou ɘ=e ɜ=e ɶ=oe ᴁ=ae ᴀ=a ʙ=b ᴄ=c ᴅ=d ᴇ=e ꜰ=f ɢ=g ʜ=h ᴊ=j ᴋ=k ʟ=l ᴍ=m ɴ=n ᴏ=o ᴘ=p ʀ=r ꜱ=s "  # noqa: RUF001 (letters)
    "ᴛ=t ᴜ=u ᴠ=v ᴡ=w ʏ=y ᴢ=z"  # noqa: RUF001 (letters)
)
NAMED = dict(pair.split("=") for pair in _NAMED.split())


def plain_letter(letter: str) -> str:
    """The letter that the Unicode name has: LATIN SMALL LETTER O WITH STROKE."""
    words = unicodedata.name(letter).removeprefix("LATIN SMALL LETTER ").split()
    return next(word for word in words if len(word) == 1).lower()


@pytest.mark.parametrize("letter", STROKED, ids=unicodedata.name)
def test_a_letter_with_a_stroke_or_a_hook_is_found_by_the_plain_letter(letter: str) -> None:
    for form in (letter, letter.upper()):
        assert fold(form) == plain_letter(letter)


@pytest.mark.parametrize("letter", NAMED, ids=unicodedata.name)
def test_a_letter_of_its_own_is_found_by_what_people_write_for_it(letter: str) -> None:
    for form in (letter, letter.upper()):
        assert fold(form) == NAMED[letter]


def test_every_letter_with_accents_in_latin_and_greek_folds_to_the_letter_alone() -> None:
    for code in (*range(0xC0, 0x250), *range(0x386, 0x3CF), *range(0x1E00, 0x2000)):
        decomposed = unicodedata.normalize("NFD", chr(code))
        if len(decomposed) > 1 and decomposed[0].isalpha():
            assert fold(chr(code)) == fold(decomposed[0])


TOKENS = {
    "Dune": "dune",
    "Harry Potter (#1)": "harry potter 1",
    "L'Été à Ålesund": "l ete lete a alesund",
    "O\u2019Harn": "o harn oharn",
    "rock'n'roll": "rock n roll rocknroll",
    "C++ and C#, F#": "c c++ and c# f f#",
    "3+4": "3 4",
    "naïve_art": "naive art",
    "co\u00adoperate": "cooperate",
    "Σοφία ΣΑΣ": "σοφια σασ",  # noqa: RUF001 (Greek)
    "Йордан Чёрный": "иордан черныи",
    "קְרִיאָה צה״ל": "קריאה צה ל צהל",
    "كِتَـاب": "كتاب",
    "हिन्दी": "हिन्दी",
    "がぎ": "がぎ ぎ",
    "\uff76\uff9e": "ガ",
    "山中旧信": "山中 中旧 旧信 信",
    "村上春樹1Q84": "村上 上春 春樹 樹 1q84",
    "日本語C++": "日本 本語 語 c c++",
    "한국의": "한국 국의 의",
    "ไทย": "ไท ทย ย",
    "ລາວ": "ລາ າວ ວ",
    "ខ្មែរ": "ខ្ ្ម មែ ែរ រ",
    "မြန်": "မြ ြန န် ်",
    "Ⅳ ½ ﬁ": "iv 1 2 fi",
    "!?": "",
}


@pytest.mark.parametrize("text", TOKENS)
def test_a_text_is_indexed_by_these_tokens(text: str) -> None:
    expected = TOKENS[text].split()
    assert sorted(join_tokens([text]).split()) == sorted(expected)


def finds(query: str, *texts: str | None) -> bool:
    """Whether a search for the query finds a book with these texts, as every database does it."""
    terms = query_terms(query)
    return bool(terms) and has_terms(join_tokens(texts), terms)


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("harn", "O'Harn", True),
        ("oharn", "O'Harn", True),
        ("o'harn", "O'Harn", True),
        ("o\u2019harn", "OHarn", True),
        ("o'harn", "Harn", False),
        ("c++", "The C++ book", True),
        ("c++", "The C book", False),
        ("c#", "C++ and C", False),
        ("c", "The C++ book", True),
        ("中", "山中旧信", True),
        ("信", "山中旧信", True),
        ("旧信", "山中旧信", True),
        ("山旧", "山中旧信", False),
        ("手紙", "雪の手紙と猫", True),
        ("猫", "雪の手紙と猫", True),
        ("나다", "가나다라 이야기", True),
        ("이야기", "가나다라 이야기", True),
        ("lodz", "Łódź", True),
        ("łódź", "Lodz", True),
        ("strasse", "Straße", True),
        ("dun herbert", "Herbert's Dune", True),
        ("une", "Dune", False),
        ("&", "Dune", False),
        ("", "Dune", False),
    ],
)
def test_a_query_finds_words_beginnings_and_parts(query: str, text: str, found: bool) -> None:  # noqa: FBT001
    assert finds(query, text) is found


@pytest.mark.parametrize(
    "query", ["9780306406157", "978-0-306-40615-7", "978 0 306 40615 7", "0306406152", "0-306-40615-2"]
)
def test_an_isbn_is_found_in_both_lengths_with_and_without_hyphens(query: str) -> None:
    with (CASES / "isbn-search.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            assert finds(query, row["Title"], *isbn_forms(row["ISBN"]))
    assert not finds(query, "Another", *isbn_forms("080442957X"))


def test_an_isbn_has_the_check_digit_of_each_form() -> None:
    assert list(isbn_forms("080442957X")) == ["080442957x", "9780804429573"]
    assert list(isbn_forms("978-0-8044-2957-3")) == ["9780804429573", "080442957x"]
    assert list(isbn_forms("979-10-90636-07-1")) == ["9791090636071"]
    assert list(isbn_forms(None)) == []


def test_other_words_of_a_query_stand_beside_an_isbn() -> None:
    assert finds("foxes 0-306-40615-2", "Paper Foxes", *isbn_forms("978-0-306-40615-7"))
    assert not finds("hares 0-306-40615-2", "Paper Foxes", *isbn_forms("978-0-306-40615-7"))


def test_any_part_of_a_title_without_spaces_is_found() -> None:
    with (CASES / "cjk-titles.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for word in (*row["Title"].split(), row["Author"]):
                parts = {word[a:b] for a in range(len(word)) for b in range(a + 1, len(word) + 1)}
                assert all(finds(part, row["Title"], row["Author"]) for part in parts)


@given(texts)
def test_every_text_finds_itself_however_its_letters_are_composed(text: str) -> None:
    if not query_terms(text):
        assert join_tokens([text]) == ""
        return
    assert finds(text, text)
    assert finds(unicodedata.normalize("NFD", text), unicodedata.normalize("NFC", text))


@given(texts)
def test_a_token_has_letters_digits_and_marks_and_signs_only_at_its_end(text: str) -> None:
    for token in join_tokens([text]).split(" "):
        bare = token.rstrip("+#")
        assert all(char.isalnum() or unicodedata.category(char)[0] == "M" for char in bare)
        assert len(bare) <= TOKEN_MAX
        assert bare == bare.lower() or not bare.isascii()


def test_a_long_word_is_several_tokens_and_is_found_whole() -> None:
    word = "x" * 250
    assert [len(token) for token in join_tokens([word]).split()] == [TOKEN_MAX, 50]
    assert finds(word, word)


def test_the_tokens_of_a_column_are_bounded() -> None:
    tokens = join_tokens([" ".join(f"w{number}" for number in range(100_000))])
    assert COLUMN_MAX - 10 < len(tokens) <= COLUMN_MAX
    assert tokens.endswith(" w" + tokens.rpartition(" w")[2])

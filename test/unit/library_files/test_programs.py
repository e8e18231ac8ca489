"""What is particular about the files of each program, beyond the cases."""

import json
from pathlib import Path

import pytest
from unit.library_files.files import library, only, refusals, texts, whole

from bookshelf.shelf.library_files import NotALibrary
from bookshelf.shelf.values import Contributor, SeriesEntry

GOODREADS = "Book Id,Title,Author,Exclusive Shelf,Bookshelves,Additional Authors,Author l-f"


@pytest.mark.parametrize(
    ("title", "plain", "series"),
    [
        ("Tides (Salt, #2.5)", "Tides", [SeriesEntry("Salt", "2.5")]),
        ("Tides (Salt #3)", "Tides", [SeriesEntry("Salt", "3")]),
        ("Tides (Salt, #1; Sea, #4)", "Tides", [SeriesEntry("Salt", "1"), SeriesEntry("Sea", "4")]),
        ("Tides (A Novel)", "Tides (A Novel)", []),
    ],
)
def test_goodreads_has_series_in_titles(
    tmp_path: Path, title: str, plain: str, series: list[SeriesEntry]
) -> None:
    book = only(library(tmp_path, f'{GOODREADS}\n1,"{title}",Ann Lee,read,,,\n')).entry.book
    assert (book.title, list(book.series)) == (plain, series)


def test_goodreads_has_a_name_to_sort_by_and_additional_authors(tmp_path: Path) -> None:
    row = '1,Tides,Ann Lee,read,,"Bo Ek, Cy Fu","Lee, Ann"'
    assert only(library(tmp_path, f"{GOODREADS}\n{row}\n")).entry.book.contributors == (
        Contributor("Ann Lee", sort="Lee, Ann"),
        Contributor("Bo Ek"),
        Contributor("Cy Fu"),
    )


def test_storygraph_has_contributors_with_roles(tmp_path: Path) -> None:
    header = "Title,Authors,Contributors,ISBN/UID,Read Status,Moods"
    row = 'Tides,"Ann Lee, Bo Ek","Cy Fu (Narrator), Di Go (Translator)",,read,"dark, funny"'
    book = only(library(tmp_path, f"{header}\n{row}\n")).entry.book
    assert [(person.name, person.role) for person in book.contributors] == [
        ("Ann Lee", "author"),
        ("Bo Ek", "author"),
        ("Cy Fu", "narrator"),
        ("Di Go", "translator"),
    ]
    assert (book.author, book.extra) == ("Ann Lee, Bo Ek", {"StoryGraph: Moods": "dark, funny"})


def test_jelu_has_lists_of_dates(tmp_path: Path) -> None:
    header = "Title,Author,Date Read,Shelves,read_dates,tags,authors,owned,dropped_dates,currently_reading"
    dates = '2024/05/01,currently-reading,"2022/01/05,2023/02/06"'
    row = f'Tides,Ann Lee,{dates},"sea, salt","Ann Lee,Bo Ek",true,2021/03/04,2024/05/01'
    found = library(tmp_path, f"{header}\n{row}\n")
    entry = only(found).entry
    assert found.form == "Jelu"
    assert [(reading.started, reading.ended, reading.end) for reading in entry.readings] == [
        (None, "2021-03-04", "abandoned"),
        (None, "2022-01-05", "finished"),
        (None, "2023-02-06", "finished"),
        ("2024-05-01", None, "open"),
    ]
    assert (entry.book.author, entry.book.tags, entry.book.copies) == ("Ann Lee, Bo Ek", ("sea", "salt"), 1)


def test_librarything_json_is_an_object_of_objects(tmp_path: Path) -> None:
    book = {
        "books_id": "7001",
        "title": "Tin Lamps",
        "primaryauthor": "Moor, Anna",
        "authors": [{"lf": "Moor, Anna", "fl": "Anna Moor"}],
        "collections": ["Your library", "Favorites"],
        "tags": ["tin", "lamps"],
        "isbn": {"0": "0306406152", "2": "9780306406157"},
        "rating": 4.5,
        "dateread": ["2020-03-04"],
        "pages": "212 ",
        "volumes": "1 {a}",
    }
    found = library(tmp_path, json.dumps({"7001": book, "7002": {"books_id": "7002"}}, indent=1))
    assert (found.form, found.rows) == ("LibraryThing JSON", 2)
    (entry,) = [entry for entry in found if entry not in refusals(found)]
    assert not hasattr(entry, "reason")
    assert entry.line == 2
    assert [str(refusal.reason) for refusal in refusals(found)] == ["the title is blank: fill it in"]
    only_lamps = whole(library(tmp_path, json.dumps({"7001": book})))["Tin Lamps"]
    assert only_lamps.book.contributors == (Contributor("Anna Moor", sort="Moor, Anna"),)
    assert (only_lamps.book.isbn, only_lamps.book.tags, only_lamps.book.pages) == (
        "9780306406157",
        ("tin", "lamps"),
        212,
    )
    assert [(reading.ended, reading.stars) for reading in only_lamps.readings] == [("2020-03-04", 4.5)]
    assert only_lamps.book.extra["LibraryThing JSON: authors"] == "Anna Moor"


def test_an_array_of_objects_is_read_object_by_object(tmp_path: Path) -> None:
    books = [{"title": f"T{number}", "author": 'a ["}{\\ b', "pages": number} for number in range(1, 40)]
    found = library(tmp_path, json.dumps(books, indent=2, ensure_ascii=False))
    assert found.rows == 39
    assert [entry.book.pages for entry in whole(found).values()] == list(range(1, 40))


def test_an_isbn_alone_is_enough_in_a_table(tmp_path: Path) -> None:
    found = whole(library(tmp_path, "isbn,date read\n9780306406157,2024-01-02\n"))
    assert found["ISBN 9780306406157"].readings[0].ended == "2024-01-02"


@pytest.mark.parametrize(
    "content", ["My books\n\nTitle,Author\nEmma,Jane Austen\n", "Title|Author\nEmma|Jane Austen\n"]
)
def test_the_header_may_be_a_later_line_and_bars_may_separate(tmp_path: Path, content: str) -> None:
    assert only(library(tmp_path, content)).book == {"title": "Emma", "author": "Jane Austen"}


def test_a_quote_after_a_backslash_is_accepted_if_no_other_reading_works(tmp_path: Path) -> None:
    content = 'title,author,notes\n"The \\"Best\\" Book",Ann Lee,"a, \\"b\\""\nKim,Bo Ek,x\n'
    found = whole(library(tmp_path, content))
    assert [(entry.book.title, entry.book.notes) for entry in found.values()] == [
        ('The "Best" Book', 'a, "b"'),
        ("Kim", "x"),
    ]


def test_columns_of_one_kind_are_joined(tmp_path: Path) -> None:
    header = "title,author,tags,genre,notes,private notes,year,release year"
    book = only(library(tmp_path, f'{header}\nEmma,J A,"a, b","b, c",one,two,1815,1816\n')).entry.book
    assert (book.tags, book.notes) == (("a", "b", "c"), "one\n\ntwo")
    assert (book.published, book.extra) == ("1815", {"CSV: release year": "1816"})


def test_a_column_that_no_rule_knows_is_kept_by_its_name(tmp_path: Path) -> None:
    found = library(tmp_path, "title,author,Average Rating,Colour\nEmma,J A,3.9,green\nKim,R K,,\n")
    assert whole(found)["Emma"].book.extra == {"CSV: Colour": "green"}
    assert [(use.name, use.field, use.values) for use in found.columns] == [
        ("title", "title", 2),
        ("author", "author", 2),
        ("Average Rating", "ignored", 1),
        ("Colour", "extra", 1),
    ]
    assert texts(found.remarks) == ("columns left out: Average Rating",)


def test_the_user_can_choose_the_field_of_a_column(tmp_path: Path) -> None:
    content = "title,author,Colour,Average Rating\nEmma,J A,green,4\n"
    found = library(
        tmp_path, content, columns={"Colour": "tags", "Average Rating": "rating", "author": "ignored"}
    )
    entry = only(found).entry
    assert (entry.book.tags, entry.book.author, entry.readings[0].stars) == (("green",), "", 4)


def test_text_that_looks_encoded_twice_is_reported_and_repaired_on_request(tmp_path: Path) -> None:
    content = "title,author\nCafÃ© Noir,Zoë Lem\n"
    found = library(tmp_path, content)
    assert only(found).book["title"] == "CafÃ© Noir"
    assert texts(found.remarks) == (
        "1 values look encoded twice, such as 'CafÃ© Noir' for 'Café Noir'; --repair-encoding repairs them",
    )
    assert only(library(tmp_path, content, repair_encoding=True)).book == {
        "title": "Café Noir",
        "author": "Zoë Lem",
    }


def test_the_user_can_choose_the_encoding(tmp_path: Path) -> None:
    content = "title,author\nŠkola,Jiří Žák\n".encode("cp1250")
    assert only(library(tmp_path, content, encoding="cp1250")).book["author"] == "Jiří Žák"
    with pytest.raises(NotALibrary, match="is not encoded as utf-8: choose another for --encoding"):
        library(tmp_path, content, encoding="utf-8")
    with pytest.raises(NotALibrary, match="utf-9 is no encoding"):
        library(tmp_path, content, encoding="utf-9")


PAGES = {
    "cp1250": "Příběh žluťoučkého koně;Jiří Dvořák\nŽába a dům;Božena Němcová",
    "cp1251": "Зимняя дорога;Анна Белова\nСоль и мёд;Пётр Лосев",
    "koi8-r": "Зимняя дорога;Анна Белова\nСоль и мёд;Пётр Лосев",
    "cp866": "Зимняя дорога;Анна Белова\nСоль и мёд;Пётр Лосев",
    "cp1252": "Die Größe;Jörg Müller\nÜber Äpfel;Äonen",
    "mac-roman": "L'été à Orléans;Hélène Dupré\nÇa va;Noël",
    "cp1253": "Ο χειμωνιάτικος δρόμος;Νίκος Καζαντζάκης\nΗ θάλασσα;Άννα",
    "cp1254": "İstanbul'da kış günü;Ayşe Güneş\nŞeker ağacının altında;Oğuz Çelik",
    "cp1255": "דרך החורף;דוד כהן\nהים;שרה לוי",
    "cp1256": "طريق الشتاء;أحمد علي\nالبحر;سارة",
    "cp1257": "Žiemos kelias;Jonas Šimkus\nĄžuolas;Ėdis",
    "cp874": "ถนนฤดูหนาว;สมชาย\nทะเลสีคราม;มานี",
    "cp932": "雪の手紙と猫;山田花子\n海の本;鈴木",
    "gb18030": "山中旧信;林晓\n河边的灯;王一",
    "big5hkscs": "山中舊信;林曉\n河邊的燈;王一",
    "cp949": "겨울 길;김하나\n바다 책;이둘",
}


@pytest.mark.parametrize("page", PAGES)
def test_code_pages_of_spreadsheets_are_detected(tmp_path: Path, page: str) -> None:
    found = whole(library(tmp_path, f"Title;Author\n{PAGES[page]}\n".encode(page)))
    assert [f"{entry.book.title};{entry.book.author}" for entry in found.values()] == PAGES[page].splitlines()


def test_a_start_that_the_state_leaves_no_reading_for_is_named(tmp_path: Path) -> None:
    entry = only(library(tmp_path, "title,author,status,start date\nEmma,J A,To read,2024-01-01\n")).entry
    assert (entry.readings, entry.up_next) == ((), True)
    assert texts(entry.warnings) == ("started 2024-01-01 left out: the state leaves no reading for it",)


@pytest.mark.parametrize("status", ["Owned", "Read, owned", "Unread (owned)"])
def test_owning_a_book_is_no_state_but_a_copy(tmp_path: Path, status: str) -> None:
    entry = only(library(tmp_path, f'title,author,status\nEmma,J A,"{status}"\n')).entry
    assert (entry.book.copies, entry.lists, entry.warnings) == (1, (), ())


def test_note_is_a_rating_in_a_french_table(tmp_path: Path) -> None:
    french = only(library(tmp_path, "Titre,Auteur,Note,Étagères\nÉté,Anne,8/10,mer\n")).entry
    assert (french.readings[0].stars, french.book.notes, french.book.tags) == (4, None, ("mer",))
    english = only(library(tmp_path, "Title,Author,Note\nSummer,Anne,8/10\n")).entry
    assert (english.readings, english.book.notes) == ((), "8/10")

from datetime import date
from pathlib import Path

import pytest
from unit.library_files.files import entries, fixture, library, only, texts

from bookshelf.shelf.values import SeriesEntry


def test_columns_are_found_in_any_order_case_and_spelling() -> None:
    pride = entries(fixture("shuffled.csv"))["Pride and Prejudice"]
    assert pride.book == {
        "title": "Pride and Prejudice",
        "author": "Jane Austen",
        "published": "1813",
        "isbn": "9780141439518",
        "pages": 432,
        "tags": ["love", "england"],
    }
    assert (pride.finished_on, pride.rating) == (date(2023, 12, 25), 5)


def test_one_date_past_the_twelfth_decides_day_and_month_in_the_whole_file() -> None:
    odyssey = entries(fixture("shuffled.csv"))["The Odyssey"]
    assert odyssey.finished_on == date(2024, 2, 3)


def test_numbers_that_a_spreadsheet_has_changed_are_corrected() -> None:
    frankenstein = entries(fixture("shuffled.csv"))["Frankenstein"]
    assert (frankenstein.book["published"], frankenstein.book["isbn"]) == ("1818", "0141439475")


def test_what_cannot_be_kept_is_left_out_with_a_note() -> None:
    odyssey = entries(fixture("shuffled.csv"))["The Odyssey"]
    assert "isbn" not in odyssey.book
    assert odyssey.notes == ("isbn '12' left out: not an ISBN",)


@pytest.mark.parametrize(
    "header",
    ["Title,Author", "book_title,WRITER", "Name;Authors", "Author(s)\tTITLE", "titre;auteur", "Título,Autor"],
)
def test_two_columns_are_enough(tmp_path: Path, header: str) -> None:
    mark = next(mark for mark in ",;\t" if mark in header)
    cells = {"title": "Emma", "author": "Jane Austen"}
    first_is_author = header.lower().startswith("author")
    row = mark.join([cells["author"], cells["title"]] if first_is_author else cells.values())
    assert only(library(tmp_path, f"{header}\n{row}\n")).book == cells


def test_the_better_named_column_wins_whatever_the_order(tmp_path: Path) -> None:
    content = "rating,my rating,state,title,author\n3.8,5,read,Emma,Jane Austen\n"
    assert only(library(tmp_path, content)).rating == 5


def test_a_column_of_averages_is_no_readers_rating(tmp_path: Path) -> None:
    found = library(tmp_path, "title,author,rating\nEmma,Jane Austen,4.00\nKim,Rudyard Kipling,3.71\n")
    assert [(entry.finished, entry.rating) for entry in entries(found).values()] == [(False, None)] * 2
    assert texts(found.remarks) == (
        "the rating column was left out: it holds averages, no reader's own stars",
    )


def test_few_ratings_above_the_others_scale_are_left_out(tmp_path: Path) -> None:
    for odd in ("11", "50", "400"):
        found = library(
            tmp_path, f"title,author,rating,read\nEmma,J A,4,yes\nKim,R K,3,yes\nIt,S K,{odd},yes\n"
        )
        books = entries(found)
        assert [books[title].rating for title in ("Emma", "Kim", "It")] == [4, 3, None]
        assert books["It"].notes == (f"rating '{odd}' left out: not a number of stars from 0.25 to 5",)


def test_one_rating_above_five_among_very_many_is_left_out(tmp_path: Path) -> None:
    rows = "".join(f"Book {number},J A,4,yes\n" for number in range(30))
    found = entries(library(tmp_path, f"title,author,rating,read\nKim,R K,6,yes\n{rows}"))
    assert (found["Book 1"].rating, found["Kim"].rating) == (4, None)


def test_ratings_out_of_a_hundred_may_have_low_ones_among_them(tmp_path: Path) -> None:
    found = entries(
        library(tmp_path, "title,author,rating,read\nEmma,J A,5,yes\nKim,R K,80,yes\nIt,S K,60,yes\n")
    )
    assert [found[title].rating for title in ("Emma", "Kim", "It")] == [0.25, 4, 3]


def test_ratings_out_of_ten_are_halved_in_the_whole_file(tmp_path: Path) -> None:
    found = entries(library(tmp_path, "title,author,rating,read\nEmma,J A,4,yes\nKim,R K,9,yes\n"))
    assert (found["Emma"].rating, found["Kim"].rating) == (2, 4.5)


def test_a_rated_book_counts_as_read_without_another_state(tmp_path: Path) -> None:
    found = library(tmp_path, "title,author,rating\nEmma,Jane Austen,4\nKim,Rudyard Kipling,\n")
    assert [(entry.finished, entry.rating) for entry in entries(found).values()] == [(True, 4), (False, None)]
    assert texts(found.remarks) == (
        "the file does not have which books are read: those with a rating count as read",
    )


def test_a_rating_of_an_unread_book_is_one_of_the_book_where_the_file_states_what_is_read(
    tmp_path: Path,
) -> None:
    emma = only(library(tmp_path, "title,author,rating,read\nEmma,Jane Austen,4,no\n"))
    assert (emma.finished, emma.rating) == (False, None)
    assert (emma.entry.stars, emma.notes) == (4, ())


@pytest.mark.parametrize("word", ["yes", "TRUE", "1", "x", "ja", "✓", "read"])
def test_a_yes_in_the_read_column_is_finished(tmp_path: Path, word: str) -> None:
    emma = only(library(tmp_path, f"title,author,read\nEmma,Jane Austen,{word}\n"))
    assert (emma.finished, emma.finished_on, emma.notes) == (True, None, ())


@pytest.mark.parametrize("word", ["no", "False", "0", "", "-", "to-read"])
def test_a_no_in_the_read_column_is_unread(tmp_path: Path, word: str) -> None:
    emma = only(library(tmp_path, f"title,author,read\nEmma,Jane Austen,{word}\n"))
    assert (emma.finished, emma.notes) == (False, ())


def test_a_date_in_the_read_column_is_the_day(tmp_path: Path) -> None:
    emma = only(library(tmp_path, "title,author,read\nEmma,Jane Austen,2024-03-01\n"))
    assert emma.finished_on == date(2024, 3, 1)


def test_neither_yes_nor_no_is_noted(tmp_path: Path) -> None:
    emma = only(library(tmp_path, "title,author,read\nEmma,Jane Austen,perhaps\n"))
    assert (emma.finished, emma.notes) == (False, ("'perhaps' left out: neither yes nor no",))


@pytest.mark.parametrize(
    ("word", "finished"),
    [("Read", True), ("FINISHED", True), ("to_read", False), ("Currently-Reading", False), ("unread", False)],
)
def test_a_state_is_understood_however_it_is_spelt(tmp_path: Path, word: str, *, finished: bool) -> None:
    emma = only(library(tmp_path, f"title,author,status\nEmma,Jane Austen,{word}\n"))
    assert (emma.finished, emma.notes) == (finished, ())


def test_a_shelf_among_the_tags_is_the_state_if_no_column_is(tmp_path: Path) -> None:
    emma = only(library(tmp_path, 'title,author,bookshelves\nEmma,Jane Austen,"read, comedy"\n'))
    assert (emma.finished, emma.book["tags"]) == (True, ["comedy"])


def test_a_future_or_unreadable_day_leaves_the_book_finished_on_no_day(tmp_path: Path) -> None:
    content = "title,author,date read\nEmma,Jane Austen,2031-01-01\nKim,Rudyard Kipling,last summer\n"
    found = entries(library(tmp_path, content))
    assert all(entry.finished and entry.finished_on is None for entry in found.values())
    assert found["Emma"].notes == ("read, but on no known day: '2031-01-01' lies in the future",)
    assert found["Kim"].notes == ("read, but on no known day: 'last summer' is no date",)


@pytest.mark.parametrize("nothing", ["-", "N/A", "never", "0000-00-00"])
def test_a_book_with_an_empty_date_column_is_unread(tmp_path: Path, nothing: str) -> None:
    assert not only(library(tmp_path, f"title,author,date read\nEmma,Jane Austen,{nothing}\n")).finished


@pytest.mark.parametrize(("mark", "day"), [(",", date(2024, 1, 3)), (";", date(2024, 3, 1))])
def test_where_no_date_decides_a_semicolon_means_day_first_with_a_note(
    tmp_path: Path, mark: str, day: date
) -> None:
    content = "title,author,date read\nEmma,Jane Austen,01/03/2024\n".replace(",", mark)
    emma = only(library(tmp_path, content))
    assert emma.finished_on == day
    assert emma.notes == (
        f"'01/03/2024' read as {day}: no date in the file proves the order of day and month",
    )


def test_a_space_after_the_comma_does_not_hide_the_quotes(tmp_path: Path) -> None:
    emma = only(library(tmp_path, 'title, author, tags\nEmma, "Austen, Jane", "a, b"\n'))
    assert emma.book == {"title": "Emma", "author": "Austen, Jane", "tags": ["a", "b"]}


def test_excels_own_first_line_is_passed_over(tmp_path: Path) -> None:
    emma = only(library(tmp_path, "sep=;\r\ntitle;author\r\nEmma;Jane Austen\r\n"))
    assert (emma.book["title"], emma.line) == ("Emma", 3)


@pytest.mark.parametrize(
    ("column", "names", "split"),
    [
        ("authors", "J.K. Rowling, Mary GrandPré", ["J.K. Rowling", "Mary GrandPré"]),
        (
            "Auteurs",
            "Neil Gaiman, Terry Pratchett, Dave McKean",
            ["Neil Gaiman", "Terry Pratchett", "Dave McKean"],
        ),
        ("authors", "Herbert, Frank", ["Herbert, Frank"]),
        ("authors", "Le Guin, Ursula K.", ["Le Guin, Ursula K."]),
        ("authors", "Martin Luther King, Jr.", ["Martin Luther King, Jr."]),
        ("authors", "García Márquez, Gabriel; Herbert, Frank", ["García Márquez, Gabriel", "Herbert, Frank"]),
        ("author", "García Márquez, Gabriel José", ["García Márquez, Gabriel José"]),
    ],
)
def test_commas_separate_whole_names_in_a_column_of_several_authors(
    tmp_path: Path, column: str, names: str, split: list[str]
) -> None:
    book = only(library(tmp_path, f'title,{column}\nBook,"{names}"\n')).entry.book
    assert ([person.name for person in book.contributors] or [book.author]) == split


def test_a_series_in_the_title_of_any_table_is_the_books_series(tmp_path: Path) -> None:
    found = library(
        tmp_path, 'title,author\n"Catching Fire (The Hunger Games, #2)",Suzanne Collins\nX (2),Y\n'
    )
    fire, other = (entry.entry.book for entry in entries(found).values())
    assert (fire.title, fire.series) == ("Catching Fire", (SeriesEntry("The Hunger Games", "2"),))
    assert (other.title, other.series) == ("X (2)", ())


def test_a_column_of_series_keeps_the_title_as_it_is(tmp_path: Path) -> None:
    content = 'title,author,series\n"Catching Fire (The Hunger Games, #2)",Suzanne Collins,Panem\n'
    book = only(library(tmp_path, content)).entry.book
    assert (book.title, book.series) == ("Catching Fire (The Hunger Games, #2)", (SeriesEntry("Panem"),))

"""The list of books: pages, search, states, order."""

import pytest
from support.client import Client
from support.program import Program

BOOKS: list[tuple[str, str, str | None, list[str]]] = [
    ("Der Prozeß", "Franz Kafka", "1925", ["klassiker"]),
    ("Les Misérables", "Victor Hugo", "1862", ["classics", "social justice"]),
    ("Ficciones", "Jorge Luis Borges", "1944", []),
    ("Пикник на обочине", "Аркадий Стругацкий", "1972", ["science fiction"]),
    ("The Left Hand of Darkness", "Ursula K. Le Guin", "1969", ["Science Fiction"]),
    ("the dispossessed", "Ursula K. Le Guin", "1974", []),
    ("Zen", "zed", None, []),
    ("吾輩は猫である", "夏目漱石", "1905", []),
    ('C++ & "AND" OR NOT (a*b)', "O'Brien", "1990", ["c++"]),
]


@pytest.fixture(scope="module")
def shelf(running: Program) -> Client:
    """A shelf of a few books, of which the first three are finished."""
    client = running.client
    for number, (title, author, published, tags) in enumerate(BOOKS):
        book = client.add(title, author, published=published, tags=tags)
        if number < 3:
            day = {"finished": f"2024-0{3 - number}-01"}
            assert client.post(f"/books/{book['id']}/finished", day).status == 204
    return client


def titles(client: Client, query: str) -> list[str]:
    return [book["title"] for book in client.every_book(query)]


ALL = [book[0] for book in BOOKS]


def test_without_more_they_come_as_they_were_added(shelf: Client) -> None:
    assert [book["title"] for book in shelf.books()] == ALL


@pytest.mark.parametrize("limit", range(1, 11))
def test_pages_are_the_list_and_nothing_twice(shelf: Client, limit: int) -> None:
    assert titles(shelf, f"?limit={limit}") == ALL


@pytest.mark.parametrize("sort", ["added", "title", "author", "published", "finished"])
def test_an_order_and_its_reverse_page_by_page(shelf: Client, sort: str) -> None:
    once = titles(shelf, f"?sort={sort}&limit=1000")
    assert sorted(once) == sorted(ALL)
    assert titles(shelf, f"?sort={sort}&limit=2") == once
    # books whose value is unknown come last in both directions
    known = len(once) - {"published": 1, "finished": 6}.get(sort, 0)
    assert titles(shelf, f"?sort=-{sort}&limit=2") == once[:known][::-1] + once[known:][::-1]


def test_titles_are_ordered_without_case_and_leading_articles_and_years_as_numbers(shelf: Client) -> None:
    latin = [title for title in titles(shelf, "?sort=title") if title.isascii()]
    expected = [
        'C++ & "AND" OR NOT (a*b)',
        "the dispossessed",
        "Ficciones",
        "The Left Hand of Darkness",
        "Zen",
    ]
    assert latin == expected
    assert titles(shelf, "?sort=-published")[0] == 'C++ & "AND" OR NOT (a*b)'


def test_pages_keep_the_question(shelf: Client) -> None:
    assert titles(shelf, "?q=ursula&state=unread&sort=-title&limit=1") == [
        "The Left Hand of Darkness",
        "the dispossessed",
    ]


def test_a_page_goes_on_after_the_last_book_whatever_was_added(shelf: Client) -> None:
    first = shelf.get("/books?limit=3&sort=title")
    target = shelf.next_page(first)
    assert target is not None
    extra = shelf.add("  Aaa first of all")  # by the client of all tests, which therefore see that it is gone
    seen = {book["title"] for book in first.json} | {book["title"] for book in shelf.get(target).json}
    assert len(seen) == 6
    assert shelf.delete(f"/books/{extra['id']}").status == 204


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("proze%C3%9F", ["Der Prozeß"]),
        ("miserables", ["Les Misérables"]),
        ("MIS%C3%89RA", ["Les Misérables"]),
        ("hugo", ["Les Misérables"]),
        ("just", ["Les Misérables"]),
        ("science", ["Пикник на обочине", "The Left Hand of Darkness"]),
        ("science+dark", ["The Left Hand of Darkness"]),
        ("%D0%BF%D0%B8%D0%BA", ["Пикник на обочине"]),
        ("dark+ursula", ["The Left Hand of Darkness"]),
        ("le+guin", ["The Left Hand of Darkness", "the dispossessed"]),
        ("ark", []),
        ("nobody", []),
        ("%22AND%22", ['C++ & "AND" OR NOT (a*b)']),
        ("title%3Akafka", []),
        ("kafka*", ["Der Prozeß"]),
        ("O'Brien", ['C++ & "AND" OR NOT (a*b)']),
        ("%22", []),
        ("+", ALL),
        ("", ALL),
    ],
)
def test_search_looks_for_beginnings_of_words(shelf: Client, words: str, found: list[str]) -> None:
    assert titles(shelf, f"?q={words}") == found


def test_states(shelf: Client) -> None:
    assert titles(shelf, "?state=finished") == ALL[:3]
    assert titles(shelf, "?state=unread") == ALL[3:]
    assert titles(shelf, "?state=finished&sort=finished") == ALL[2::-1]


def test_search_follows_what_is_changed(shelf: Client) -> None:
    book = shelf.add("Hapax", tags=["legomenon"])
    shelf.patch(f"/books/{book['id']}", {"title": "Dis", "tags": []})
    assert shelf.books("?q=hapax") == []
    assert shelf.books("?q=legomenon") == []
    assert shelf.books("?q=dis&sort=-added")[0]["id"] == book["id"]
    shelf.delete(f"/books/{book['id']}")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("limit=1&limit=2", "limit"),
        ("limit=9999999999999999999999", "limit"),
        ("state=lost", "state"),
        ("sort=colour", "sort"),
        ("colour=red", "colour"),
        (f"q={'x' * 201}", "q"),
    ],
)
def test_a_bad_query_names_the_parameter(shelf: Client, query: str, parameter: str) -> None:
    reply = shelf.get(f"/books?{query}")
    assert (reply.status, reply.problem, reply.place) == (422, "invalid", parameter)


@pytest.mark.parametrize("after", ["x", "%00", "W10", "!!!!", "bm90IGpzb24"])
def test_a_cursor_that_is_none(shelf: Client, after: str) -> None:
    reply = shelf.get(f"/books?after={after}")
    assert (reply.status, reply.problem) == (422, "invalid")
    assert "after" in (reply.place or "")


def test_a_cursor_of_another_order(shelf: Client) -> None:
    target = shelf.next_page(shelf.get("/books?limit=2&sort=title"))
    assert target is not None
    assert shelf.get(target.replace("sort=title", "sort=author")).problem == "invalid"


@pytest.mark.parametrize("query", ["q=%ff", "limit", "&&=&", "q=%", "=x"])
def test_a_query_string_that_is_none(shelf: Client, query: str) -> None:
    assert shelf.get(f"/books?{query}").status in {200, 400, 422}


@pytest.mark.parametrize(("limit", "status"), [("0", 422), ("101", 422), ("1", 200), ("100", 200)])
def test_the_last_read_have_a_limit_too(shelf: Client, limit: str, status: int) -> None:
    assert shelf.get(f"/books/last/read?limit={limit}").status == status

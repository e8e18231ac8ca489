"""`bookshelf changes` and `bookshelf undo`, on a running shelf and on a folder."""

import json
from pathlib import Path

from support.process import bookshelf
from support.program import Program


def test_changes_are_listed_and_taken_back(running: Program) -> None:
    client = running.client
    book = client.post("/books", {"title": "Dune", "author": "x"}).json
    for title in ("Emma", "Ulysses"):
        assert client.patch(f"/books/{book['id']}", {"title": title}).status == 200
    shelf = ("--url", running.note.url)
    listed = bookshelf("changes", "--book", book["id"], "--json", *shelf)
    assert listed.code == 0, listed.err
    last, first, added = [json.loads(line) for line in listed.out.splitlines()]
    text = bookshelf("changes", "--book", book["id"], "--limit", "2", *shelf).out.splitlines()
    assert [last["id"] in text[0], f"(prevented by {last['id']})" in text[1], len(text)] == [True, True, 2]
    prevented = bookshelf("undo", first["id"], "x", *shelf)
    assert prevented.code == 2
    assert f"{first['id']}: later changes prevent it: {last['id']}" in prevented.err
    assert "x: there is no such change" in prevented.err
    done = bookshelf("undo", last["id"], first["id"], added["id"], *shelf)
    assert (done.code, done.err) == (0, "3 of 3 changes taken back.\n")
    assert client.get(f"/books/{book['id']}").status == 404


def test_changes_are_taken_back_on_a_shelf_that_does_not_run(tmp_path: Path) -> None:
    shelf = ("--data", str(tmp_path / "shelf"))
    assert "there is no shelf in" in bookshelf("undo", "x", *shelf).complaint
    books = tmp_path / "books.csv"
    books.write_text("title,author\nDune,Frank Herbert\nEmma,Jane Austen\n", encoding="utf-8")
    assert bookshelf("import", books, *shelf).code == 0
    made = [json.loads(line)["id"] for line in bookshelf("changes", "--json", *shelf).well.splitlines()]
    assert len(made) == 2
    assert bookshelf("undo", *made, *shelf).well == ""
    assert bookshelf("export", "--format", "jsonl", *shelf).well == ""


LIBRARY = (
    {
        "type": "book",
        "id": "a",
        "title": "A",
        "author": "x",
        "added": "2024-01-01T00:00:00Z",
        "readings": [
            {"end": "finished", "ended": "2024-03", "stars": 4.5},
            {"end": "open", "paused": True, "entries": [{"progress": {"page": 3}}]},
        ],
        "passages": [{"quote": "q"}],
    },
    {
        "type": "book",
        "id": "b",
        "title": "B",
        "author": "x",
        "added": "2024-01-01T00:00:00Z",
        "stars": 3,
        "review": "r",
    },
    {"type": "list", "id": "up-next", "name": "", "entries": [{"book": "b"}]},
    {"type": "list", "id": "h", "name": "Holidays", "entries": [{"book": "b"}, {"book": "a"}]},
    {"type": "goal", "year": 2026, "books": 24},
)


def test_an_import_is_taken_back_as_a_whole(running: Program, tmp_path: Path) -> None:
    shelf = ("--url", running.note.url)
    before = bookshelf("export", "--format", "jsonl", *shelf).well
    file = tmp_path / "library.jsonl"
    file.write_text("\n".join(map(json.dumps, LIBRARY)), encoding="utf-8")
    report = bookshelf("import", file, *shelf).well
    *_, last = report.splitlines()
    assert last.startswith("Its changes are taken back by: bookshelf undo --correlation import-")
    correlation = last.split()[-1]
    for _ in range(2):  # a second time there is nothing left to do
        done = bookshelf("undo", "--correlation", correlation, *shelf)
        assert (done.code, done.err) == (0, "14 of 14 changes taken back.\n")
        assert bookshelf("export", "--format", "jsonl", *shelf).well == before
    listed = bookshelf("changes", "--correlation", correlation, *shelf).well.splitlines()
    assert len(listed) == 14
    assert all(line.endswith("(taken back)") for line in listed)


def test_what_to_take_back_is_named_in_one_way() -> None:
    assert "name the changes" in bookshelf("undo").complaint
    assert "name the changes" in bookshelf("undo", "x", "--correlation", "y").complaint

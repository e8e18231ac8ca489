"""A site that is killed: a form that was carried out and not answered is done once, and an import goes on."""

import re
import signal
import sqlite3
from contextlib import closing
from http.client import RemoteDisconnected
from pathlib import Path
from urllib.parse import urlencode

import pytest
from support.client import Client
from support.crash_at import REDIRECT
from support.process import ROOT
from support.program import Program
from support.until import until

FORM = {"Content_Type": "application/x-www-form-urlencoded"}
ROWS = 2000
#: More records than the first two requests of an import make.
ENOUGH = 800


def site(up: Program) -> Client:
    """Return a client of the pages."""
    return Client(up.note.url)


def form_of(html: str) -> str:
    """Return the key of the first form of a page."""
    found = re.search(r'name="_key" value="([^"]+)"', html)
    assert found is not None
    return found[1]


def test_a_form_that_was_carried_out_and_not_answered_is_done_once(tmp_path: Path) -> None:
    where = {"PYTHONPATH": f"{ROOT}:{ROOT / 'test'}"}
    with Program(tmp_path / "data", program=f"support.crash_at {REDIRECT}", env=where).ready() as up:
        page = site(up).ask("GET", "/books/add").content.decode()
        form = urlencode({"_key": form_of(page), "title": "Emma", "author": "Jane Austen"}).encode()
        up.send(signal.SIGUSR1)
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            site(up).ask("POST", "/books/add", form, **FORM)
        assert up.ended().code == -signal.SIGKILL
    with Program(tmp_path / "data").ready() as up:
        up.client.wait_for("/books/last/read", 200)
        until(lambda: len(up.client.books()) == 1, "the book is there")
        # the same form once more, as after going back: nothing is added
        again = site(up).ask("POST", "/books/add", form, **FORM)
        assert (again.status, again.headers["location"].partition("?")[0]) == (303, "/books/add")
        changes = up.client.get("/changes", Bookshelf_After=again.headers.get("bookshelf-position", ""))
        assert [change["events"][0]["type"] for change in changes.json] == ["shelf.book-added.v1"]
        assert up.stop().well


def upload(up: Program, content: bytes) -> str:
    """Send a file to the page for imports; return the address of its preview."""
    page = site(up).ask("GET", "/import").content.decode()
    parts = [
        f'name="_key"\r\n\r\n{form_of(page)}'.encode(),
        b'name="file"; filename="library.csv"\r\n\r\n' + content,
    ]
    body = b"".join(b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
    kind = "multipart/form-data; boundary=b"
    sent = site(up).ask("POST", "/import", body + b"--b--\r\n", Content_Type=kind)
    assert sent.status == 303, sent
    return sent.headers["location"]


def records(data: Path) -> int:
    """Return how many records the log has, read beside its writer."""
    with closing(sqlite3.connect(f"file:{data / 'log.sqlite'}?mode=ro", uri=True)) as log:
        (count,) = log.execute("SELECT count(*) FROM record").fetchone()
    return int(count)


def shows(up: Program, address: str, text: str) -> bool:
    """Return True if a page has a text."""
    return text in site(up).ask("GET", address).content.decode()


def counted(up: Program, path: str) -> int:
    """Return how many items a list has by now: views come a moment after what they show."""
    return int(up.client.get(f"{path}?limit=1").headers["bookshelf-count"])


def test_an_import_that_is_killed_goes_on_and_brings_each_book_once(tmp_path: Path) -> None:
    rows = "".join(f"Book {n},Author {n % 7},{'2024-01-02' if n % 2 else ''}\n" for n in range(ROWS))
    with Program(tmp_path / "data").ready() as up:
        address = upload(up, f"title,author,date read\n{rows}".encode())
        until(lambda: shows(up, address, f"Import {ROWS:,} books"), "the preview is shown")
        started = site(up).ask("POST", address, b"_version=1&do=import", **FORM)
        assert started.status == 303
        until(lambda: records(tmp_path / "data") > ENOUGH, "the import is under way")
        up.kill()
    with Program(tmp_path / "data").ready() as up:
        until(lambda: shows(up, address, "See your shelf"), "the import is complete")
        assert shows(up, address, "The service was restarted meanwhile")
        until(lambda: counted(up, "/books") >= ROWS, "the list has the last books")
        until(lambda: counted(up, "/readings") >= ROWS // 2, "the readings are there")
        titles = sorted(book["title"] for book in up.client.every_book())
        assert titles == sorted(f"Book {n}" for n in range(ROWS))
        assert len(up.client.every_item("/readings?limit=1000")) == ROWS // 2
        assert up.stop().well

"""A person is forgotten: no file of the data folder has their texts, and no backup brings them back."""

from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from PIL import Image
from support.client import Client, Reply
from support.process import bookshelf
from support.program import Program
from support.until import until

ON = {"BOOKSHELF_ACCOUNTS": "on"}
PASSWORD = "correct horse battery staple"  # noqa: S105 (of a person of this test)
#: A word in every personal text of Ann, and her title, which is not sealed.
WORD, TITLE = "xylograph", "A title of the log"
TABLE = f"Title,Author,Notes\n{TITLE},An author,an {WORD}\n,a refused {WORD},another {WORD}\n"


class Person(NamedTuple):
    """A person with a session, by its cookie."""

    client: Client
    cookie: str

    def submit(self, path: str, fields: dict[str, str], *files: tuple[str, bytes]) -> Reply:
        """Send a form, with files named picture or file."""
        own = f"http://{self.client.host}:{self.client.port}"
        headers = {"Origin": own, "Cookie": self.cookie}
        if not files:
            kind, body = "application/x-www-form-urlencoded", urlencode(fields).encode()
            return self.client.ask("POST", path, body, Content_Type=kind, **headers)
        parts = [f'name="{name}"\r\n\r\n{text}'.encode() for name, text in fields.items()]
        parts += [f'name="{name}"; filename="{WORD}"\r\n\r\n'.encode() + content for name, content in files]
        body = b"".join(b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
        kind = "multipart/form-data; boundary=b"
        return self.client.ask("POST", path, body + b"--b--\r\n", Content_Type=kind, **headers)

    def get(self, path: str) -> Reply:
        return self.client.get(path, Cookie=self.cookie)


def sign_up(up: Program) -> Person:
    """Make an account for Ann, and sign in."""
    client = Client(up.note.url)
    person = {"handle": WORD, "name": f"Ann {WORD}", "email": f"{WORD}@example.org", "password": PASSWORD}
    assert client.ask("POST", "/bookshelf/accounts", person).status == HTTPStatus.CREATED
    login = {"login": WORD, "password": PASSWORD, "browser": True}
    cookies = client.ask("POST", "/bookshelf/accounts/login", login).cookies
    return Person(client, "; ".join(cookie.partition(";")[0] for cookie in cookies))


def bring_books(person: Person) -> None:
    """Import a table with a refused line by the pages, and upload a cover."""
    sent = person.submit("/import", {"_key": "ab12"}, ("file", TABLE.encode()))
    assert sent.status == HTTPStatus.SEE_OTHER, sent.content
    page = sent.headers["location"]
    until(lambda: b"2 lines" in person.get(page).content, "the table is previewed")
    assert person.submit(page, {"_version": "1", "do": "import"}).status == HTTPStatus.SEE_OTHER
    until(lambda: person.get("/bookshelf/books").json, "the book is on the shelf")
    until(lambda: b"One book added" in person.get("/import").content, "the import has ended")
    (book,) = person.get("/bookshelf/books").json
    picture = BytesIO()
    Image.new("RGB", (60, 90), "#c08a3e").save(picture, "PNG")
    where = f"/books/{book['id']}/cover"
    stored = person.submit(where, {"_key": "cd34"}, ("picture", picture.getvalue()))
    assert stored.status == HTTPStatus.SEE_OTHER


def traces(folder: Path, text: str) -> list[str]:
    """Return the files of a folder whose name or content has a text."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if text in path.name or text.encode() in path.read_bytes()]


def covers(folder: Path) -> list[Path]:
    return [path for path in folder.glob("blobs/covers*/*/*/*") if path.is_file()]


def test_no_file_and_no_later_backup_has_a_text_of_a_forgotten_person(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Program(data, env=ON).ready() as up:
        bring_books(sign_up(up))
        assert bookshelf("backup", tmp_path / "before", "--data", data).well
        assert up.stop().well
    (before,) = (tmp_path / "before").iterdir()
    assert traces(data / "site", WORD)
    assert covers(data)
    assert covers(before)
    assert bookshelf("accounts", "forget", WORD, "--yes", "--data", data, env=ON).well
    with Program(data, env=ON).ready() as up:
        until(lambda: not (traces(data, WORD) or covers(data)), "the files of the person are gone")
        assert traces(data, TITLE)  # titles are no personal texts
        assert bookshelf("backup", tmp_path / "after", "--data", data).well
        assert up.stop().well
    assert traces(tmp_path / "after", TITLE)
    assert not traces(tmp_path / "after", WORD)
    assert not traces(data, WORD)
    # a backup of before has the key, the jobs and the covers: only the key is not brought back
    assert bookshelf("restore", before, "--data", data, "--replace", env=ON).well
    assert covers(data)
    with Program(data, env=ON).ready() as up:
        until(lambda: not (covers(data) or traces(data / "site", WORD)), "they are gone again")
        assert up.stop().well
    assert not traces(data, WORD)

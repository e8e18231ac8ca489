"""`bookshelf up`: ready, and where; then gone, leaving nothing half done."""

import signal
import threading
from http.client import IncompleteRead
from pathlib import Path

import pytest
from support.client import Client
from support.program import Program
from support.until import until

from bookshelf.services import WITHOUT_ACCOUNTS

STOPS = (signal.SIGTERM, signal.SIGINT)


def test_up_prints_where_the_shelf_its_docs_and_its_data_are(tmp_path: Path) -> None:
    with Program(tmp_path / "data").ready() as up:
        until(lambda: "Ctrl-C" in up.printed, "it prints how to stop it")
        printed = dict(line.split(": ", 1) for line in up.printed.splitlines() if ": " in line)
        assert printed["Your shelf"].strip() == f"{up.note.url}/"
        assert printed["API docs"].strip() == f"{up.note.url}/apidocs/"
        assert printed["Data"].strip() == str(tmp_path / "data")
        assert printed["Open to"].strip().startswith("this machine only (port ")
        assert up.client.books() == []


def test_with_all_addresses_only_the_gateway_listens_on_them(tmp_path: Path) -> None:
    off = {"BOOKSHELF_ACCOUNTS": "off"}
    with Program(tmp_path / "data", "--host", "0.0.0.0", env=off).ready() as up:  # noqa: S104 (what is tested)
        until(lambda: "Ctrl-C" in up.printed, "it prints how to stop it")
        port, services = int(up.note.url.rpartition(":")[2]), up.note.services
        [line] = [line for line in up.printed.splitlines() if line.startswith("Open to:")]
        assert f"every machine that can reach port {port} at 0.0.0.0, without accounts" in line
        assert "this machine only: the services' ports" in line
        assert Client(f"http://127.0.0.2:{port}").get("/health/live").status == 200
        for service in services.values():
            with pytest.raises(ConnectionRefusedError):
                Client(f"http://127.0.0.2:{service}").get("/health/live")
            assert Client(f"http://127.0.0.1:{service}").get("/health/live").status == 200


def test_with_accounts_no_service_has_a_port_and_a_guest_signs_in_to_read(tmp_path: Path) -> None:
    with Program(tmp_path / "data", "--host", "0.0.0.0").ready() as up:  # noqa: S104 (what is tested)
        until(lambda: "Ctrl-C" in up.printed, "it prints how to stop it")
        port = int(up.note.url.rpartition(":")[2])
        [line] = [line for line in up.printed.splitlines() if line.startswith("Open to:")]
        assert f"people with an account, from every machine that can reach port {port} at 0.0.0.0" in line
        assert "BOOKSHELF_ACCOUNTS=off" in up.printed
        assert up.note.services == {}
        guest = Client(f"http://127.0.0.2:{port}")
        assert guest.get("/health/ready").status == 200
        claims = {"Bookshelf-Actor": "a-reader", "Bookshelf-Scopes": "read write"}
        for headers in ({}, claims, {**claims, "Bookshelf-Signature": f"1.{'0' * 64}"}):
            assert guest.get("/bookshelf/books", **headers).status == 401
        login = {"login": "ann", "password": "correct horse battery staple", "browser": True}
        person = {"handle": "ann", "name": "Ann", "email": "ann@example.org", "password": login["password"]}
        assert guest.ask("POST", "/bookshelf/accounts", person).status == 201
        cookies = guest.ask("POST", "/bookshelf/accounts/login", login).cookies
        [session] = [cookie.partition(";")[0] for cookie in cookies if cookie.startswith("session=")]
        for cookie, status in ((session, 200), (f"{session}x", 401)):
            assert guest.get("/bookshelf/books", Cookie=cookie).status == status
        assert (tmp_path / "data" / "accounts.secret").stat().st_mode & 0o777 == 0o600


def test_every_service_is_ready_when_up_prints_its_address(tmp_path: Path) -> None:
    with Program(tmp_path / "data").ready() as up:
        doors = [Client(up.note.url), *map(up.service, up.note.services)]
        assert up.note.services.keys() == {service.name for service in WITHOUT_ACCOUNTS}
        for path in ("/health/live", "/health/ready", "/metrics", "/openapi.json"):
            assert [door.get(path).status for door in doors] == [200] * len(doors), path


def test_up_runs_only_the_services_that_are_named(tmp_path: Path) -> None:
    with Program(tmp_path / "data", "--only", "lastreadbooks", "--only", "booklist").ready() as up:
        assert up.note.services.keys() == {"lastreadbooks", "booklist"}
        assert up.client.books() == []
        assert up.client.ask("POST", "/bookshelf/books", {"title": "Kim", "author": "x"}).status == 404


def test_no_port_answers_a_page_of_another_origin(tmp_path: Path) -> None:
    with Program(tmp_path / "data").ready() as up:
        control = Client(f"http://{up.note.control_host}:{up.note.control_port}")
        body = {"title": "Kim", "author": "x"}
        for door, path in ((up.client, "/books"), (up.ports, "/books"), (control, "/letters")):
            rebound = door.ask("GET", path, Host="evil.example")
            assert (rebound.status, rebound.problem) == (421, "misdirected")
            posted = door.ask("POST", path, body, Origin="http://evil.example")
            assert (posted.status, posted.problem) == (403, "cross-origin")
        assert up.client.books() == []


@pytest.mark.parametrize("number", STOPS)
def test_up_ends_cleanly(tmp_path: Path, number: int) -> None:
    with Program(tmp_path / "data").ready() as up:
        ended = up.stop(number)
    assert ended.well.endswith("Stopping.\n")
    assert ended.err == ""
    assert not (tmp_path / "data" / "running.json").exists()


def test_books_survive_a_restart(tmp_path: Path) -> None:
    with Program(tmp_path / "data").ready() as up:
        book = up.client.add("Kim", published="1901")
        up.stop()
    with Program(tmp_path / "data").ready() as up:
        assert up.client.books() == [book]


def test_a_stop_during_the_start_is_clean(tmp_path: Path) -> None:
    with Program(tmp_path / "data") as up:
        until((tmp_path / "data" / "log.sqlite").exists, "it has begun")
        ended = up.stop()
    assert ended.err == ""
    assert ended.code == 0


class Load:
    """Writers that add books as fast as they can until the port is closed, and their answers."""

    def __init__(self, client: Client, writers: int = 8) -> None:
        self._client = client
        self.answered: set[str] = set()
        self.unanswered: set[str] = set()
        self.half: list[str] = []
        self.odd: list[int] = []
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(writers)]
        for thread in self._threads:
            thread.start()

    def _write(self, writer: int) -> None:
        for turn in range(100_000):
            title = f"{writer}-{turn}"
            try:
                status = self._client.ask("POST", "/books", {"title": title, "author": "x"}).status
            except IncompleteRead:
                self.half.append(title)
            except OSError:
                self.unanswered.add(title)
            else:
                if status == 201:
                    self.answered.add(title)
                    continue
                self.odd.append(status)
            return

    def end(self) -> None:
        """Wait until every writer has found the port closed."""
        for thread in self._threads:
            thread.join()


def titles(data: Path) -> list[str]:
    with Program(data).ready() as up:
        found = [book["title"] for book in up.client.every_book()]
        assert up.stop().err == ""
    return found


@pytest.mark.parametrize("number", STOPS)
def test_a_stop_under_load_answers_every_accepted_request(tmp_path: Path, number: int) -> None:
    with Program(tmp_path / "data").ready() as up:
        load = Load(up.client)
        until(lambda: len(load.answered) > 200, "the load is on")
        ended = up.stop(number)
        load.end()
    assert ended.well
    assert ended.err == ""
    assert load.half == []
    assert load.odd == []
    found = titles(tmp_path / "data")
    assert len(found) == len(set(found))
    assert load.answered <= set(found)
    assert load.unanswered.isdisjoint(found)


@pytest.mark.parametrize(
    ("env", "place"),
    [
        ({"XDG_DATA_HOME": "{0}/xdg"}, "xdg/bookshelf"),
        ({"XDG_DATA_HOME": "not/absolute"}, ".local/share/bookshelf"),
        ({"BOOKSHELF_DATA": "~/books"}, "books"),
    ],
)
def test_the_default_data_folder_follows_xdg(tmp_path: Path, env: dict[str, str], place: str) -> None:
    printed = {"HOME": str(tmp_path), **{name: value.format(tmp_path) for name, value in env.items()}}
    with Program(tmp_path / place, env=printed, named=False).ready() as up:
        assert up.stop().well
    assert (tmp_path / place / "log.sqlite").exists()

"""Commands sign in to a shelf with accounts, and stay signed in for as long as they run."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from support.users import PASSWORD

from bookshelf.cli.main import main
from bookshelf.cli.signing_in import Credentials, NotSignedIn, SignedIn
from bookshelf.http.message import Request, Response, request

ANN = Credentials("ann", "a password of hers")


class FakeUsers:
    """Signs one person in; a token is valid until it is refused once more."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.valid = ""
        self.renews = True
        self.number = 0

    async def handle(self, asked: Request) -> Response:
        self.asked.append(asked.target.rpartition("/")[2])
        await asyncio.sleep(0)  # sleep: others have their turn
        body = msgspec.json.decode(await asked.body.read(1000) or b"{}")
        match self.asked[-1]:
            case "login" if body != {"login": "ann", "password": ANN.password}:
                return Response(401, {}, b'{"detail": "login and password do not fit together"}')
            case "refresh" if not self.renews:
                return Response(401, {}, b'{"detail": "it is over"}')
            case "login" | "refresh":
                self.number += 1
                self.valid = f"token {self.number}"
                tokens = {"access_token": self.valid, "refresh_token": f"r{self.number}", "expires_in": 600}
                return Response(200, {}, json.dumps(tokens).encode())
        is_valid = asked.headers.get("Authorization") == f"Bearer {self.valid}"
        return Response(200 if is_valid else 401, {}, b"{}")


def books() -> Request:
    return request("GET", "/bookshelf/books")


async def test_a_person_is_signed_in_once_and_out_at_the_end() -> None:
    users = FakeUsers()
    person = SignedIn(users, ANN)
    answers = await asyncio.gather(*(person.handle(books()) for _ in range(8)))
    assert {answer.status for answer in answers} == {200}
    await person.end()
    assert users.asked == ["login", *["books"] * 8, "logout"]


@pytest.mark.parametrize(("renews", "how"), [(True, ["refresh"]), (False, ["refresh", "login"])])
async def test_a_token_that_is_refused_is_renewed_once_for_all_requests(
    renews: bool,  # noqa: FBT001 (a parameter of the case)
    how: list[str],
) -> None:
    users = FakeUsers()
    users.renews = renews
    person = SignedIn(users, ANN)
    assert (await person.handle(books())).status == 200
    users.valid, users.asked = "another", []
    answers = await asyncio.gather(*(person.handle(books()) for _ in range(8)))
    assert {answer.status for answer in answers} == {200}
    assert [name for name in users.asked if name != "books"] == how


async def test_a_wrong_password_is_reported_with_the_reason() -> None:
    with pytest.raises(NotSignedIn, match="do not fit together"):
        await SignedIn(FakeUsers(), Credentials("ann", "another one")).handle(books())


def bookshelf(*args: str | Path, typed: str = "") -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], input=typed)


def test_import_and_export_are_those_of_the_person_signed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOKSHELF_ACCOUNTS", "on")
    data, library, password = tmp_path / "data", tmp_path / "library.csv", tmp_path / "password"
    library.write_text("title,author\nDune,Frank Herbert\n", encoding="utf-8")
    password.write_text(PASSWORD + "\n", encoding="utf-8")
    at = ("--data", data)
    for handle in ("ann", "ben"):
        account = ("--email", f"{handle}@example.org", "--password-file", password)
        made = bookshelf("accounts", "create-admin", handle, *account, *at)
        assert made.exit_code == 0, made.output
    brought = bookshelf(
        "import", library, "--login", "ann", "--password-file", "-", *at, typed=PASSWORD + "\n"
    )
    assert (brought.exit_code, "1 added" in brought.output) == (0, True), brought.output
    for handle, has in (("ann", True), ("ben", False)):
        said = bookshelf("export", "--login", handle, "--password-file", password, *at)
        assert (said.exit_code, "Dune" in said.output) == (0, has), said.output

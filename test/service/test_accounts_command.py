"""`bookshelf accounts` on a stopped shelf: the service runs in this process for each command."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.logfile import append, event
from support.until import until
from support.users import PASSWORD

from bookshelf.cli.accounts import accounts
from bookshelf.cli.admin import dlq
from bookshelf.runtime.api.identity import LOCAL_READER
from bookshelf.runtime.backup import write_backup
from bookshelf.runtime.keyring_backup import KEYRING_FILE


class Operator:
    """Runs commands on one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *args: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(accounts, [*args, "--data", str(self.folder)], input=typed)

    def done(self, *args: str, typed: str | None = None) -> str:
        result = self.run(*args, typed=typed)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    def json(self, *args: str, typed: str | None = None) -> Any:  # noqa: ANN401 (JSON)
        return json.loads(self.done(*args, "--json", typed=typed))

    def create(self, handle: str) -> str:
        """Make an admin; return the id of the account."""
        address = f"{handle}@example.org"
        made = self.json(
            "create-admin", handle, "--email", address, "--password-file", "-", typed=f"{PASSWORD}\n"
        )
        return str(made["id"])


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """The operator of a folder with two admins."""
    made = Operator(tmp_path_factory.mktemp("accounts") / "data")
    assert made.create("ann") == LOCAL_READER
    assert made.create("ben").startswith("a-")
    return made


def test_what_there_was_belongs_to_the_first_admin_only(operator: Operator) -> None:
    assert operator.done("groups", "ann") == f"ann ({LOCAL_READER}): admin\n"
    assert LOCAL_READER not in operator.done("groups", "ben@example.org")


def test_a_refused_account_is_named_with_its_reason_and_leaves_the_first_id_free(
    operator: Operator, tmp_path: Path
) -> None:
    taken = operator.run(
        *("create-admin", "ann", "--email", "eve@example.org", "--password-file", "-"), typed=f"{PASSWORD}\n"
    )
    assert (taken.exit_code, taken.stderr) == (2, "bookshelf: there is an account with this handle\n")
    weak = tmp_path / "password"
    weak.write_text("0123456789\n")
    args = ("create-admin", "eve", "--email", "eve@example.org", "--password-file", str(weak))
    assert "guessed too easily" in operator.run(*args).stderr
    unread = operator.run("create-admin", "eve", "--email", "eve@example.org", typed="")
    assert "--password-file" in unread.stderr


def test_groups_are_listed_joined_and_left(operator: Operator) -> None:
    names = [group["name"] for group in operator.json("groups")]
    assert names == ["reader", "customer", "manager", "moderator", "admin"]
    assert operator.json("groups", "ben", "--join", "manager", "--leave", "admin") == ["manager"]
    missing = operator.run("groups", "none")
    assert (missing.exit_code, missing.stderr) == (2, "bookshelf: there is no account none\n")


def test_sessions_end_and_keys_are_rotated(operator: Operator) -> None:
    assert operator.done("sessions", "end", LOCAL_READER) == "The sessions of ann have ended.\n"
    assert "T" in operator.json("keys", "rotate", "--now")["kid"]


def test_a_person_is_forgotten_after_a_question(operator: Operator) -> None:
    eve = operator.create("eve")
    assert operator.run("forget", "eve", typed="n\n").exit_code == 1
    assert operator.done("forget", "eve", "--yes") == "eve is forgotten.\n"
    assert operator.run("groups", eve).exit_code == 2
    assert operator.folder.joinpath(KEYRING_FILE).exists()


def test_no_file_and_no_later_backup_has_the_handle_of_a_forgotten_person(
    operator: Operator, tmp_path: Path
) -> None:
    fay = operator.create("fay-zebulon")
    operator.done("forget", fay, "--yes")
    backup, _ = write_backup(operator.folder, tmp_path, datetime(2026, 3, 1, tzinfo=UTC))
    for folder in (operator.folder, backup):
        content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        assert b"zebulon" not in content
        with closing(sqlite3.connect(folder / KEYRING_FILE)) as keyring:
            kept = dict(keyring.execute("SELECT id, wrapped FROM key"))
        assert kept[fay] is None
        assert kept[LOCAL_READER] is not None


def test_the_dead_letters_of_people_are_listed_although_accounts_are_off(tmp_path: Path) -> None:
    operator = Operator(tmp_path / "data")
    operator.create("ann")
    broken = event("accounts.account-requested.v1", "a-1", {"at": "never"})
    position = append(operator.folder, "a-1", broken, "accounts")

    def letters() -> dict[str, str]:
        listed = CliRunner().invoke(dlq, ["list", "--json", "--data", str(operator.folder)])
        found = json.loads(listed.stdout)
        return {letter.get("process") or letter["view"]: letter["position"] for letter in found}

    # the command may be done before the process has come to the record
    until(lambda: letters() == {"registration": position, "people": position}, "both have the record")


def test_a_token_is_needed_at_an_address() -> None:
    refused = CliRunner().invoke(accounts, ["groups", "--url", "http://127.0.0.1:1"])
    assert (refused.exit_code, "--token-file" in refused.stderr) == (2, True)

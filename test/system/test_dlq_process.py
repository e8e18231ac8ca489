"""`bookshelf dlq --process`: the dead letters of a process are listed, retried and given up."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.logfile import append, event
from support.process import bookshelf
from support.program import Program
from support.until import until

pytestmark = pytest.mark.slow

ACCOUNTS = {"BOOKSHELF_ACCOUNTS": "on"}
PROCESS, TOPIC = "registration", "accounts"


def dead_letters(data: Path) -> list[dict[str, Any]]:
    """Return the dead letters of the process."""
    found = json.loads(bookshelf("dlq", "list", "--json", "--data", data).well)
    return [letter for letter in found if letter.get("process") == PROCESS]


def test_the_dead_letter_of_a_process_is_given_up_for_it_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Program(data, env=ACCOUNTS).ready() as up:
        assert up.stop().well
    position = append(data, "a-1", event("accounts.account-requested.v1", "a-1", {"at": "never"}), TOPIC)
    with Program(data, env=ACCOUNTS).ready() as up:
        until(lambda: dead_letters(data), "the process has read the record")
        assert [letter["position"] for letter in dead_letters(data)] == [position]
        retried = bookshelf("dlq", "retry", "--process", PROCESS, "--data", data).well
        assert retried.startswith("0 applied")
        others = bookshelf("dlq", "drop", "--process", "stocking", position, "--data", data).complaint
        assert f"there is no process stocking; there are forgetting, {PROCESS}" in others
        dropped = bookshelf("dlq", "drop", "--process", PROCESS, position, "--data", data).well
        assert dropped.startswith(f"{position} is given up")
        assert dead_letters(data) == []
        again = bookshelf("dlq", "drop", "--process", PROCESS, position, "--data", data).complaint
        assert f"there is no dead letter at {position}" in again
        # the view of people has not given it up
        assert position in bookshelf("dlq", "list", "--data", data).well
        assert up.stop().well

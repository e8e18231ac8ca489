"""`dlq drop --process` under load: the shelf is killed -9 right after it, and nothing else is given up."""

import json
import time
from pathlib import Path

import pytest
from chaos.kafka.result_table import Row
from chaos.kafka.trial import ROUNDS
from support.client import Client
from support.logfile import append, event, read_log
from support.process import bookshelf
from support.program import Program
from support.until import until

pytestmark = [pytest.mark.chaos, pytest.mark.slow]
ON = {"BOOKSHELF_ACCOUNTS": "on"}
PROCESS, TOPIC = "registration", "accounts"
PASSWORD = "correct horse battery staple"  # noqa: S105 (of people of this test)
#: Registrations of one round: half of them before the drop, all after it.
PEOPLE = 6


def register(client: Client, handle: str) -> int:
    """Register a person with a key; return the status."""
    person = {"handle": handle, "name": handle, "email": f"{handle}@example.org", "password": PASSWORD}
    return client.ask("POST", "/bookshelf/accounts", person, Idempotency_Key=f"key-{handle}").status


def dead_letters(data: Path) -> list[str]:
    """Return the positions of the dead letters of the process."""
    found = json.loads(bookshelf("dlq", "list", "--json", "--data", data).well)
    return [letter["position"] for letter in found if letter.get("process") == PROCESS]


def play(data: Path, number: int) -> float:
    """Drop a dead letter of the process between registrations; return the seconds until it is ready again."""
    position = append(data, f"a-{number}", event("accounts.account-requested.v1", "a-1", {"at": "x"}), TOPIC)
    handles = [f"p{number}-{each}" for each in range(PEOPLE)]
    with Program(data, env=ON).ready() as up:
        client = Client(up.note.url)
        until(lambda: dead_letters(data), "the process has read the record")
        assert [register(client, handle) for handle in handles[:3]] == [201] * 3
        assert bookshelf("dlq", "drop", "--process", PROCESS, position, "--data", data).well
        up.kill()
    began = time.monotonic()
    with Program(data, env=ON).ready() as up:
        client = Client(up.note.url)
        ready_s = time.monotonic() - began
        assert dead_letters(data) == []
        # those of before are there, once, and others follow
        assert [register(client, handle) for handle in handles] == [201] * PEOPLE
        assert up.stop().well
    return ready_s


def test_a_dropped_dead_letter_of_a_process_stays_dropped(tmp_path: Path, table: list[Row]) -> None:
    with Program(tmp_path, env=ON).ready() as up:
        assert up.stop().well
    played = [play(tmp_path, number) for number in range(ROUNDS)]
    opened = sum(b"accounts.account-opened.v1" in line.value for line in read_log(tmp_path, TOPIC))
    acknowledged = ROUNDS * PEOPLE
    lost, doubled = max(acknowledged - opened, 0), max(opened - acknowledged, 0)
    assert (lost, doubled) == (0, 0)
    fault = "embedded shelf: kill -9 after `dlq drop --process`"
    table.append(Row(fault, ROUNDS, acknowledged, 0, lost, doubled, 0.0, max(played)))

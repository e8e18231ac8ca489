"""One backup that is taken while clients write, and restored after kill -9."""

import json
import time
from pathlib import Path
from random import Random
from typing import NamedTuple

from chaos.expected_state import ExpectedState, check_views
from chaos.writers import Attempt, WriterGroup
from support.process import bookshelf
from support.program import Program
from support.until import until


class Restoration(NamedTuple):
    """Commands acknowledged before the backup began, how many of them are missing, how many doubled."""

    acknowledged: int
    lost: int
    doubled: int
    ready_s: float


def back_up_and_restore(folder: Path, random: Random) -> Restoration:
    """Take a backup under load, kill the shelf later, restore; send again what was lost since the backup."""
    data = folder / "data"
    with Program(data).ready() as up, WriterGroup("backup", random, [up.client, up.ports]) as writer_group:
        until(lambda: writer_group.acknowledged >= 50, "50 commands are done")
        before = [one for one in writer_group.attempts if one.acknowledged]
        made = bookshelf("backup", folder / "backups", "--data", data, "--json").well
        end = writer_group.acknowledged
        until(lambda: writer_group.acknowledged >= end + 50, "50 more commands are done")
        up.kill()
    began = time.monotonic()
    assert bookshelf("restore", json.loads(made)["backup"], "--data", data, "--replace").well
    with Program(data).ready() as up:
        ready_s = time.monotonic() - began
        expected = ExpectedState(data)
        check_views(up.client, expected)
        _send_again(up, [one for one in writer_group.attempts if one.key and not expected.keys[one.key]])
        expected = ExpectedState(data)
        check_views(up.client, expected)
        assert up.stop().well
    return Restoration(
        acknowledged=len(before),
        lost=sum(expected.marks[one.mark] == 0 for one in before),
        doubled=sum(expected.marks[one.mark] > 1 for one in writer_group.attempts),
        ready_s=ready_s,
    )


def _send_again(up: Program, lost: list[Attempt]) -> None:
    """Add the books again that were added since the backup, each twice with its key."""
    books = [one for one in lost if one.path == "/books"]
    assert books
    for one in [*books, *books]:
        assert one.send(up.client).status == 201

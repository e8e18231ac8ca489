"""README.rst is true: its commands exist, and its requests get the described answers."""

import re
import shlex
from pathlib import Path

import pytest
from support.process import ROOT, bookshelf
from support.program import Program
from support.readme import README, REQUESTS, STATUSES, blocks, played

from bookshelf.runtime.backup import find_backups
from bookshelf.services import SERVICES

_TARGET = re.compile(r"^([a-z]+):.*##", re.MULTILINE)


@pytest.fixture(scope="module", name="played")
def played_once(running: Program, tmp_path_factory: pytest.TempPathFactory) -> list[list[int]]:
    """The statuses of every block's requests, all run in one shell, in order."""
    return played(tmp_path_factory.mktemp("readme"), running.note.url)


@pytest.mark.needs("curl")
@pytest.mark.parametrize("number", range(len(STATUSES)))
def test_the_requests_of_the_readme_are_answered(played: list[list[int]], number: int) -> None:
    assert played[number] == STATUSES[number], REQUESTS[number]


def test_every_request_is_checked() -> None:
    assert len(REQUESTS) == len(STATUSES)


@pytest.mark.needs("curl")
def test_the_requests_of_the_readme_have_their_effects(played: list[list[int]], running: Program) -> None:
    assert played
    assert running.client.books() == []  # added once, finished, changed, taken off again


def test_the_make_targets_of_the_readme_exist() -> None:
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    said = set(re.findall(r"^make ([a-z]+)", "\n".join(blocks()), re.MULTILINE))
    assert {"run", "test"} <= said <= targets


def test_the_commands_of_the_readme_exist(running: Program, tmp_path: Path) -> None:
    library = tmp_path / "my-library.csv"
    library.write_text("title,author\nReadme,x\n")
    lines = [line for block in blocks() for line in block.splitlines() if ".venv/bin/bookshelf" in line]
    assert lines
    backup = ""
    for line in lines:
        words = [word for word in shlex.split(line, comments=True) if not word.startswith("BOOKSHELF_")]
        _, command, file, *options = words
        match command:
            case "demo" | "up":
                continue  # test_demo.py runs them
            case "backup":
                target = tmp_path / file
                done = bookshelf(command, target, "--data", running.data, *options)
                (made,) = find_backups(target)
                backup = made.name
            case "restore":
                data = tmp_path / options[options.index("--data") + 1]
                done = bookshelf(command, (tmp_path / file).with_name(backup), "--data", data)
            case _:
                done = bookshelf(command, tmp_path / file, "--url", running.note.url)
        assert done.code == 0, line


def test_the_paths_of_the_readme_exist() -> None:
    named = re.findall(
        r"(?<![\w/])((?:bookshelf|docs|gateway|test)/[\w./-]*[\w/]|[A-Z]+\.(?:md|rst))", README
    )
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_readme_s_table_of_services_equals_services_py() -> None:
    for service in SERVICES:
        cells = (service.name, ", ".join(service.tags), str(service.port), service.summary)
        row = "  +".join(re.escape(cell) for cell in cells)
        assert re.search(rf"^{row}$", README, re.MULTILINE), row

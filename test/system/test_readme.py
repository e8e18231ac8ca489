"""What README.rst says is true: its commands exist, and its requests are answered as it says."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from support.process import ROOT, bookshelf
from support.program import Program

from bookshelf.services import SERVICES

README = (ROOT / "README.rst").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^\.\. code-block:: shell\n\n((?:   .*\n|\n)+)", re.MULTILINE)
_TARGET = re.compile(r"^([a-z]+):.*##", re.MULTILINE)


def blocks() -> list[str]:
    """Return every block of shell commands, in order."""
    return [re.sub(r"^   ", "", block, flags=re.MULTILINE).strip() for block in _BLOCK.findall(README)]


REQUESTS = [block for block in blocks() if "curl" in block]
#: What the answers of each block are, by the status of each curl in it.
STATUSES = ([201], [200], [200, 204], [200, 200], [200, 204])


@pytest.fixture(scope="module")
def played(running: Program, tmp_path_factory: pytest.TempPathFactory) -> list[list[int]]:
    """The statuses of every block's requests, all run in one shell, in order."""
    place = tmp_path_factory.mktemp("readme")
    wrapper = place / "curl"
    real = subprocess.run(["which", "curl"], check=True, capture_output=True, text=True).stdout.strip()
    wrapper.write_text(f"#!/bin/sh\nexec {real} -w '%{{stderr}}%{{http_code}}\\n' \"$@\"\n")
    wrapper.chmod(0o755)
    script = "\necho -- >&2\n".join(REQUESTS).replace("http://localhost:8000", running.note.url)
    path = f"{place}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-euc", script], env={"PATH": path}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done
    return [[int(code) for code in part.split()] for part in done.stderr.split("--")]


@pytest.mark.needs("curl")
@pytest.mark.parametrize("number", range(len(STATUSES)))
def test_its_requests_are_answered(played: list[list[int]], number: int) -> None:
    assert played[number] == STATUSES[number], REQUESTS[number]


def test_every_request_is_checked() -> None:
    assert len(REQUESTS) == len(STATUSES)


@pytest.mark.needs("curl")
def test_what_they_did_is_there(played: list[list[int]], running: Program) -> None:
    assert played
    assert running.client.books() == []  # added once, finished, changed, taken off again


def test_its_make_targets_exist() -> None:
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    said = set(re.findall(r"^make ([a-z]+)", "\n".join(blocks()), re.MULTILINE))
    assert {"run", "test"} <= said <= targets


def test_its_commands_exist(running: Program, tmp_path: Path) -> None:
    library = tmp_path / "my-library.csv"
    library.write_text("title,author\nReadme,x\n")
    lines = [line for block in blocks() for line in block.splitlines() if ".venv/bin/bookshelf" in line]
    assert lines
    for line in lines:
        _, command, file = shlex.split(line)
        assert bookshelf(command, tmp_path / file, "--url", running.note.url).code == 0, line


def test_its_paths_exist() -> None:
    named = re.findall(
        r"(?<![\w/])((?:bookshelf|docs|gateway|test)/[\w./-]*[\w/]|[A-Z]+\.(?:md|rst))", README
    )
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_its_table_of_services_is_the_table_of_contents() -> None:
    for service in SERVICES:
        row = f"{service.name:<14} {', '.join(service.tags):<13} {service.port}"
        assert row in README, row

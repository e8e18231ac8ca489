"""README.rst as a program: its shell blocks, and what its requests are answered."""

import os
import re
import subprocess
from pathlib import Path
from threading import Timer

from support.client import Client
from support.process import ROOT

README = (ROOT / "README.rst").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^\.\. code-block:: shell\n\n((?:   .*\n|\n)+)", re.MULTILINE)


def blocks() -> list[str]:
    """Return every block of shell commands, in order."""
    return [re.sub(r"^   ", "", block, flags=re.MULTILINE).strip() for block in _BLOCK.findall(README)]


REQUESTS = [block for block in blocks() if "curl -s" in block]
#: What the answers of each block are, by the status of each curl in it.
STATUSES = ([201], [200], [200, 204], [200, 200], [200, 204])


#: What curl writes to standard error for each request, by its configuration file: the lines stay as they are.
_WRITE_OUT = 'write-out = "%{stderr}%{http_code} %header{bookshelf-position}\\n"\n'
_END = "--"
_DEADLINE_S = 120.0


def played(place: Path, url: str = "http://localhost:8000") -> list[list[int]]:
    """Run every block's requests as they stand, in one shell; return their statuses, block by block.

    Only the port is replaced. Blocks follow each other faster than a reader types them, so the views are
    awaited after each block.
    """
    (place / ".curlrc").write_text(_WRITE_OUT)
    environment = {"PATH": os.environ["PATH"], "CURL_HOME": str(place)}
    client, statuses = Client(url, "/bookshelf"), []
    with (
        (place / "answers").open("w") as answers,
        subprocess.Popen(
            ["sh", "-eu"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=answers,
            stderr=subprocess.PIPE,
            text=True,
        ) as shell,
    ):
        deadline = Timer(_DEADLINE_S, shell.kill)
        deadline.start()
        try:
            for block in REQUESTS:
                lines = _run_block(shell, block.replace("http://localhost:8000", url))
                statuses.append([int(line.split()[0]) for line in lines])
                for line in lines:
                    _await_views(client, line.partition(" ")[2].strip())
        finally:
            deadline.cancel()
            shell.kill()
    return statuses


def _run_block(shell: "subprocess.Popen[str]", block: str) -> list[str]:
    """Run one block; return what curl wrote of each request."""
    assert shell.stdin is not None
    assert shell.stderr is not None
    shell.stdin.write(f"{block}\necho {_END} >&2\n")
    shell.stdin.flush()
    lines: list[str] = []
    while (line := shell.stderr.readline().strip()) != _END:
        assert line, (block, lines)
        lines.append(line)
    return lines


def _await_views(client: Client, position: str) -> None:
    """Return once the views have applied the record at a position, if there is one."""
    if position:
        for path in ("/books", "/books/last/read"):
            assert client.get(path, Bookshelf_After=position).status == 200

"""Pages of the docs as programs: their blocks, applied to a folder as they stand, or run."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from support.process import ROOT

PAGE = ROOT / "docs" / "add-a-service.md"
_BLOCK = re.compile(
    r"(?:^(?P<verb>Create|Append to|In) `(?P<path>[^`]+)`:\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """One code block: of what kind, and what the line above it does with which file."""

    kind: str
    text: str
    verb: str
    path: str


def page_blocks(page: Path = PAGE) -> Iterator[Block]:
    """Yield every block of a page, in order. A second block on one file needs no line above it."""
    path = ""
    for found in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        path = found["path"] or path
        yield Block(found["kind"], found["text"], found["verb"] or "", path)


def copy_of_the_project(to: Path) -> Path:
    """Copy what git keeps of the project, with this interpreter as its .venv."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    (to / ".venv").symlink_to(sys.prefix)
    subprocess.run(["git", "init", "-q"], cwd=to, check=True)
    return to


def apply_block(root: Path, block: Block) -> None:
    """Change the copy as a block of the page describes. Fails if the file is not as the block has it."""
    file = root / block.path
    if block.kind == "diff":
        lines = block.text.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in "- ")
        new = "".join(line[1:] for line in lines if line[0] in "+ ")
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{block.path} does not have these lines once:\n{old}"
        file.write_text(text.replace(old, new), encoding="utf-8")
    elif block.verb == "Append to":
        with file.open("a", encoding="utf-8") as end:
            end.write(block.text)
    elif block.verb == "Create":
        assert not file.exists(), file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text, encoding="utf-8")

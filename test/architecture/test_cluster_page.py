"""The tests that docs/cluster.md names for its promises exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NAMED = re.compile(r"`(test/[a-z_/]+\.py)?::(test_\w+)`")


def named() -> list[tuple[str, str]]:
    """Return the file and the name of each test in the table; a name without a file is of the one before."""
    found: list[tuple[str, str]] = []
    for line in (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8").splitlines():
        file = ""
        for match in _NAMED.finditer(line):
            file = match[1] or file
            found.append((file, match[2]))
    return found


def test_every_test_that_the_page_names_is_there() -> None:
    assert len(named()) > 30
    missing = [(file, name) for file, name in named() if name not in _tests_of(file)]
    assert missing == []


def _tests_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}

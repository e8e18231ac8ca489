"""Python files as the laws read them: a dotted name, a path, a syntax tree."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bench", "bookshelf", "gateway")
# Vendored as published, with the addresses of its authors.
VENDORED = ("gateway/swagger/swagger-ui", "test/fixtures/axe/")


@dataclass(frozen=True)
class Module:
    """One file; a package's name stands for its __init__.py."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        """What a relative import in this file starts from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]


def modules(root: Path, folders: tuple[str, ...] = PACKAGES) -> list[Module]:
    """Every Python file in the folders; raise LookupError for a folder that has none."""
    in_folder = _read_once if root == ROOT else _in_folder
    found = [module for folder in folders for module in in_folder(root, folder)]
    return sorted(found, key=lambda module: module.name)


@cache
def _read_once(root: Path, folder: str) -> list[Module]:
    """Read the project's own files once for all laws."""
    return list(_in_folder(root, folder))


def _in_folder(root: Path, folder: str) -> Iterator[Module]:
    files = list((root / folder).rglob("*.py"))
    if not files:
        raise LookupError(f"no Python files in {folder}/: a law over nothing proves nothing")
    for path in files:
        text = path.read_text(encoding="utf-8")
        yield Module(_name(path.relative_to(root)), path, text, ast.parse(text, filename=str(path)))


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def kept(root: Path) -> list[Path]:
    """Every file that git keeps, or would keep at the next add; vendored ones left out."""
    # Any owner: a CI machine's root reads what another user has checked out.
    git = ["git", "-c", "safe.directory=*", "-C", str(root)]
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
    )
    names = [name for name in listed.stdout.decode().split("\0") if name and not name.startswith(VENDORED)]
    return [path for name in names if (path := root / name).is_file()]

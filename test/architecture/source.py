"""Python files as the laws read them: a dotted name, a path, a syntax tree."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bookshelf", "gateway")


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
    found = [module for folder in folders for module in _in_folder(root, folder)]
    return sorted(found, key=lambda module: module.name)


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

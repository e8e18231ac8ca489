"""What tests leave alone: patches, and sleeps in place of a condition."""

import ast
from collections.abc import Iterator

from architecture.source import Module

PATCHES = {"patch", "setattr", "delattr", "setitem", "delitem"}
# A pause that is itself tested, and not synchronisation, has a reason.
REASON = "# sleep:"


def patches(found: list[Module]) -> list[str]:
    """Return each use of mock.patch, and of monkeypatch for more than the environment."""
    return [
        f"{module.name}:{line} patches: hand the port another adapter"
        for module in found
        for line in _patches(module)
    ]


def _patches(module: Module) -> Iterator[int]:
    for node in ast.walk(module.tree):
        match node:
            case ast.ImportFrom(module="unittest.mock" | "mock", names=names):
                yield from (node.lineno for alias in names if alias.name == "patch")
            case ast.Attribute(value=ast.Name(id="mock") | ast.Attribute(attr="mock"), attr="patch"):
                yield node.lineno
            case ast.Attribute(value=ast.Name(id="monkeypatch"), attr=attr) if attr in PATCHES:
                yield node.lineno


def sleeps(found: list[Module]) -> list[str]:
    """Return each sleep without a reason on its line or the one above."""
    return [
        f"{module.name}:{line} sleeps: wait for a condition with a deadline, or say why after `{REASON}`"
        for module in found
        for line in _sleeps(module)
        if not _reasoned(module, line)
    ]


def _sleeps(module: Module) -> Iterator[int]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "sleep":
            yield node.lineno


def _reasoned(module: Module, line: int) -> bool:
    return any(REASON in text for text in module.text.splitlines()[max(line - 2, 0) : line])

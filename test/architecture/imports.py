"""What the import law asks of a set of modules, each question a pure function."""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from architecture.source import PACKAGES, Module

# Where the table is; part of the message about a new part.
TABLE = "test/architecture/test_import_law.py"

Law = dict[str, set[str]]

# The version is everybody's.
FREE = {"bookshelf"}

# Business code decides; clocks, ids and the outside world come to it with the command.
PURE = "bookshelf.cqrs"
PURE_LIBRARIES = {"msgspec"}
IMPURE_MODULES = {
    *("asyncio", "concurrent", "multiprocessing", "threading", "subprocess", "signal", "time"),
    *("http", "select", "selectors", "socket", "socketserver", "ssl", "sqlite3"),
    *("os", "pathlib", "shutil", "tempfile", "random", "secrets"),
}
IMPURE_CALLS = {"uuid1", "uuid4", "utcnow", "now", "today", "open", "input", "print"}

VAGUE = {"util", "utils", "helper", "helpers", "common", "base", "manager", "managers", "misc"}


def imported(module: Module, known: set[str]) -> Iterator[tuple[int, str]]:
    """Each import as (line, dotted name); `from x import y` is x.y when that is a module."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = _source(module, node)
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield node.lineno, inner if inner in known else source


def _source(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    above = module.package.split(".")[: 1 - node.level or None]
    return ".".join([*above, *filter(None, [node.module])])


def part_of(name: str, law: Law) -> str | None:
    """The part of the law that a module belongs to; a root stands only for its own __init__."""
    fits = [part for part in law if name == part or (part != "bookshelf" and name.startswith(f"{part}."))]
    return max(fits, key=len, default=None)


def _inside(name: str, parts: set[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def unlawful(found: list[Module], law: Law) -> list[str]:
    """Return each import that the table does not allow, and each module that is not in it."""
    known = {module.name for module in found}
    return [sentence for module in found for sentence in _judge(module, known, law)]


def _judge(module: Module, known: set[str], law: Law) -> Iterator[str]:
    part = part_of(module.name, law)
    if part is None:
        yield f"{module.name} has no line in the import law: add one to LAW in {TABLE}"
        return
    for line, name in imported(module, known):
        ours = name.partition(".")[0] in PACKAGES
        if ours and name not in FREE and part_of(name, law) != part and not _inside(name, law[part]):
            may = ", ".join(sorted(law[part])) or "nothing"
            yield f"{module.name}:{line} imports {name}; of ours {part} may import: {may}"


def impure(found: list[Module]) -> list[str]:
    """Return the uses of a clock, ids, randomness or the outside world in the pure part."""
    pure = [module for module in found if _inside(module.name, {PURE})]
    known = {module.name for module in found}
    return [sentence for module in pure for sentence in [*_libraries(module, known), *_calls(module)]]


def _libraries(module: Module, known: set[str]) -> Iterator[str]:
    allowed = (sys.stdlib_module_names - IMPURE_MODULES) | PURE_LIBRARIES | {"bookshelf"}
    for line, name in imported(module, known):
        if name.partition(".")[0] not in allowed:
            yield f"{module.name}:{line} imports {name}: {PURE} is pure"


def _calls(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.rpartition(".")[2] in IMPURE_CALLS:
                yield f"{module.name}:{node.lineno} calls {called}: {PURE} is pure"


def cycle(found: list[Module]) -> list[str]:
    """Name the modules of one circle of imports, if there is any; also those for types only."""
    known = {module.name for module in found}
    graph = {module.name: {name for _, name in imported(module, known)} & known for module in found}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(name) for name in error.args[1]]
    return []


def vague(found: list[Module]) -> list[str]:
    """Return the modules with unspecific names."""
    return [module.name for module in found if VAGUE & set(module.name.split("."))]

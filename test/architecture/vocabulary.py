"""What the vocabulary law asks of a set of modules: docs/glossary.md has the words."""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator

from architecture.source import Module

#: Words of the former private vocabulary, and verbs of speech: for programs other verbs are exact.
BANNED = re.compile(
    r"\b(whoever|whom|who|no one|nobody|for ever|lets? go|may well|mend(?:s|ed|ing)?|"
    r"tells?|told|says?|said|hears?|heard|believes?|believed|"
    r"pens?|doors?|strangers?|mailbox|overlay|scribe|seat|suspicion|sayings?)\b",
    re.IGNORECASE,
)
#: A message is a string of several words; one word is a key, a name or a part of a format.
_SEVERAL_WORDS = re.compile(r"\w\W+\w")
_LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
KEBAB_CASE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def prose_of(module: Module) -> Iterator[tuple[int, str]]:
    """Yield every comment, docstring and message of a module, with its line."""
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(module.tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and _SEVERAL_WORDS.search(node.value)
        ):
            yield node.lineno, node.value


def prose_of_tests(module: Module) -> Iterator[tuple[int, str]]:
    """Yield every comment, docstring and test name of tests with its line; other strings are data."""
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield getattr(node, "lineno", 1), ast.get_docstring(node, clean=False) or ""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.lineno, node.name.replace("_", " ")


def banned_words(
    modules: list[Module], prose: Callable[[Module], Iterator[tuple[int, str]]] = prose_of
) -> dict[str, list[str]]:
    """Return by module what it has of the banned words, each as `line: word`."""
    found: dict[str, list[str]] = {}
    for module in modules:
        # most have none anywhere, and need no closer look
        anywhere = BANNED.search(module.text.replace("_", " "))
        for line, text in prose(module) if anywhere else ():
            for word in BANNED.findall(text):
                found.setdefault(module.name, []).append(f"{line}: {word}")
    return found


def classes_declared_twice(modules: list[Module]) -> set[str]:
    """Return the names of public classes that more than one module declares."""
    declared = Counter(
        name
        for module in modules
        for name in {node.name for node in module.tree.body if isinstance(node, ast.ClassDef)}
        if not name.startswith("_")
    )
    return {name for name, count in declared.items() if count > 1}


def log_events(modules: list[Module]) -> dict[str, str]:
    """Return the names of all log events, each with a module that logs it."""
    events: dict[str, str] = {}
    for module in modules:
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            logger = node.func.value
            if not isinstance(logger, ast.Name) or logger.id != "_logger" or node.func.attr not in _LEVELS:
                continue
            # the name is the first argument, or the second after a level
            names = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            events |= dict.fromkeys((str(name) for name in names), module.name)
    return events


def terms(page: str) -> list[str]:
    """Return the terms of the glossary's tables, in order."""
    cells = [row.split("|")[1] for row in page.splitlines() if row.startswith("| ") and "|" in row[2:]]
    names = [name.strip() for cell in cells for name in re.split(r",|\(", cell.replace(")", ""))]
    return [name for name in names if name and name != "term"]

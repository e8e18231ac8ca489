"""How long files and functions are, and what is too long."""

import ast
from collections.abc import Iterator

from architecture.source import Module

Function = ast.FunctionDef | ast.AsyncFunctionDef


def too_long(sizes: dict[str, int], limit: int) -> list[str]:
    """Name each thing that has more lines than the limit."""
    return [f"{name} has {lines} lines, over {limit}" for name, lines in sizes.items() if lines > limit]


def file_sizes(found: list[Module]) -> dict[str, int]:
    """Lines of each file that has any."""
    return {module.name: lines for module in found if (lines := len(module.text.splitlines()))}


def function_sizes(found: list[Module]) -> dict[str, int]:
    """Lines of each function from its def to its end, without decorators and docstring."""
    return {
        f"{module.name}:{node.lineno} {node.name}": _lines(node)
        for module in found
        for node in _functions(module)
    }


def _functions(module: Module) -> Iterator[Function]:
    return (node for node in ast.walk(module.tree) if isinstance(node, Function))


def _lines(node: Function) -> int:
    said = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
    return _span(node) - (_span(said) if said else 0)


def _span(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1

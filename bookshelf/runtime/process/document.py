"""Writes docs/processes.md: the arrows of every process, and the calls of every connector, with their cycles.

What an arrow sends, and which events a command can lead to, is read from the source of the pure functions.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any, NamedTuple

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.connector import Connector
from bookshelf.cqrs.message import Command, Event
from bookshelf.cqrs.process import Process, Send
from bookshelf.cqrs.service import Service

REFUSAL = "a refusal"
_INTRODUCTION = """# Processes and connectors
Each process turns events of its topic into commands, and each connector into calls of an outside system,
whose answers become commands ([how it works](how-it-works.md)). `make docs` writes this page from the code.
"""
_NONE = "\nNo service of the project runs a process or a connector yet.\n"
#: In the place of the command that an arrow or a call sends, if it sends none.
_NO_COMMAND = "nothing"


class ArrowRow(NamedTuple):
    """One row of the table: after an event, or a refusal, an arrow sends a command to an aggregate.

    So does a call of a connector, or it sends nothing.
    """

    event: str
    arrow: str
    command: type[Command] | None
    to: Aggregate[Any] | None


def rows_of(sender: Process | Connector) -> list[ArrowRow]:
    """Return the table of a process or a connector. Raises ValueError for what cannot be read as an arrow."""
    arrows: list[tuple[str, Callable[..., Any]]]
    if isinstance(sender, Connector):
        arrows = [(event.__name__, call) for event, call in sender.calls.items()]
    else:
        arrows = [
            (event.__name__, arrow) for row in sender.arrows for event in row.events for arrow in row.then
        ]
        if sender.refused is not None:
            arrows.append((REFUSAL, sender.refused))
    found: list[ArrowRow] = []
    for event, arrow in arrows:
        sends = [ArrowRow(event, arrow.__name__, command, to) for to, command in sends_of(arrow)]
        found += sends or [ArrowRow(event, arrow.__name__, None, None)]
    return found


def sends_of(arrow: Callable[..., Any]) -> list[tuple[Aggregate[Any], type[Command]]]:
    """Return what a function can send, with the functions of its module that it calls.

    Raises ValueError unless each `Send` names its aggregate and makes its command.
    """
    found: dict[tuple[str, str], tuple[Aggregate[Any], type[Command]]] = {}
    for function, tree in _with_called(arrow):
        values = {
            target.id: node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call) or _resolve(call.func, function) is not Send:
                continue
            command = call.args[2] if len(call.args) > 2 else None  # noqa: PLR2004 (to, subject, command)
            if isinstance(command, ast.Name):
                command = values.get(command.id)
            kind = _resolve(command.func, function) if isinstance(command, ast.Call) else None
            to = _resolve(call.args[0], function) if call.args else None
            if not isinstance(to, Aggregate) or kind not in to.takes:
                msg = f"{arrow.__module__}.{arrow.__name__}: write Send(AGGREGATE, subject, Command(...)), "
                raise ValueError(msg + "of a command that the aggregate takes by topic")
            found[to.name, kind.__name__] = to, kind
    return list(found.values())


def events_of(aggregate: Aggregate[Any], command: type[Command]) -> tuple[list[type[Event]], bool]:
    """Return the events that a command can lead to, and whether it can also append nothing.

    These are the events made in the cases of `decide` for the command; in all of it if it has no such case.
    """
    decide = aggregate.decide
    [(function, tree), *_] = _with_called(decide)
    cases = [
        case
        for case in ast.walk(tree)
        if isinstance(case, ast.match_case)
        and any(
            isinstance(pattern, ast.MatchClass) and _resolve(pattern.cls, function) is command
            for pattern in ast.walk(case.pattern)
        )
    ]
    parts: Sequence[ast.AST] = cases or [tree]
    nothing = not cases or all(case.guard is not None for case in cases)
    events: dict[str, type[Event]] = {}
    for part in parts:
        for maker, inner in [(function, part), *_called(function, part, {decide})]:
            for node in ast.walk(inner):
                nothing = nothing or (isinstance(node, ast.List) and not node.elts)
                made = _resolve(node.func, maker) if isinstance(node, ast.Call) else None
                if isinstance(made, type) and issubclass(made, Event):
                    events[made.__name__] = made
    return list(events.values()), nothing


def cycles_of(sender: Process | Connector) -> list[tuple[list[str], bool]]:
    """Return each cycle of arrows by its events and commands, and whether one decision may append nothing."""
    leads: dict[str, dict[str, tuple[list[str], bool]]] = {}
    for row in rows_of(sender):
        if row.command is None or row.to is None:
            continue
        events, nothing = events_of(row.to, row.command)
        names = [event.__name__ for event in events]
        leads.setdefault(row.event, {})[row.command.__name__] = names, nothing
    found: dict[frozenset[str], tuple[list[str], bool]] = {}
    for event in leads:
        for path, nothing in _paths_back(leads, event, [event], nothing=False):
            found.setdefault(frozenset(path), (path, nothing))
    return list(found.values())


def _paths_back(
    leads: Mapping[str, Mapping[str, tuple[list[str], bool]]], goal: str, path: list[str], *, nothing: bool
) -> Iterator[tuple[list[str], bool]]:
    for command, (events, may) in leads.get(path[-1], {}).items():
        for event in events:
            if event == goal:
                yield [*path, command], nothing or may
            elif event not in path:
                yield from _paths_back(leads, goal, [*path, command, event], nothing=nothing or may)


def processes_page(services: Iterable[Service]) -> str:
    """Return the text of docs/processes.md."""
    parts = [(service, sender) for service in services for sender in service.senders]
    return _INTRODUCTION + ("".join(_section(*part) for part in parts) or _NONE)


def _section(service: Service, sender: Process | Connector) -> str:
    rows = rows_of(sender)
    table = [
        f"| {row.event} | `{row.arrow}` | {_name(row.command)} | {row.to.name if row.to else ''} |"
        for row in rows
    ]
    cycles = [
        f"- {' → '.join([*path, path[0]])}" + ("" if nothing else " (**it never ends**)")
        for path, nothing in cycles_of(sender)
    ]
    ending = ["Cycles; in each, a decision can append nothing:", *cycles] if cycles else ["It has no cycles."]
    role, verb = ("Connector", "calls") if isinstance(sender, Connector) else ("Process", "arrow")
    lines = [
        f"\n## {sender.name}",
        f"{role}. Runs in the service {service.name}, on the topic `{sender.topic}`.",
        *("", f"| after | {verb} | sends | to |", "|---|---|---|---|", *table),
        *("", "```mermaid", "flowchart LR", *_edges(rows), "```", "", *ending, ""),
    ]
    return "\n".join(lines)


def _name(command: type[Command] | None) -> str:
    return _NO_COMMAND if command is None else command.__name__


def _edges(rows: Iterable[ArrowRow]) -> list[str]:
    edges: dict[str, None] = {}
    for row in rows:
        event = row.event.replace(" ", "_")
        if row.command is None or row.to is None:
            edges[f"  {event} -- {row.arrow} --> {_NO_COMMAND}([{_NO_COMMAND}])"] = None
            continue
        command = f"{row.to.name}_{row.command.__name__}".replace("-", "_")
        edges[f"  {event} -- {row.arrow} --> {command}([{row.command.__name__}])"] = None
        for led_to in events_of(row.to, row.command)[0]:
            edges[f"  {command} -. {row.to.name} .-> {led_to.__name__}"] = None
    return list(edges)


def _with_called(function: Callable[..., Any]) -> list[tuple[Callable[..., Any], ast.AST]]:
    """Return the source of a function, and of those of its module that it calls."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return [(function, tree), *_called(function, tree, {function})]


def _called(
    function: Callable[..., Any], tree: ast.AST, known: set[Callable[..., Any]]
) -> list[tuple[Callable[..., Any], ast.AST]]:
    found: list[tuple[Callable[..., Any], ast.AST]] = []
    for node in ast.walk(tree):
        called = _resolve(node.func, function) if isinstance(node, ast.Call) else None
        if not isinstance(called, FunctionType) or called in known:
            continue
        if called.__module__ == function.__module__:
            known.add(called)
            inner = ast.parse(textwrap.dedent(inspect.getsource(called)))
            found += [(called, inner), *_called(called, inner, known)]
    return found


def _resolve(node: ast.expr, function: Callable[..., Any]) -> Any:  # noqa: ANN401 (whatever the name stands for)
    """Return what a name or a dotted name stands for in the module of a function; None if that is unknown."""
    if isinstance(node, ast.Attribute):
        return getattr(_resolve(node.value, function), node.attr, None)
    scope: Mapping[str, Any] = getattr(function, "__globals__", {})
    return scope.get(node.id) if isinstance(node, ast.Name) else None

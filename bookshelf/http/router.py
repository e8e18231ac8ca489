"""Finds the endpoint of a method and a raw path. Literal segments take precedence over {parameters}."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote

from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem

Endpoint = Callable[[Request, Mapping[str, str]], Awaitable[Response]]
T = TypeVar("T")

#: Characters of a path; a longer one has no route.
_MAX_PATH = 2048


@dataclass(slots=True)
class _Node(Generic[T]):
    literal: dict[str, "_Node[T]"] = field(default_factory=dict)
    variable: "_Node[T] | None" = None
    methods: dict[str, tuple[str, tuple[str, ...], T]] = field(default_factory=dict)


class Router(Generic[T]):
    """Routes as a tree of path segments. T is the type of a route's target."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, method: str, template: str, target: T) -> None:
        """Add the route of `method` and a template like `/books/{id}`; a GET route answers HEAD too."""
        node, names = self._root, []
        for segment in template.split("/")[1:]:
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.variable = node = node.variable or _Node()
            else:
                node = node.literal.setdefault(segment, _Node())
        node.methods[method] = (template, tuple(names), target)
        if method == "GET":
            node.methods.setdefault("HEAD", node.methods[method])

    def find(self, method: str, path: str) -> tuple[T, str, dict[str, str]]:
        """Return the target, its template and the parameters. Raises `Problem`: no-route, method."""
        values: list[str] = []
        node = _walk(self._root, path.split("/")[1:], values) if len(path) <= _MAX_PATH else None
        if node is None:
            msg = "nothing is served at this path; /openapi.json lists what is"
            raise Problem("no-route", msg)
        try:
            template, names, target = node.methods[method]
        except KeyError:
            allowed = ", ".join(sorted(node.methods))
            msg = f"this path takes {allowed}"
            raise Problem("method", msg, Allow=allowed) from None
        return target, template, dict(zip(names, map(_decoded, values), strict=True))


def _walk(node: _Node[T], segments: list[str], values: list[str]) -> _Node[T] | None:
    for place, segment in enumerate(segments):
        literal = node.literal.get(segment)
        if literal is not None:
            mark = len(values)
            ahead = _walk(literal, segments[place + 1 :], values)
            if ahead is not None:
                return ahead
            del values[mark:]
        if node.variable is None or not segment:
            return None
        values.append(segment)
        node = node.variable
    return node if node.methods else None


def _decoded(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        msg = "the path is not UTF-8 once its percent signs are decoded"
        raise Problem("malformed", msg) from None

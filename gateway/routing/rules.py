"""The operator's own rules: routes that no service declares, routes that are closed, and who may claim what.

[[add]]
methods = ["GET"]
path = "/covers/{id}"
tags = ["covers"]

[[forbid]]
path = "/books/{id}/*"
methods = ["DELETE"]

[allow]
"newbook" = ["/books"]
"*" = ["/"]
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
from msgspec import Meta

from bookshelf.config import WrongSetting
from gateway.routing.operation import Path

#: First segments that no one may claim: what the gateway itself answers, and every service on its own port.
RESERVED = frozenset({"apidocs", "gateway", "health", "metrics", "openapi.json"})
Method = Annotated[str, Meta(pattern="^[A-Z]{1,20}$")]
_PREFIX = re.compile(r"/|(/[A-Za-z0-9._~-]+)+")
_VARIABLE = re.compile(r"\{[^{}]*\}")


#: The tables that they are written in.
TABLES = ("add", "forbid", "allow")


class BadRules(WrongSetting):
    """The rules cannot be read, or say something that cannot be; says where and what."""


class Added(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A route that no service declares. `keyed`: see Operation."""

    path: Path
    tags: Annotated[tuple[str, ...], Meta(min_length=1)]
    methods: tuple[Method, ...] = ("GET",)
    deadline_s: Annotated[float, Meta(gt=0, le=3600)] | None = None
    keyed: bool = False


class Forbidden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Requests that are not forwarded, whoever would answer them. A last segment * is anything below."""

    path: str
    methods: tuple[Method, ...] = ()

    def covers(self, method: str, path: str) -> bool:
        """Whether a request's raw path, or a template, is one of these. What is encoded counts as decoded."""
        if self.methods and method not in self.methods and (method != "HEAD" or "GET" not in self.methods):
            return False
        wanted, given = self.path.split("/")[1:], [unquote(one) for one in path.split("/")[1:]]
        if wanted[-1] == "*":
            wanted.pop()
            given = given[: len(wanted)]
        return len(wanted) == len(given) and all(map(_same, wanted, given))


def _same(wanted: str, given: str) -> bool:
    return wanted == given or (wanted.startswith("{") and bool(given))


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of them. `allow`: the prefixes that services of a name may claim; * for every other name."""

    add: tuple[Added, ...] = ()
    forbid: tuple[Forbidden, ...] = ()
    allow: dict[str, tuple[str, ...]] = msgspec.field(default_factory=lambda: {"*": ("/",)})

    def forbids(self, method: str, path: str) -> bool:
        """Whether a request is not forwarded."""
        return any(one.covers(method, path) for one in self.forbid)

    def allows(self, service: str, path: str) -> bool:
        """Whether a service may claim a path: it is, or is below, one of its prefixes."""
        prefixes = self.allow.get(service, self.allow.get("*", ()))
        return any(f"{path}/".startswith(f"{prefix.rstrip('/')}/") for prefix in prefixes)


def shape(path: str) -> str:
    """Return a template without its parameters' names: what differs only in them is the same route."""
    return _VARIABLE.sub("{}", path)


def parse(given: Mapping[str, Any]) -> Rules:
    """Read the rules of a file's content. Raises `BadRules`."""
    try:
        rules = msgspec.convert(given, Rules)
    except msgspec.ValidationError as fault:
        raise BadRules(str(fault)) from None
    _check("forbid", [one.path for one in rules.forbid], re.compile(r"(/[^/?#\s]+)+"))
    _check("allow", [prefix for prefixes in rules.allow.values() for prefix in prefixes], _PREFIX)
    return rules


def loads(text: str) -> dict[str, Any]:
    """Read TOML. Raises `BadRules`."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as fault:
        raise BadRules(f"no TOML: {fault}") from None


def _check(table: str, paths: Sequence[str], form: re.Pattern[str]) -> None:
    for path in paths:
        if form.fullmatch(path) is None:
            raise BadRules(f"{table}: {path!r} is no path")

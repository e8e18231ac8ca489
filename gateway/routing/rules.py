"""An operator's rules: added routes, forbidden requests, and the path prefixes that each service may declare.

The file with the rules is read at the start, when it changes, and on request.

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

[roots]
"wiki" = "/wiki"
"""

import asyncio
import pathlib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
import structlog
from msgspec import Meta

from bookshelf.config import WrongSetting
from gateway.routing.document import Path

#: First path segments that no service may declare: the gateway, and each service's own port, answer them.
RESERVED = frozenset({"apidocs", "gateway", "health", "metrics", "openapi.json"})
Method = Annotated[str, Meta(pattern="^[A-Z]{1,20}$")]
_PREFIX = re.compile(r"/|(/[A-Za-z0-9._~-]+)+")
_VARIABLE = re.compile(r"\{[^{}]*\}")


#: The tables of the rules file that hold these rules.
TABLES = ("add", "forbid", "allow", "roots")


class BadRules(WrongSetting):
    """The rules are malformed or invalid; the message gives the place and the reason."""


class Added(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A route that no service declares. `keyed`: see Operation."""

    path: Path
    tags: Annotated[tuple[str, ...], Meta(min_length=1)]
    methods: tuple[Method, ...] = ("GET",)
    deadline_s: Annotated[float, Meta(gt=0, le=3600)] | None = None
    keyed: bool = False


class Forbidden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Requests that are not forwarded, to no service. A last segment * matches everything below."""

    path: str
    methods: tuple[Method, ...] = ()

    def covers(self, method: str, path: str) -> bool:
        """Return True if a method and a raw path or template match; the path is compared percent-decoded."""
        if self.methods and method not in self.methods and (method != "HEAD" or "GET" not in self.methods):
            return False
        wanted, given = self.path.split("/")[1:], [unquote(segment) for segment in path.split("/")[1:]]
        if wanted[-1] == "*":
            wanted.pop()
            given = given[: len(wanted)]
        return len(wanted) == len(given) and all(
            one == two or (one.startswith("{") and two) for one, two in zip(wanted, given, strict=True)
        )


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rules. `allow`: the path prefixes that a service may declare, by name; * for all other services.

    `roots`: the root of the pages of a foreign service, by name; without it, such a service may have none.
    """

    add: tuple[Added, ...] = ()
    forbid: tuple[Forbidden, ...] = ()
    allow: dict[str, tuple[str, ...]] = msgspec.field(default_factory=lambda: {"*": ("/",)})

    roots: dict[str, str] = {}

    def forbids(self, method: str, path: str) -> bool:
        """Return True if a request must not be forwarded."""
        return any(rule.covers(method, path) for rule in self.forbid)

    def allows(self, service: str, path: str) -> bool:
        """Return True if a service may declare a path: it is equal to, or below, one of its prefixes."""
        prefixes = self.allow.get(service, self.allow.get("*", ()))
        return any(f"{path}/".startswith(f"{prefix.rstrip('/')}/") for prefix in prefixes)


def shape(path: str) -> str:
    """Return a template without its parameters' names, which do not distinguish routes."""
    return _VARIABLE.sub("{}", path)


def parse(given: Mapping[str, Any]) -> Rules:
    """Return the rules in the decoded content of a file. Raises `BadRules`."""
    try:
        rules = msgspec.convert(given, Rules)
    except msgspec.ValidationError as fault:
        raise BadRules(str(fault)) from None
    _check("forbid", [rule.path for rule in rules.forbid], re.compile(r"(/[^/?#\s]+)+"))
    _check("allow", [prefix for prefixes in rules.allow.values() for prefix in prefixes], _PREFIX)
    _check("roots", list(rules.roots.values()), _PREFIX)
    return rules


def loads(text: str) -> dict[str, Any]:
    """Decode TOML. Raises `BadRules`."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as fault:
        raise BadRules(f"no TOML: {fault}") from None


def _check(table: str, paths: Sequence[str], form: re.Pattern[str]) -> None:
    for path in paths:
        if form.fullmatch(path) is None:
            raise BadRules(f"{table}: {path!r} is not a valid path")


#: Seconds between two checks of the file, and its most bytes.
_LOOK_S = 0.5
_MOST = 1 << 20
_Stamp = tuple[int, int, int]
_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Section:
    """Some tables of the file. `take` checks them and returns what applies them, or raises `BadRules`."""

    tables: tuple[str, ...]
    take: Callable[[Mapping[str, Any]], Callable[[], None]]


#: Puts rules that have been checked into force; it can be called again.
Force = Callable[[], None]


class RulesInForce:
    """The rules that are in force: those of the gateway's own file, or those of a domain in their place.

    Both are applied as a whole, or not at all.
    """

    def __init__(self, *sections: Section) -> None:
        self._sections = sections
        self._own: tuple[Force, ...] | None = None
        self._of_domain: tuple[Force, ...] | None = None

    def take(self, given: Mapping[str, Any]) -> tuple[Force, ...]:
        """Return what puts the decoded content of a file into force. Raises `BadRules`."""
        known = [table for section in self._sections for table in section.tables]
        if unknown := sorted(given.keys() - set(known)):
            raise BadRules(f"there is no table {unknown[0]!r}, only {', '.join(known)}")
        return tuple(
            section.take({name: given[name] for name in section.tables if name in given})
            for section in self._sections
        )

    def set_own(self, forces: tuple[Force, ...]) -> None:
        """Put the rules of the gateway's own file into force, at once or when no domain has other ones."""
        self._own = forces
        if self._of_domain is None:
            _put_into_force(forces)

    def set_of_domain(self, forces: tuple[Force, ...] | None) -> Callable[[], None]:
        """Put the rules of a domain into force, or with None the own ones; return what undoes it."""
        former = self._of_domain
        if self._own is None:
            self._own = self.take({})
        self._of_domain = forces
        _put_into_force(self._own if forces is None else forces)
        return lambda: self._restore(former)

    def _restore(self, former: tuple[Force, ...] | None) -> None:
        self.set_of_domain(former)


def _put_into_force(forces: tuple[Force, ...]) -> None:
    for force in forces:
        force()


class RuleFile:
    """A TOML file whose tables are divided among sections. It is applied as a whole, or not at all.

    `fault`: what is wrong with the file as it is now, while the rules read before stay in force; None if the
    file is in force.
    """

    def __init__(self, path: pathlib.Path, rules: RulesInForce) -> None:
        self.path = path
        self._rules = rules
        self._stamp: _Stamp | None = None
        self.fault: str | None = None

    def load(self) -> None:
        """Read and apply the file. Raises `BadRules`."""
        self._stamp = self._look()
        given = self._read()
        try:
            forces = self._rules.take(given)
        except BadRules as fault:
            raise BadRules(f"{self.path}: {fault}") from None
        self._rules.set_own(forces)
        self.fault = None

    def reload(self) -> None:
        """Read and apply the file again; an error is logged, and the former rules stay in force."""
        try:
            self.load()
        except BadRules as fault:
            self.fault = str(fault)
            _logger.error("rules-refused", why=self.fault)  # noqa: TRY400 (the operator's mistake, not ours)
        else:
            _logger.info("rules-changed", path=str(self.path))

    async def watch(self) -> None:
        """Reload the file whenever it changes, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._look() != self._stamp:
                self.reload()

    def _look(self) -> _Stamp | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> dict[str, Any]:
        try:
            with self.path.open("rb") as file:
                content = file.read(_MOST + 1)
            if len(content) > _MOST:
                raise BadRules(f"it has more than {_MOST} bytes")  # noqa: TRY301 (the path is added below)
            return loads(content.decode())
        except OSError as fault:
            raise BadRules(f"{self.path} cannot be read: {fault.strerror}") from None
        except UnicodeDecodeError:
            raise BadRules(f"{self.path} is not UTF-8") from None
        except BadRules as fault:
            raise BadRules(f"{self.path}: {fault}") from None

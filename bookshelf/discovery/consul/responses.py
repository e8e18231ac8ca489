"""Decodes an agent's lists of checks and instances. Other programs write them too: each entry is checked."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec
import structlog
from msgspec import field

from bookshelf.discovery.consul.agent import AgentUnavailable
from bookshelf.discovery.consul.heartbeat import CHECK, NOT_READY_PREFIX, OWNED_BY_US_KEY
from bookshelf.discovery.consul.settings import NAME, VALUE, is_address, is_port
from bookshelf.discovery.port import Instance

#: The checks that a query asks for: ours, and every check that keeps an instance from being ready.
FILTER = f'Name == "{CHECK}" or Status != "passing"'

#: The most tags, and the most pairs of metadata, of an instance that is not ignored.
_MOST = 256
#: Characters of an ignored entry that are logged, and how many different entries are logged at all.
_SHOWN = 120
_REMEMBERED = 1000
_T = TypeVar("_T")
_logger = structlog.get_logger(__name__)


class Check(msgspec.Struct, frozen=True):
    """A check of an instance, or of a whole node if `service` is empty."""

    node: str = field(name="Node")
    id: str = field(name="CheckID")
    name: str = field(name="Name", default="")
    status: str = field(name="Status", default="")
    notes: str = field(name="Notes", default="")
    output: str = field(name="Output", default="")
    instance: str = field(name="ServiceID", default="")
    service: str = field(name="ServiceName", default="")

    @property
    def ours(self) -> bool:
        """True for the health check that our instances register."""
        return self.name == CHECK and bool(self.service)

    @property
    def self_reported_down(self) -> bool:
        """True if the instance itself has reported that it is not ready."""
        return self.ours and self.status != "passing" and self.output.startswith(NOT_READY_PREFIX)


class _Node(msgspec.Struct):
    address: str = field(name="Address", default="")


class _Service(msgspec.Struct):
    id: str = field(name="ID")
    service: str = field(name="Service")
    address: str = field(name="Address", default="")
    port: int = field(name="Port", default=0)
    tags: list[str] | None = field(name="Tags", default=None)
    meta: dict[str, str] | None = field(name="Meta", default=None)


class _Status(msgspec.Struct):
    status: str = field(name="Status", default="")


class _Entry(msgspec.Struct):
    service: _Service = field(name="Service")
    checks: list[_Status] | None = field(name="Checks", default=None)
    node: _Node = field(name="Node", default_factory=_Node)


class AgentCatalog:
    """Decodes answers. An invalid entry is left out and logged once."""

    def __init__(self) -> None:
        self._ignored: set[str] = set()

    def checks(self, body: bytes) -> list[Check]:
        """Return the valid checks. Raises `AgentUnavailable` if the body is not a list."""
        return list(self._each(body, Check))

    def instances(self, body: bytes) -> Iterator[Instance]:
        """Return the valid instances of ours. Raises `AgentUnavailable` if the body is not a list."""
        ours = (entry for entry in self._each(body, _Entry) if OWNED_BY_US_KEY in (entry.service.meta or {}))
        return self._proper(ours, foreign=False)

    def foreign_instances(self, body: bytes, key: str) -> tuple[bool, list[Instance]]:
        """Return whether foreign instances have `key` in their metadata, and the valid ready ones of them.

        Raises `AgentUnavailable` if the body is not a list.
        """
        entries = self._each(body, _Entry)
        others = [e for e in entries if key in (meta := e.service.meta or {}) and OWNED_BY_US_KEY not in meta]
        ready = (e for e in others if all(check.status == "passing" for check in e.checks or ()))
        return bool(others), list(self._proper(ready, foreign=True))

    def names(self, body: bytes) -> list[str]:
        """Return the valid names of services. Raises `AgentUnavailable` if the body is not an object."""
        return [name for name in _decoded(body, dict[str, Any]) if NAME.fullmatch(name)]

    def _proper(self, entries: Iterable[_Entry], *, foreign: bool) -> Iterator[Instance]:
        for entry in entries:
            trouble = next(_troubles(entry), None)
            if trouble is None:
                yield _instance(entry, foreign=foreign)
            else:
                self._ignore(entry.service.id, trouble)

    def _each(self, body: bytes, kind: type[_T]) -> Iterator[_T]:
        for raw in _decoded(body, list[msgspec.Raw]):
            try:
                yield msgspec.json.decode(raw, type=kind)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
                self._ignore(bytes(raw).decode(errors="replace"), str(fault))

    def _ignore(self, what: str, why: str) -> None:
        line = f"{what[:_SHOWN]!r}: {why[:_SHOWN]}"
        if line not in self._ignored and len(self._ignored) < _REMEMBERED:
            self._ignored.add(line)
            _logger.warning("ignored", registry="consul", what=what[:_SHOWN], why=why[:_SHOWN])


def _decoded(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise AgentUnavailable(f"the response is not one of Consul's: {fault}") from fault


def _troubles(entry: _Entry) -> Iterator[str]:
    service, tags, meta = entry.service, entry.service.tags or [], entry.service.meta or {}
    if not all(NAME.fullmatch(text) for text in (service.id, service.service)):
        yield "its id or its service's name is not valid"
    if not is_address(service.address or entry.node.address):
        yield f"its address {service.address or entry.node.address!r} is not valid"
    if not is_port(service.port):
        yield f"{service.port} is not a valid port"
    if len(tags) > _MOST or not all(NAME.fullmatch(tag) for tag in tags):
        yield "it has too many tags, or one that is not valid"
    if len(meta) > _MOST or not all(
        NAME.fullmatch(key) and VALUE.fullmatch(value) for key, value in meta.items()
    ):
        yield "it has too much metadata, or a key or value that is not valid"


def _instance(entry: _Entry, *, foreign: bool) -> Instance:
    service = entry.service
    return Instance(
        id=service.id,
        service=service.service,
        tags=tuple(service.tags or ()),
        # Consul's rule: a service without an address has the address of its node
        address=service.address or entry.node.address,
        port=service.port,
        meta={key: value for key, value in (service.meta or {}).items() if key != OWNED_BY_US_KEY},
        foreign=foreign,
    )

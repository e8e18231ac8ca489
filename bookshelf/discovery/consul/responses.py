"""What an agent says of checks and instances. Others write into it too: nothing in it is taken on trust."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec
import structlog
from msgspec import field

from bookshelf.discovery.consul.agent import AgentUnavailable
from bookshelf.discovery.consul.registration import CHECK, NOT_READY_PREFIX, OWNED_BY_US_KEY
from bookshelf.discovery.consul.validation import NAME, VALUE, is_address, is_port
from bookshelf.discovery.port import Instance

#: Which checks are asked for: ours, and those of anyone that keep an instance from being ready.
FILTER = f'Name == "{CHECK}" or Status != "passing"'

#: Tags, and pairs of metadata: more is no instance of ours.
_MOST = 256
#: Characters of what is ignored that are logged, and how many different ones.
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
        """Whether it is the check by which an instance of ours is found."""
        return self.name == CHECK and bool(self.service)

    @property
    def confessed(self) -> bool:
        """Whether the instance itself has said that it is not ready."""
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
    """Reads answers. What is no proper instance is left out, with a log line the first time."""

    def __init__(self) -> None:
        self._ignored: set[str] = set()

    def checks(self, body: bytes) -> list[Check]:
        """Return the checks. Raises `AgentUnavailable` for something that is no list."""
        return list(self._each(body, Check))

    def instances(self, body: bytes) -> Iterator[Instance]:
        """Return the proper instances of ours. Raises `AgentUnavailable` for something that is no list."""
        ours = (entry for entry in self._each(body, _Entry) if OWNED_BY_US_KEY in (entry.service.meta or {}))
        return self._proper(ours, stranger=False)

    def strangers(self, body: bytes, key: str) -> tuple[bool, list[Instance]]:
        """Return whether others have a key in their metadata, and those of them that are proper and ready.

        Raises `AgentUnavailable` for something that is no list.
        """
        found = self._each(body, _Entry)
        others = [e for e in found if key in (meta := e.service.meta or {}) and OWNED_BY_US_KEY not in meta]
        ready = (e for e in others if all(check.status == "passing" for check in e.checks or ()))
        return bool(others), list(self._proper(ready, stranger=True))

    def names(self, body: bytes) -> list[str]:
        """Return the names of services. Raises `AgentUnavailable` for something that names none."""
        return [name for name in _decoded(body, dict[str, Any]) if NAME.fullmatch(name)]

    def _proper(self, entries: Iterable[_Entry], *, stranger: bool) -> Iterator[Instance]:
        for entry in entries:
            trouble = next(_troubles(entry), None)
            if trouble is None:
                yield _instance(entry, stranger=stranger)
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
        raise AgentUnavailable(f"what answers for Consul speaks something else: {fault}") from fault


def _troubles(entry: _Entry) -> Iterator[str]:
    found, tags, meta = entry.service, entry.service.tags or [], entry.service.meta or {}
    if not all(NAME.fullmatch(text) for text in (found.id, found.service)):
        yield "its id or its service's name is no name"
    if not is_address(found.address or entry.node.address):
        yield f"its address {found.address or entry.node.address!r} is no address"
    if not is_port(found.port):
        yield f"{found.port} is no port"
    if len(tags) > _MOST or not all(NAME.fullmatch(tag) for tag in tags):
        yield "it has too many tags, or one that is no name"
    if len(meta) > _MOST or not all(
        NAME.fullmatch(key) and VALUE.fullmatch(value) for key, value in meta.items()
    ):
        yield "it has too much metadata"


def _instance(entry: _Entry, *, stranger: bool) -> Instance:
    found = entry.service
    return Instance(
        id=found.id,
        service=found.service,
        tags=tuple(found.tags or ()),
        # as Consul has it: no address of its own means its node's
        address=found.address or entry.node.address,
        port=found.port,
        meta={key: value for key, value in (found.meta or {}).items() if key != OWNED_BY_US_KEY},
        stranger=stranger,
    )

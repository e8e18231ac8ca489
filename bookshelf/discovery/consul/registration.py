"""The registrations of an agent: a heartbeat keeps our own ones, within Consul's limits; all are decoded.

Other programs write checks and instances too, so each entry of an answer is checked.
"""

import asyncio
import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
import structlog
from msgspec import field

from bookshelf.concurrency import cancel_and_wait
from bookshelf.discovery.consul.agent import Agent, AgentError, AgentUnavailable, retry_until_reached
from bookshelf.discovery.consul.settings import NAME, VALUE, ConsulSettings, is_address, is_port
from bookshelf.discovery.port import DiscoveryFault, Instance

_logger = structlog.get_logger(__name__)


class Heartbeat:
    """The registration of one instance of this process. Its requests go out one at a time, in order."""

    def __init__(self, agent: Agent, settings: ConsulSettings) -> None:
        self._agent = agent
        self._settings = settings
        self._instance: Instance
        #: The instance as the agent has it; None until a registration has succeeded.
        self._registered: Instance | None = None
        self._fault: str | None = None
        self._left = False
        self._trouble: str | None = None
        self._sending = asyncio.Lock()
        self._beating: asyncio.Task[None] | None = None

    async def register(self, instance: Instance) -> None:
        """Register the instance as ready, and keep it registered.

        Raises `DiscoveryFault` if Consul cannot hold it. The first call also raises if the agent cannot be
        reached; after a later call the instance is registered once the agent answers.
        """
        refuse(instance)
        self._instance, self._fault = instance, None
        if self._beating is not None:
            await self._refresh()
            return
        async with self._sending:
            await retry_until_reached(self._register, self._settings.wait_s)
        self._beating = asyncio.create_task(self._beat(), name=f"consul heartbeat of {instance.id}")

    async def report(self, fault: str | None) -> None:
        """Report the instance's health, or retry at the next heartbeat if the agent does not answer."""
        self._fault = fault
        await self._refresh()

    async def leave(self) -> None:
        """Deregister the instance. If the agent does not answer, the check expires and Consul removes it."""
        self._left = True
        async with self._sending:
            try:
                await self._agent.put(leave_path(self._instance.id))
            except DiscoveryFault as fault:
                _logger.warning("deregistration-failed", instance=self._instance.id, fault=str(fault))
        await self.stop()

    async def stop(self) -> None:
        """Stop the heartbeat without deregistering."""
        if self._beating is not None:
            await cancel_and_wait(self._beating)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._settings.pace.beat_s)
            try:
                await self._refresh()
            except Exception:
                _logger.exception("defect", registry="consul", instance=self._instance.id)

    async def _refresh(self) -> None:
        async with self._sending:
            if self._left:
                return
            try:
                await self._send()
            except DiscoveryFault as fault:
                self._note(str(fault))
            else:
                self._note(None)

    async def _send(self) -> None:
        if self._registered is self._instance:
            try:
                return await self._update()
            except AgentError as fault:
                # a restarted agent has lost the check; any other error recurs in the next registration
                _logger.info("registering-again", instance=self._instance.id, fault=str(fault))
        return await self._register()

    async def _register(self) -> None:
        instance, self._registered = self._instance, None
        body = registration(instance, self._fault, self._settings.pace.ttl_s)
        await self._agent.put("/v1/agent/service/register", body)
        # a registration changes neither the status of an existing check nor its output
        await self._update()
        self._registered = instance

    async def _update(self) -> None:
        body = update(self._fault)
        await self._agent.put(check_path(self._instance.id), body)

    def _note(self, trouble: str | None) -> None:
        if trouble is not None and self._trouble is None:
            _logger.warning("heartbeat-failed", instance=self._instance.id, fault=trouble)
        self._trouble = trouble


#: The key in a service's metadata that marks it as a service of this project.
OWNED_BY_US_KEY = "bookshelf"
_MARKED = {OWNED_BY_US_KEY: "1"}
#: The name of our health check, which finds our instances, and the prefix of its output while it fails.
CHECK = "Bookshelf: ready"
NOT_READY_PREFIX = "not ready: "

# Consul's own limits: agent/structs/structs.go, ValidateMetadata
_PAIRS = 64
_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_BYTES = 512
_NOTE_CHARACTERS = 500


def check_path(instance_id: str) -> str:
    """Return the agent's path for updating the instance's health check."""
    return f"/v1/agent/check/update/{quote(_check_id(instance_id), safe='')}"


def leave_path(instance_id: str) -> str:
    """Return the agent's path for deregistering the instance."""
    return f"/v1/agent/service/deregister/{quote(instance_id, safe='')}"


def update(fault: str | None) -> bytes:
    """Encode the body of a health check update: passing, or critical with the fault."""
    if fault is None:
        return msgspec.json.encode({"Status": "passing", "Output": "ready"})
    # a fault may quote any text, also lone surrogates, which UTF-8 cannot encode
    note = f"{NOT_READY_PREFIX}{fault}"[:_NOTE_CHARACTERS].encode(errors="replace").decode()
    return msgspec.json.encode({"Status": "critical", "Output": note})


def refuse(instance: Instance) -> None:
    """Raise `DiscoveryFault` for an instance that Consul would reject or store differently."""
    for trouble in _troubles(instance):
        raise DiscoveryFault(f"{instance.id!r} cannot be registered with Consul: {trouble}")


def registration(instance: Instance, fault: str | None, ttl_s: float) -> bytes:
    """Encode the body of a registration: the instance and its health check, which expires after `ttl_s`."""
    digest = hashlib.sha256(msgspec.json.encode(instance, order="deterministic")).hexdigest()[:16]
    return msgspec.json.encode(
        {
            "ID": instance.id,
            "Name": instance.service,
            "Tags": instance.tags,
            "Address": instance.address,
            "Port": instance.port,
            "Meta": {**instance.meta, **_MARKED},
            "Check": {
                "CheckID": _check_id(instance.id),
                "Name": CHECK,
                # only a change of a check wakes blocking queries on checks, so the check carries a digest
                "Notes": f"registration {digest}",
                "TTL": f"{ttl_s}s",
                # the update that follows makes it critical: only a new status spreads its note at once
                "Status": "passing" if fault is None else "warning",
                # Consul's minimum is one minute
                "DeregisterCriticalServiceAfter": "1m",
            },
        }
    )


def _check_id(instance_id: str) -> str:
    return f"bookshelf:{instance_id}"


def _troubles(instance: Instance) -> Iterator[str]:
    for name in (instance.id, instance.service, *instance.tags):
        if not NAME.fullmatch(name):
            yield f"{name!r} is not a valid name: up to 255 characters, none of them a control character"
    if not is_address(instance.address):
        yield f"{instance.address!r} is not an address that clients can connect to"
    if not is_port(instance.port):
        yield f"{instance.port} is not a valid port"
    if len(instance.meta) >= _PAIRS:
        yield f"its metadata has {len(instance.meta)} pairs, over the limit of {_PAIRS - 1}"
    for key, value in instance.meta.items():
        if key == OWNED_BY_US_KEY or key.startswith("consul-") or not _KEY.fullmatch(key):
            yield (
                f"{key!r} is not a valid metadata key: letters, digits, - and _; "
                f"not {OWNED_BY_US_KEY!r}, and not beginning with consul-"
            )
        if (size := len(value.encode(errors="replace"))) > _BYTES:
            yield f"its metadata {key!r} has {size} bytes, over {_BYTES}"
        elif not VALUE.fullmatch(value):
            yield f"its metadata {key!r} has a control character"


#: The checks that a query asks for: ours, and every check that keeps an instance from being ready.
FILTER = f'Name == "{CHECK}" or Status != "passing"'

#: The most tags, and the most pairs of metadata, of an instance that is not ignored.
_MOST = 256
#: Characters of an ignored entry that are logged, and how many different entries are logged at all.
_SHOWN = 120
_REMEMBERED = 1000
_T = TypeVar("_T")


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
            trouble = next(_entry_troubles(entry), None)
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


def _entry_troubles(entry: _Entry) -> Iterator[str]:
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

"""Keeps one instance registered, within Consul's limits: updates its check, registers it again when lost."""

import asyncio
import hashlib
import re
from collections.abc import Iterator
from urllib.parse import quote

import msgspec
import structlog

from bookshelf.concurrency import cancel_and_wait
from bookshelf.discovery.consul.agent import Agent, AgentError, retry_until_reached
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

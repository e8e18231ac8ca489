"""Keeps one instance registered: updates its check before it expires, and registers it again when lost."""

import asyncio

import structlog

from bookshelf.concurrency.tasks import cancel_and_wait
from bookshelf.discovery.consul import registration
from bookshelf.discovery.consul.agent import Agent, AgentError, retry_until_reached
from bookshelf.discovery.consul.settings import ConsulSettings
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
        registration.refuse(instance)
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
                await self._agent.put(registration.leave_path(self._instance.id))
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
        body = registration.registration(instance, self._fault, self._settings.pace.ttl_s)
        await self._agent.put("/v1/agent/service/register", body)
        # a registration changes neither the status of an existing check nor its output
        await self._update()
        self._registered = instance

    async def _update(self) -> None:
        body = registration.update(self._fault)
        await self._agent.put(registration.check_path(self._instance.id), body)

    def _note(self, trouble: str | None) -> None:
        if trouble is not None and self._trouble is None:
            _logger.warning("heartbeat-failed", instance=self._instance.id, fault=trouble)
        self._trouble = trouble

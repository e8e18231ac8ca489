"""Keeps one instance registered: says how it is before its check expires, and all again to who forgot."""

import asyncio

import structlog

from bookshelf.discovery.consul import registration
from bookshelf.discovery.consul.agent import Agent, AgentError, retry_until_reached
from bookshelf.discovery.consul.settings import Pace
from bookshelf.discovery.port import DiscoveryFault, Instance

_logger = structlog.get_logger(__name__)


class Heartbeat:
    """One instance of this process. What it says goes out one at a time, in order."""

    def __init__(self, agent: Agent, pace: Pace) -> None:
        self._agent = agent
        self._pace = pace
        self._instance: Instance
        self._told: Instance | None = None
        self._fault: str | None = None
        self._left = False
        self._trouble: str | None = None
        self._speaking = asyncio.Lock()
        self._beating: asyncio.Task[None] | None = None

    async def register(self, instance: Instance) -> None:
        """Make the instance known as ready, and keep it so.

        Raises `DiscoveryFault`; the first time also if the agent stays away. Later the agent is told when it
        is back.
        """
        registration.refuse(instance)
        self._instance, self._fault = instance, None
        if self._beating is not None:
            await self._speak()
            return
        async with self._speaking:
            await retry_until_reached(self._register, self._pace.patience_s)
        self._beating = asyncio.create_task(self._beat(), name=f"consul keeper of {instance.id}")

    async def report(self, fault: str | None) -> None:
        """Say how the instance is; if the agent is away, say it when it is back."""
        self._fault = fault
        await self._speak()

    async def leave(self) -> None:
        """Deregister. An agent that is away hears nothing more of the instance, and so forgets it."""
        self._left = True
        async with self._speaking:
            try:
                await self._agent.put(registration.leave_path(self._instance.id))
            except DiscoveryFault as fault:
                _logger.warning("deregistration-failed", instance=self._instance.id, fault=str(fault))
        await self.stop()

    async def stop(self) -> None:
        """Say nothing more."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._pace.beat_s)
            try:
                await self._speak()
            except Exception:
                _logger.exception("defect", registry="consul", instance=self._instance.id)

    async def _speak(self) -> None:
        async with self._speaking:
            if self._left:
                return
            try:
                await self._say()
            except DiscoveryFault as fault:
                self._note(str(fault))
            else:
                self._note(None)

    async def _say(self) -> None:
        if self._told is self._instance:
            try:
                return await self._update()
            except AgentError as fault:
                # an agent that was restarted knows nothing of us; whatever else it minds, it will say again
                _logger.info("registering-again", instance=self._instance.id, fault=str(fault))
        return await self._register()

    async def _register(self) -> None:
        told, self._told = self._instance, None
        said = registration.registration(told, self._fault, self._pace.ttl_s)
        await self._agent.put("/v1/agent/service/register", said)
        # a check that the agent has already keeps its state, and no registration can carry a note
        await self._update()
        self._told = told

    async def _update(self) -> None:
        said = registration.update(self._fault)
        await self._agent.put(registration.check_path(self._instance.id), said)

    def _note(self, trouble: str | None) -> None:
        if trouble is not None and self._trouble is None:
            _logger.warning("heartbeat-failed", instance=self._instance.id, fault=trouble)
        self._trouble = trouble

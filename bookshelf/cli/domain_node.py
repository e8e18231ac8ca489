"""Runs the agent that makes this process a node of its domain, whatever the process runs."""

import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from bookshelf.cli.node_presence import NodePlace, show_presence
from bookshelf.cli.start_secret import StartSecret
from bookshelf.cluster.handlers import AGENT_COMMANDS
from bookshelf.cluster.node import DomainNode
from bookshelf.cluster.settings import ROLLOUTS, ClusterSettings
from bookshelf.config import Settings, load
from bookshelf.cqrs.item import Kind
from bookshelf.discovery.port import Discovery
from bookshelf.http.client import Transport
from bookshelf.keyring.derived_key import derive_key
from bookshelf.log.port import Log
from bookshelf.runtime.agent.agent import NodeAgent
from bookshelf.runtime.agent.domain_client import DomainClient
from bookshelf.runtime.agent.gate import Admissions
from bookshelf.runtime.agent.item import ItemKind
from bookshelf.runtime.agent.pause import Pause
from bookshelf.runtime.api.identity import Callers
from bookshelf.runtime.clock import Clock, Ids, SystemClock, SystemIds

if TYPE_CHECKING:
    from bookshelf.runtime.infrastructure import Infrastructure

#: What the key of the signatures of Bookshelf-Admitted is derived for (bookshelf/runtime/agent/gate.py).
_ADMISSION = "bookshelf admission"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPorts:
    """What the agent of a node stands on."""

    log: Log
    discovery: Discovery
    transport: Transport
    callers: Callers
    clock: Clock
    ids: Ids

    @classmethod
    def of(cls, infrastructure: "Infrastructure") -> "AgentPorts":
        """Return those of a process that runs services."""
        return cls(**{name: getattr(infrastructure, name) for name in cls.__slots__})

    @classmethod
    def on(cls, log: Log, discovery: Discovery, transport: Transport, callers: Callers) -> "AgentPorts":
        """Return those of a process that runs no services of the program."""
        clock = SystemClock()
        ids = SystemIds(clock)
        return cls(log=log, discovery=discovery, transport=transport, callers=callers, clock=clock, ids=ids)

    def client(self, members: Callable[[], int] = lambda: 0) -> DomainClient:
        """Return what sends commands to the owner of the domain, which has so many members."""
        return DomainClient(self.discovery, self.transport, self.callers, ROLLOUTS, AGENT_COMMANDS, members)


def open_admissions(settings: Settings, secret: StartSecret) -> Admissions:
    """Return what signs and reads the gates that have admitted a request. Raises `WrongSetting`.

    The key is of the secret of the accounts. Without that, nothing is secret between the processes: any
    program that reaches their ports may send any request.
    """
    if settings.has_accounts or settings.accounts_secret_file:
        return Admissions(derive_key(secret.read(), _ADMISSION))
    domain = load(ClusterSettings, os.environ).cluster_domain
    return Admissions(sha256(f"{_ADMISSION} {domain}".encode()).digest())


def make_agent(
    cluster: ClusterSettings,
    machine: DomainNode,
    kinds: Mapping[Kind, ItemKind],
    pause: Pause,
    ports: AgentPorts,
) -> NodeAgent:
    """Return the agent of a node; `run_agent` runs it."""
    return NodeAgent(
        cluster.cluster_domain,
        machine,
        ports.log,
        kinds,
        pause,
        ports.client(lambda: len(machine.domain.members)).send,
        ports.clock.now,
        drain_s=cluster.cluster_drain_s,
        contact_s=cluster.contact_s,
        silence_s=cluster.silence_s,
    )


async def run_agent(agent: NodeAgent, place: NodePlace, ports: AgentPorts, stack: AsyncExitStack) -> None:
    """Run the agent of a node until the stack is closed; return while it joins. Raises `LogFault`.

    The node is in discovery before it joins, and as long as it is a member: absent nodes are evicted. Only
    while it does not read the log in a rollout it is not.
    """
    await show_presence(agent, place, ports.ids.new(), ports.discovery, stack)
    await agent.start()
    stack.push_async_callback(agent.stop)

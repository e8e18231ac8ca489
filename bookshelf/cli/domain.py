"""Makes this process a node of its domain, if the setting `cluster_domain` names one."""

import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from bookshelf.cluster.settings import ClusterSettings
from bookshelf.config import load
from bookshelf.runtime.infrastructure import Infrastructure
from bookshelf.runtime.service import ServiceHost

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.reload import ReloadableGateway


async def join_domain(
    name: str,
    hosts: Sequence[ServiceHost],
    infrastructure: Infrastructure,
    stack: AsyncExitStack,
    gateway: "tuple[Gateway, ReloadableGateway] | None" = None,
) -> None:
    """Run the agent of the node `name` until the stack is closed; return once the node is a member.

    Without a domain nothing runs, and nothing is imported for it. The hosts have started. Raises `LogFault`.
    """
    if not load(ClusterSettings, os.environ).cluster_domain:
        return
    from bookshelf.cli.domain_agent import open_agent  # noqa: PLC0415 (only processes of a domain need it)

    agent = await open_agent(name, hosts, infrastructure, stack, gateway)
    await agent.joined()

"""Shows a node in discovery, with what should be alike on all nodes; finds what differs between them."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import msgspec
import structlog

from bookshelf import __version__
from bookshelf.cluster.domain_state import DomainMember
from bookshelf.cluster.node_differences import (
    NodeDifference,
    PresentNode,
    digest_of_texts,
    node_differences,
)
from bookshelf.cluster.running import ReadyService, RunningNode, running_nodes
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.concurrency import cancel_and_wait
from bookshelf.config import RELOADABLE, GatewaySettings, Settings, load
from bookshelf.discovery.port import Discovery, DiscoveryFault, Instance
from bookshelf.runtime.agent.agent import NodeAgent
from bookshelf.runtime.agent.eviction import NODE_ADDRESS, NODE_PROCESS

if TYPE_CHECKING:
    from bookshelf.cluster.node import DomainNode

#: The service of a node in discovery, and its tags.
NODE, NODE_TAGS = "node", ("cluster", "node")
#: What the names of settings begin with in the metadata.
_SETTING = "setting-"
#: Seconds between two looks at what is in force.
_EVERY_S = 0.5
_logger = structlog.get_logger(__name__)


#: The settings of a node's own that should be equal on all nodes, by the struct that has them, and on all
#: gateways. None is a secret.
EQUAL_SETTINGS: Mapping[type[msgspec.Struct], tuple[str, ...]] = {
    ClusterSettings: tuple(name for name in ClusterSettings.__struct_fields__ if name != "cluster_domain"),
    Settings: ("accounts_issuer", "accounts_token_s", "accounts_local_reader"),
    GatewaySettings: (
        *sorted(name for name in RELOADABLE if name.startswith("gateway_")),
        *("gateway_trusted", "gateway_issuer", "gateway_audience", "gateway_token_typ", "gateway_jwks"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlace:
    """Where a node is: its port, and the number of its process among those that share the port, or 0.

    `is_gateway`: a gateway runs there.
    """

    host: str
    port: int
    process: int = 0
    is_gateway: bool = False

    @property
    def address(self) -> str:
        """The address of the node, which no other node has."""
        return f"http://{self.host}:{self.port}" + (f"#{self.process}" if self.process else "")


def digest_of_settings(structs: Sequence[msgspec.Struct]) -> dict[str, str]:
    """Return the digests of settings that should be equal, those with their default left out."""
    found: dict[str, str] = {}
    for struct in structs:
        usual = type(struct)()
        for name in EQUAL_SETTINGS.get(type(struct), ()):
            value = getattr(struct, name)
            if value != getattr(usual, name):
                found[name] = digest_of_texts([f"{name}={value}"])
    return found


async def show_presence(
    agent: NodeAgent, place: NodePlace, name: str, discovery: Discovery, stack: AsyncExitStack
) -> None:
    """Register a node until the stack is closed, and again when other items are in force.

    While it does not read the log in a rollout it is not registered: it is then removed from the domain, and
    the others do not wait for it. Its services stay registered. Raises `DiscoveryFault`.
    """
    own = _own(place, agent.domain)

    def present() -> Instance:
        return Instance(
            id=f"node-{name}",
            service=NODE,
            tags=NODE_TAGS,
            address=place.host,
            port=place.port,
            meta={**own, **_in_force(agent)},
        )

    first = present()
    await discovery.register(first)
    stack.push_async_callback(discovery.deregister, first.id)

    def wanted() -> Instance | None:
        return present() if agent.contact.is_there else None

    showing = asyncio.create_task(_renew(wanted, first, discovery), name="presence")
    stack.push_async_callback(cancel_and_wait, showing)


def _own(place: NodePlace, domain: str) -> dict[str, str]:
    """Return the metadata that do not change while the process runs."""
    structs = [
        load(kind, os.environ) for kind in EQUAL_SETTINGS if place.is_gateway or kind is not GatewaySettings
    ]
    settings = {f"{_SETTING}{name}": digest for name, digest in digest_of_settings(structs).items()}
    own = {NODE_ADDRESS: place.address, "domain": domain, "version": __version__}
    return {**own, **settings, **({"gateway": "yes"} if place.is_gateway else {})}


def _in_force(agent: NodeAgent) -> dict[str, str]:
    """Return the name of the node, its process, its revision, and the digest of the items in force."""
    machine = cast("DomainNode", agent.machine)
    items = [f"{kind}/{name} {item.digest}" for (kind, name), item in agent.deployment.applied.items()]
    return {
        "name": machine.state.node,
        NODE_PROCESS: machine.state.instance,
        "revision": str(machine.domain.revision),
        "items": digest_of_texts(items),
    }


async def _renew(wanted: Callable[[], Instance | None], first: Instance, discovery: Discovery) -> None:
    """Keep an instance in discovery as it is wanted, None for not at all."""
    shown: Instance | None = first
    while True:
        await asyncio.sleep(_EVERY_S)
        now = wanted()
        if now == shown:
            continue
        try:
            if now is None:
                await discovery.deregister(first.id)
            else:
                await discovery.register(now)
        except DiscoveryFault as fault:
            _logger.warning("node-not-shown", why=str(fault))
            continue
        shown = now


def present_nodes(discovery: Discovery, domain: str) -> tuple[PresentNode, ...]:
    """Return the nodes of a domain that discovery has."""
    found = [one.meta for one in discovery.snapshot().instances if one.tags == NODE_TAGS and not one.foreign]
    return tuple(_node(meta) for meta in found if meta.get("domain") == domain and "name" in meta)


def _node(meta: Mapping[str, str]) -> PresentNode:
    revision = meta.get("revision", "")
    return PresentNode(
        node=meta["name"],
        version=meta.get("version", ""),
        revision=int(revision) if revision.isdecimal() else 0,
        digest=meta.get("items", ""),
        settings={
            name.removeprefix(_SETTING): digest for name, digest in meta.items() if name.startswith(_SETTING)
        },
        is_gateway=meta.get("gateway") == "yes",
    )


def running_now(members: Iterable[DomainMember], discovery: Discovery, domain: str) -> list[RunningNode]:
    """Return what the members of a domain run."""
    present = {one.node for one in present_nodes(discovery, domain)}
    ready = [
        ReadyService(one.service, one.address, one.port)
        for one in discovery.snapshot().instances
        if one.service != NODE and not one.foreign
    ]
    return running_nodes(members, present, ready)


def differences_now(discovery: Discovery, domain: str) -> tuple[NodeDifference, ...]:
    """Return what differs between the nodes of a domain."""
    instances = Counter(
        one.service for one in discovery.snapshot().instances if one.service != NODE and not one.foreign
    )
    return node_differences(present_nodes(discovery, domain), instances)

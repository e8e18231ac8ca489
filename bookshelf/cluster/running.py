"""What each node of a domain runs, as far as discovery has it: groups come and go while it is a member."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec

from bookshelf.cluster.domain_state import DomainMember

#: What a process that runs a gateway has among its services when it joins. No service has this name.
GATEWAY = "gateway"


class RunningNode(msgspec.Struct, frozen=True, kw_only=True):
    """A member, and those of its services that are ready; the gateway is one of them, as `gateway`."""

    node: str
    services: list[str]


class ReadyService(NamedTuple):
    """An instance of a service that is ready."""

    service: str
    host: str
    port: int


def running_nodes(
    members: Iterable[DomainMember], present: Collection[str], ready: Iterable[ReadyService]
) -> list[RunningNode]:
    """Return what the members run. `present`: the nodes that discovery has, `ready`: the instances in it."""
    found = tuple(ready)
    return [RunningNode(node=one.node, services=sorted(_services(one, present, found))) for one in members]


def _services(
    member: DomainMember, present: Collection[str], ready: Collection[ReadyService]
) -> Iterable[str]:
    host, _, port = member.address.removeprefix("http://").partition("#")[0].rpartition(":")
    own = set(member.services) - {GATEWAY}
    # a process with several services, or with a gateway, has a port for each
    at_any_port = own if len(member.services) > 1 else ()
    services = {
        one.service
        for one in ready
        if one.host == host and (str(one.port) == port or one.service in at_any_port)
    }
    return services | {GATEWAY} if GATEWAY in member.services and member.node in present else services

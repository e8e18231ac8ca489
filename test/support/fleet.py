"""Many instances of the services and a gateway, each a real process, on one broker and one agent."""

import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from support import consul
from support.client import Client
from support.instance import names_of_its_own
from support.kafka import Broker
from support.member import PATIENCE_S, Member
from support.process import COMMAND
from support.reserved_ports import reserved_ports
from support.until import until

HOST = "127.0.0.1"
AGGREGATES = ("newbook", "readbook")
VIEWS = ("booklist", "lastreadbooks")
GATEWAY = "gateway"
PARTITIONS = 4
#: The most gateways of one fleet.
GATEWAYS = 2


class _Beside(Client):
    """Goes past the gateway: what newbook does is asked of one instance, all else of a readbook."""

    def __init__(self, newbook: int, readbook: int) -> None:
        super().__init__(f"http://{HOST}:{newbook}")
        self._readbook = readbook

    def port_of(self, method: str, path: str) -> int:  # noqa: ARG002 (the client's signature)
        return self._readbook if path.endswith("/finished") else self.port


class Fleet:
    """Members by name: newbook-1, newbook-2, gateway-1. Each finds its folder as its last life left it.

    `broker` and `consul` are addresses, `settings` are of the environment.
    """

    def __init__(self, folder: Path, broker: str, consul: str, **settings: str) -> None:
        self.folder = folder
        self.broker = broker
        self.consul = consul
        self.settings = {"BOOKSHELF_KAFKA_PARTITIONS": str(PARTITIONS), **settings}
        #: A gateway comes back where it was: its clients know no other place.
        self._ports = reserved_ports(GATEWAYS)
        self.members: dict[str, Member] = {}
        #: The `broker` and `consul` of members that have a way of their own to them.
        self.addresses: dict[str, Mapping[str, str]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def launch(self, service: str, number: int, program: Sequence[str] = COMMAND) -> Member:
        """Start a member, and do not wait for it. `program`: what takes bookshelf's commands."""
        name = f"{service}-{number}"
        assert name not in self.members or not self.members[name].alive, name
        options = {
            "broker": self.broker,
            "consul": self.consul,
            "port": str(self._ports[number - 1]) if service == GATEWAY else "0",
            "id": name,
            "data": str(self.folder / "data"),
            **self.addresses.get(name, {}),
        }
        given = [part for option, value in options.items() for part in (f"--{option}", value)]
        return self._member(service, name, [*program, "run", service, *given])

    def rogue_owner(self) -> Member:
        """Start a newbook that acts as owner of every partition."""
        given = [self.broker, self.consul, str(self.folder / "data" / "usurper")]
        return self._member("newbook", "usurper", [sys.executable, "-m", "support.rogue_owner", *given])

    def _member(self, service: str, name: str, command: Sequence[str]) -> Member:
        made = self.members[name] = Member(self.folder, service, name, command, self.settings)
        return made

    def start(self, service: str, number: int) -> Member:
        """Start a member and wait until it is ready."""
        made = self.launch(service, number)
        made.ready()
        return made

    def whole(self, numbers: Iterable[int] = (1, 2)) -> None:
        """Run exactly these instances of the aggregates, one of each view, and the gateway."""
        wanted = [(service, number) for service in AGGREGATES for number in numbers]
        wanted += [(service, 1) for service in (*VIEWS, GATEWAY)]
        names = {f"{service}-{number}" for service, number in wanted}
        for name in self.members.keys() - names:
            self.retire(name)
        missing = [one for one in wanted if not self._runs(*one)]
        for member in [self.launch(*one) for one in missing]:
            member.ready()
        until(self._known, "the gateway knows everyone", PATIENCE_S)

    def _known(self) -> bool:
        client = self.gateway
        try:
            asked = [client.ask("POST", path, {}) for path in ("/books", "/books/none/finished")]
            asked += [client.ask("GET", path) for path in ("/books", "/books/last/read")]
        except OSError:
            return False
        return [one.status == 200 or one.problem for one in asked] == ["invalid", "not-found", True, True]

    def _runs(self, service: str, number: int) -> bool:
        member = self.members.get(f"{service}-{number}")
        return member is not None and member.alive

    def retire(self, name: str) -> None:
        """Have a member end in order, if it still runs."""
        code = self.members.pop(name).stop()
        if code not in {0, -signal.SIGKILL}:
            sys.stderr.write(f"{name} ended with {code}\n")

    @property
    def gateway(self) -> Client:
        """A new client of the first gateway."""
        return self.gateway_of(1)

    def gateway_of(self, number: int) -> Client:
        """Return a new client of one of the gateways."""
        return Client(f"http://{HOST}:{self._ports[number - 1]}", "/bookshelf")

    def beside(self, newbook: Member) -> Client:
        """A client that goes past the gateway, to this instance of newbook."""
        readbook = self.members["readbook-1"].port
        assert newbook.port is not None
        assert readbook is not None
        return _Beside(newbook.port, readbook)

    def of(self, service: str) -> list[Member]:
        """Return the members of a service that run."""
        return [one for one in self.members.values() if one.service == service and one.alive]

    def close(self) -> None:
        """Kill the remaining processes."""
        for member in self.members.values():
            member.kill()


@contextmanager
def fleet_of_a_domain(folder: Path, broker: Broker, agent: consul.Agent, **settings: str) -> Iterator[Fleet]:
    """Yield a fleet whose members are nodes of a domain, with names of its own; close it at the end."""
    settings = {"BOOKSHELF_CLUSTER_DOMAIN": "blue", **names_of_its_own(), **settings}
    fleet = Fleet(folder, broker.address, f"{HOST}:{agent.ports.http}", **settings)
    try:
        yield fleet
    finally:
        fleet.close()

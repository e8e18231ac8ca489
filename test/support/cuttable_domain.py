"""A domain on a broker and an agent of its own, of which a node and a gateway can be cut off."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Literal

from support import consul, kafka
from support.cut_wire import CutWire
from support.fleet import fleet_of_a_domain
from support.kafka import HOST, Broker
from support.kafka_proxy import BackgroundLoop
from support.reserved_ports import reserved_ports
from support.rollout_system import RolloutSystem

#: What can be cut off, by name: each has its own way to Kafka and to Consul.
CUT_OFF: Mapping[str, str] = {"node": "newbook-1", "gateway": "gateway-2"}
#: A rollout waits less long for its commit than by default, and a paused node for the log.
LIMITS = {"BOOKSHELF_CLUSTER_COMMIT_TIMEOUT_MS": "6000"}
Server = Literal["Kafka", "Consul"]


class CuttableDomain:
    """A broker and an agent; a node and a gateway come to them through wires that can be cut."""

    def __init__(
        self, broker: Broker, wires: Mapping[tuple[str, str], CutWire], system: RolloutSystem
    ) -> None:
        self.broker = broker
        self.system = system
        self._wires = wires

    def wire(self, name: str, server: str) -> CutWire:
        """Return the way of a member to Kafka or to Consul."""
        return self._wires[name, server]


@contextmanager
def side_broker(
    folder: Path, background_loop: BackgroundLoop, count: int
) -> Iterator[tuple[Broker, list[CutWire]]]:
    """Run a broker with so many further listeners, whose clients come each through a wire."""
    own, ports = reserved_ports(3), reserved_ports(2 * count)
    sides = {f"SIDE{number}": (ports[2 * number], ports[2 * number + 1]) for number in range(count)}
    listeners = {"PLAINTEXT": own[0], "CONTROLLER": own[2], **{name: at for name, (at, _) in sides.items()}}
    advertised = {"PLAINTEXT": own[0], **{name: port for name, (_, port) in sides.items()}}
    settings = {
        "listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in listeners.items()),
        "advertised__listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in advertised.items()),
        "listener__security__protocol__map": ",".join(f"{name}:PLAINTEXT" for name in listeners),
    }
    with ExitStack() as stack:
        wires = [
            stack.enter_context(closing(CutWire(background_loop, target, port)))
            for target, port in sides.values()
        ]
        [broker] = stack.enter_context(kafka.brokers(folder, 1, own, **settings))
        yield broker, wires


@contextmanager
def cuttable_domain(folder: Path) -> Iterator[CuttableDomain]:
    """Run a broker, an agent and the processes of a domain."""
    with ExitStack() as stack:
        loop = stack.enter_context(closing(BackgroundLoop()))
        names = list(CUT_OFF.values())
        broker, to_broker = stack.enter_context(side_broker(folder / "kafka", loop, len(names)))
        agent = stack.enter_context(consul.running())
        to_agent = [stack.enter_context(closing(CutWire(loop, agent.ports.http))) for _ in names]
        fleet = stack.enter_context(fleet_of_a_domain(folder / "fleet", broker, agent, **LIMITS))
        wires: dict[tuple[str, str], CutWire] = {}
        for name, broker_wire, agent_wire in zip(names, to_broker, to_agent, strict=True):
            wires[name, "Kafka"], wires[name, "Consul"] = broker_wire, agent_wire
            fleet.addresses[name] = {
                "broker": f"{HOST}:{broker_wire.port}",
                "consul": f"{HOST}:{agent_wire.port}",
            }
        yield CuttableDomain(broker, wires, RolloutSystem(fleet))

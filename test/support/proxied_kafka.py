"""Brokers whose clients come through wires of the test; among themselves they talk past them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from support.kafka import HOST, Broker
from support.kafka_proxy import BackgroundLoop, KafkaProxy
from support.reserved_ports import reserved_ports


class ProxiedBroker(NamedTuple):
    """A broker, and the wire that its clients know it by."""

    broker: Broker
    wire: KafkaProxy


@contextmanager
def proxied_brokers(
    folder: Path, background_loop: BackgroundLoop, count: int = 1
) -> Iterator[list[ProxiedBroker]]:
    """Make a cluster behind wires, formatted and not started; it is killed at the end."""
    every = iter(reserved_ports(4 * count))
    ports = [[next(every) for _ in range(4)] for _ in range(count)]
    voters = ",".join(f"{node}@{HOST}:{of[2]}" for node, of in enumerate(ports, 1))
    cluster = uuid4().hex[:22]
    with ExitStack() as stack:
        made: list[ProxiedBroker] = []
        for node, of in enumerate(ports, 1):
            wire = KafkaProxy(background_loop, of[0])
            stack.callback(wire.close)
            broker = Broker(folder / str(node), node, of[:3], voters, _settings(of, wire.port, count))
            stack.callback(broker.kill)
            broker.format(cluster)
            made.append(ProxiedBroker(broker, wire))
        yield made


def _settings(ports: list[int], seen: int, count: int) -> dict[str, str]:
    client, _, controller, inner = ports
    replicas, least = str(min(count, 3)), "1" if count < 3 else "2"
    return {
        "listeners": f"PLAINTEXT://{HOST}:{client},INNER://{HOST}:{inner},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{seen},INNER://{HOST}:{inner}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,INNER:PLAINTEXT",
        "inter.broker.listener.name": "INNER",
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": least,
    }


def bootstrap(cluster: list[ProxiedBroker]) -> str:
    """Return where clients find the cluster."""
    return ",".join(f"{HOST}:{one.wire.port}" for one in cluster)

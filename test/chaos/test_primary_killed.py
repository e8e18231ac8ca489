"""A primary as a real process, on Kafka and Consul: killed while clients write, and stopped and continued."""

import re
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from support.client import Client
from support.consul import Agent
from support.instance import names_of_its_own
from support.kafka import Broker
from support.member import PATIENCE_S, Member
from support.process import COMMAND
from support.reserved_ports import reserved_ports
from support.until import until

pytestmark = [pytest.mark.chaos, pytest.mark.needs("kafka", "consul")]
HOST = "127.0.0.1"
#: Seconds of the lease of a primary.
TTL_S = 2


class PrimaryGroup:
    """The services `rollouts` and `locks`, a gateway, and instances of `counters`, each a process."""

    def __init__(self, folder: Path, broker: str, agent: Agent) -> None:
        self._folder = folder
        rules = folder / "rules.toml"
        rules.write_text('[[primary]]\ngroup = "counters"\nwait_s = 20\n')
        self._env = {
            **names_of_its_own(),
            "BOOKSHELF_BROKER": broker,
            "BOOKSHELF_CONSUL": f"{HOST}:{agent.ports.http}",
            "BOOKSHELF_CLUSTER_DOMAIN": "blue",
            "BOOKSHELF_CLUSTER_PRIMARY_S": str(TTL_S),
            "BOOKSHELF_GATEWAY_RULES": str(rules),
            "BOOKSHELF_ACCOUNTS": "off",
        }
        port, own = reserved_ports(2)
        self.members: dict[str, Member] = {}
        rollouts = [*COMMAND, "run", "rollouts", "--port", str(own), "--id", "rollouts-1"]
        self._run("rollouts-1", "rollouts", [*rollouts, "--data", str(folder / "rollouts")])
        self.start("locks", "locks-1")
        gateway = [*COMMAND, "run", "gateway", "--port", str(port), "--id", "gateway-1"]
        self._run("gateway-1", "gateway", [*gateway, "--data", str(folder / "gateway")])
        self._url = f"http://{HOST}:{port}"

    def start(self, service: str, name: str, *planted: str) -> Member:
        command = [
            sys.executable,
            "-m",
            "support.primary_program",
            service,
            name,
            str(self._folder),
            *planted,
        ]
        return self._run(name, service, command)

    def _run(self, name: str, service: str, command: list[str]) -> Member:
        self.members[name] = Member(self._folder, service, name, command, self._env)
        self.members[name].ready()
        return self.members[name]

    @property
    def client(self) -> Client:
        return Client(self._url, "/bookshelf")

    def primary(self) -> Member:
        """Return the instance that holds the lock, as it has logged."""
        found: list[Member] = []

        def is_found() -> bool:
            found[:] = [
                member
                for member in self.members.values()
                if member.service == "counters" and member.alive and _is_primary(member.complaints)
            ]
            return len(found) == 1

        until(is_found, "one instance is the primary", PATIENCE_S)
        return found[0]

    def add(self, counter: str, keys: list[str]) -> None:
        """Add one for each key, and try again until each is acknowledged."""
        client = self.client

        def is_done(key: str) -> bool:
            try:
                answer = client.ask("POST", f"/counters/{counter}/more", {}, Idempotency_Key=key)
            except OSError:
                return False
            return answer.status == 200

        for key in keys:
            until(partial(is_done, key), f"{key} is acknowledged", PATIENCE_S)

    def value(self, counter: str) -> int:
        found: list[int] = []

        def is_read() -> bool:
            answer = self.client.ask("GET", f"/counters/{counter}")
            found[:] = [answer.json] if answer.status == 200 else []
            return bool(found)

        until(is_read, "the value is read", PATIENCE_S)
        return found[0]

    def stop(self) -> None:
        for member in self.members.values():
            if member.alive:
                member.kill()


def _is_primary(log: str) -> bool:
    held, lost = (len(re.findall(rf'"event": ?"{event}"', log)) for event in ("primary", "primary-no-more"))
    return held > lost


@pytest.fixture
def group(kafka_broker: Broker, consul_agent: Agent, tmp_path: Path) -> Iterator[PrimaryGroup]:
    made = PrimaryGroup(tmp_path, kafka_broker.address, consul_agent)
    yield made
    made.stop()
    consul_agent.clear()


def test_nothing_acknowledged_is_lost_when_the_primary_is_killed(group: PrimaryGroup) -> None:
    group.start("counters", "counters-1")
    group.add("all", ["first"])
    group.start("counters", "counters-2")
    with ThreadPoolExecutor(4) as clients:
        adding = [
            clients.submit(group.add, "all", [f"{number}-{turn}" for turn in range(20)])
            for number in range(4)
        ]
        group.add("all", ["before"])
        group.primary().kill()
        for one in adding:
            one.result()
    assert group.value("all") == 82


@pytest.mark.parametrize("planted", [(), ("planted",)], ids=["fenced", "planted: without tokens"])
def test_a_primary_that_was_stopped_writes_nothing_late(
    group: PrimaryGroup, tmp_path: Path, planted: tuple[str, ...]
) -> None:
    """It is stopped between the decision on a value and its write, until the next one has written more."""
    first = group.start("counters", "counters-1", *planted)
    group.add("all", ["first"])
    group.start("counters", "counters-2", *planted)
    (tmp_path / "slow").touch()
    with ThreadPoolExecutor(1) as clients:
        own = Client(f"http://{HOST}:{first.port}")
        own.answer_s = 300.0
        late = clients.submit(own.ask, "POST", "/counters/all/more", {}, Idempotency_Key="late")
        until((tmp_path / "paused").exists, "it has decided on a value")
        first.send(signal.SIGSTOP)
        (tmp_path / "slow").unlink()
        group.add("all", [f"later-{turn}" for turn in range(5)])
        assert group.value("all") == 6
        first.send(signal.SIGCONT)
        answer = late.result()
    if planted:
        assert answer.status == 200
        assert group.value("all") == 2  # four acknowledged changes are lost
    else:
        assert (answer.status, answer.problem) == (409, "fenced")
        assert group.value("all") == 6

"""`bookshelf run`: each of its options, as seen from Kafka, from Consul and by its callers."""

import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.client import Client
from support.consul import Agent
from support.instance import Instance, names_of_its_own
from support.kafka import Broker, free_ports
from support.kafka_log import admin_of
from support.process import Process, bookshelf
from support.until import until

from bookshelf import __version__

pytestmark = pytest.mark.needs("kafka", "consul")


@pytest.fixture(scope="module")
def agent(consul_agent: Agent) -> Iterator[Agent]:
    yield consul_agent
    consul_agent.clear()


@pytest.fixture(scope="module")
def usual(kafka_broker: Broker, agent: Agent) -> Mapping[str, str]:
    """Where the broker and the agent are, in the names that deployments use already."""
    return {
        "KAFKA_BROKER_ADDR": "127.0.0.1",
        "KAFKA_BROKER_PORT": str(kafka_broker.port),
        "CONSUL_AGENT_ADDR": "127.0.0.1",
        "CONSUL_AGENT_PORT": str(agent.ports.http),
        **names_of_its_own(),
    }


async def test_every_option_has_its_effect(
    kafka_broker: Broker, agent: Agent, usual: Mapping[str, str], tmp_path: Path
) -> None:
    [port] = free_ports(1)
    places = ("--broker", kafka_broker.address, "--consul", f"127.0.0.1:{agent.ports.http}")
    found_at = ("--host", "0.0.0.0", "--addr", "127.0.0.2", "--port", str(port))  # noqa: S104 (an option)
    named = ("--tags", "mine, green", "--group", "night", "--delay", "0.01")
    names = {key: value for key, value in usual.items() if key.startswith("BOOKSHELF_")}
    alone = {**names, "BOOKSHELF_ACCOUNTS": "off"}
    with Instance("newbook", tmp_path, *places, *found_at, *named, env=alone).ready() as newbook:
        [instance] = agent.get("/v1/catalog/service/newbook")
        assert (instance["ServiceAddress"], instance["ServicePort"]) == ("127.0.0.2", port)
        assert set(instance["ServiceTags"]) == {"mine", "green"}
        meta = instance["ServiceMeta"]
        assert meta["version"] == __version__
        assert (meta["owns-newbook"], meta["partitions-newbook"]) == ("0,1", "2")
        assert newbook.note.url == f"http://127.0.0.2:{port}"
        assert Client(f"http://127.0.0.2:{port}").add("Dune")["title"] == "Dune"
        async with admin_of(kafka_broker.address) as admin:
            groups = {name for name, *_ in await admin.list_consumer_groups()}
            topics = await admin.list_topics()
        assert f"{names['BOOKSHELF_KAFKA_PREFIX']}night.newbook" in groups
        assert f"{names['BOOKSHELF_KAFKA_PREFIX']}bookshelf" in topics
        assert newbook.stop().well == f"newbook is ready at http://127.0.0.2:{port}\n"
    assert agent.get("/v1/catalog/service/newbook") == []


@pytest.mark.parametrize("service", ["newbook", "booklist"])
def test_the_environment_names_of_deployments_are_sufficient(
    service: str, usual: Mapping[str, str], agent: Agent, tmp_path: Path
) -> None:
    with Instance(service, tmp_path, env=usual).ready() as instance:
        assert instance.client.get("/health/ready").status == 200
        [found] = agent.get(f"/v1/health/service/{service}?passing")
        assert found["Service"]["Port"] == instance.client.port
        assert instance.stop().well


def test_the_gateway_accepts_the_same_environment_names(usual: Mapping[str, str], tmp_path: Path) -> None:
    [port] = free_ports(1)
    env = {**usual, "BOOKSHELF_GROUP": "night", "BOOKSHELF_PORT": str(port)}
    with Instance("newbook", tmp_path, env=usual).ready(), Process("run", "gateway", env=env) as gateway:
        until(lambda: gateway.printed or not gateway.alive, "the gateway is ready")
        client = Client(f"http://127.0.0.1:{port}", "/bookshelf")
        until(
            lambda: client.ask("POST", "/books", {"title": "Kim", "author": "x"}).status == 201, "it forwards"
        )
        assert gateway.stop().well


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_during_the_start_ends_the_process(tmp_path: Path, number: int) -> None:
    nowhere = {"BOOKSHELF_BROKER": "127.0.0.1:1"}
    with Process("run", "newbook", "--data", tmp_path, "--delay", "3600", env=nowhere) as waiting:
        until(lambda: _handles(waiting.pid, number), "it takes the signal")
        ended = waiting.stop(number)
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def _handles(pid: int, number: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    mask = int(caught.split()[1], 16)
    # Python itself catches SIGINT from its start: both are ours once SIGTERM is
    return bool(mask >> (number - 1) & 1 and mask >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize(
    ("args", "printed"),
    [
        (("--tags", " , "), "--tags: name at least one tag"),
        (("--id", "../elsewhere"), "is no instance's name"),
        (("--port", "70000"), "port (or BOOKSHELF_PORT)"),
        (("--host", "0.0.0.0"), "name the address that others reach this machine at (--addr)"),  # noqa: S104
    ],
)
def test_an_invalid_option_is_reported(
    args: tuple[str, ...], printed: str, usual: Mapping[str, str], tmp_path: Path
) -> None:
    quiet = {**usual, "BOOKSHELF_LOG_LEVEL": "error"}
    assert printed in bookshelf("run", "newbook", "--data", tmp_path, *args, env=quiet).complaint


def test_two_instances_of_one_name_are_distinguished(usual: Mapping[str, str], tmp_path: Path) -> None:
    with Instance("booklist", tmp_path, env=usual).ready() as first:
        second = bookshelf("run", "booklist", "--data", tmp_path, "--id", first.name, env=usual)
        assert f"process {first.pid}" in second.complaint


#: So many that chance does not give all of them to one partition: 2 in 16 million times.
BOOKS = 24


@pytest.mark.parametrize("keyed", [True, False])
def test_a_command_sent_to_any_instance_reaches_its_owner(
    usual: Mapping[str, str], agent: Agent, tmp_path: Path, *, keyed: bool
) -> None:
    env = {**usual, **names_of_its_own()}
    agent.clear()  # of processes that were killed in another test
    with (
        Instance("newbook", tmp_path / "one", env=env).ready() as one,
        Instance("newbook", tmp_path / "two", env=env).ready() as two,
    ):
        until(lambda: _shares(agent) == ["0", "1"], "each owns a partition")
        for number in range(BOOKS):
            # to one instance alone: half of the books are of the other one's partition
            until(lambda: _taken(one, number, keyed=keyed), "a book is taken")  # noqa: B023 (called here)
        assert 0 < _added(two) < _added(one) == BOOKS
        # the markers of transactions count as read too
        until(lambda: [_lag(one), _lag(two)] == [[0.0], [0.0]], "each owner has read its partition")


def _taken(instance: Instance, number: int, *, keyed: bool) -> bool:
    headers = {"Idempotency_Key": f"key {number}"} if keyed else {}
    reply = instance.client.post("/books", {"title": f"Book {number}", "author": "x"}, **headers)
    assert reply.status in {201, 503}, reply  # 503 while the owner is not in its discovery yet
    return reply.status == 201


def _shares(agent: Agent) -> list[str]:
    """Return the partitions that each newbook publishes as its own."""
    return sorted(one["ServiceMeta"]["owns-newbook"] for one in agent.get("/v1/catalog/service/newbook"))


def _lag(instance: Instance) -> list[float]:
    """Return how many records the instance's owners have not read back, for each partition that they own."""
    page = instance.client.get("/metrics").content.decode().splitlines()
    return [float(line.split()[-1]) for line in page if line.startswith("bookshelf_owner_lag_records{")]


def _added(instance: Instance) -> float:
    """Return how many books an instance has answered for."""
    page = instance.client.get("/metrics").content.decode().splitlines()
    return sum(
        float(line.split()[-1])
        for line in page
        if line.startswith("bookshelf_request_seconds_count") and 'status="201"' in line
    )

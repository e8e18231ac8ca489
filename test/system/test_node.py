"""`bookshelf node`: two nodes on one machine run a service group, each in a process of its own."""

import re
import shlex
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from support.certificate import write_signed
from support.client import Client
from support.consul import Agent
from support.doc_blocks import page_blocks
from support.instance import Instance, names_of_its_own
from support.kafka import Broker
from support.packages import files
from support.process import ROOT, bookshelf
from support.process_with_ports import Announced
from support.until import until

pytestmark = pytest.mark.needs("kafka", "consul")


@pytest.fixture(scope="module")
def env(kafka_broker: Broker, consul_agent: Agent) -> Iterator[Mapping[str, str]]:
    yield {
        "BOOKSHELF_BROKER": kafka_broker.address,
        "BOOKSHELF_CONSUL": f"127.0.0.1:{consul_agent.ports.http}",
        **names_of_its_own(),
    }
    consul_agent.clear()


class Node(Announced):
    """A node on free ports, from ready to stopped."""

    def __init__(self, name: str, data: Path, *args: str, env: Mapping[str, str]) -> None:
        self.folder = data / "run" / name
        ports = ("--http-port", "0", "--admin-port", "0")
        super().__init__("node", "--name", name, "--data", str(data), *ports, *args, env=env)


def made_package(folder: Path) -> Path:
    """Return a package that the command line has made."""
    for name, content in files().items():
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "source" / name).write_bytes(content)
    assert bookshelf("package", "build", folder / "source", "--to", folder).well
    return folder / "counters-1.0.0.pack"


def processes_of(folder: Path) -> list[int]:
    """Return the processes of the groups of a node."""
    named = b"\0" + str(folder).encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            command = (process / "cmdline").read_bytes()
            if b"\0child\0" in command and named in command:
                found.append(int(process.name))
    return found


def test_two_nodes_load_a_group_from_one_repository(
    env: Mapping[str, str], consul_agent: Agent, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    env = {**env, "BOOKSHELF_CLUSTER_REPOSITORY": str(repository)}
    assert bookshelf("repo", "init", repository).well
    assert bookshelf("repo", "add", made_package(tmp_path), env=env).well
    with (
        Node("node1", tmp_path / "one", "--load", "counters", env=env).ready() as one,
        Node("node2", tmp_path / "two", "--load", "counters", env=env).ready() as two,
    ):
        for node in (one, two):
            answer = Client(node.note.url).get("/counters/greeting")
            assert (answer.status, answer.content) == (200, b"one")
            [group] = processes_of(node.folder)
            limits = Path(f"/proc/{group}/limits").read_text()
            assert re.search(rf"Max address space +{512 << 20} +{512 << 20} ", limits)
        until(lambda: len(consul_agent.get("/v1/health/service/counters?passing")) == 2, "both are found")
        ports = {
            found["Service"]["Port"] for found in consul_agent.get("/v1/health/service/counters?passing")
        }
        assert ports == {Client(node.note.url).port for node in (one, two)}
        assert two.stop().well
        until(lambda: len(consul_agent.get("/v1/catalog/service/counters")) == 1, "one has left")
        assert Client(one.note.url).get("/counters/greeting").status == 200
        assert one.stop().well
    assert consul_agent.get("/v1/catalog/service/counters") == []


def test_a_node_answers_by_https_and_its_admin_api_too(env: Mapping[str, str], tmp_path: Path) -> None:
    ca, pair = write_signed(tmp_path)
    plain = {**env, "BOOKSHELF_CLUSTER_REPOSITORY": str(tmp_path / "repository")}
    env = {
        **plain,
        "BOOKSHELF_GATEWAY_TLS_CERT": str(pair.certificate),
        "BOOKSHELF_GATEWAY_TLS_KEY": str(pair.key),
    }
    assert bookshelf("repo", "init", tmp_path / "repository").well
    assert bookshelf("repo", "add", made_package(tmp_path), env=env).well
    ports = ("--https-port", "0", "--admin-host", "127.0.0.1", "--load", "counters")
    with Node("node1", tmp_path / "one", *ports, env=env).ready() as node:
        token = tmp_path / "token"
        token.write_text(node.note.token)
        until(lambda: "is ready" in node.printed, "it has printed its addresses")
        secure, admin = re.findall(r"https://127\.0\.0\.1:\d+", node.printed)
        trusted = ssl.create_default_context(cafile=str(ca))
        with urlopen(f"{secure}/counters/greeting", context=trusted) as answer:  # noqa: S310 (https)
            assert answer.read() == b"one"
        with pytest.raises(URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urlopen(f"{secure}/counters/greeting")  # noqa: S310 (https)
        command = ("admin", "--node", admin, "--ca", ca, "--token-file", token, "status")
        # the node is in no domain
        assert "404: this process has no services" in bookshelf(*command).err
        token.write_text("another")
        assert "403" in bookshelf(*command).err
        assert node.stop().well
    refused = bookshelf("node", "--name", "x", "--admin-host", "127.0.0.1", "--data", tmp_path, env=plain)
    assert (refused.code, "--admin-host needs HTTPS" in refused.err) == (2, True), refused.err


def test_a_group_that_is_not_in_the_repository_ends_the_start_with_its_nearest_name(
    env: Mapping[str, str], tmp_path: Path
) -> None:
    env = {**env, "BOOKSHELF_CLUSTER_REPOSITORY": str(tmp_path / "repository")}
    assert bookshelf("repo", "init", tmp_path / "repository").well
    assert bookshelf("repo", "add", made_package(tmp_path), env=env).well
    ports = ("--http-port", "0", "--admin-port", "0", "--data", tmp_path)
    done = bookshelf("node", "--name", "node1", *ports, "--load", "countres", env=env)
    assert done.code == 2
    assert "--load: countres: the repository has no group countres; did you mean counters?" in done.err


def test_a_node_without_a_repository_is_refused(env: Mapping[str, str], tmp_path: Path) -> None:
    done = bookshelf("node", "--name", "node1", "--data", tmp_path, env=env)
    assert (done.code, "cluster_repository: no repository is set" in done.err) == (2, True)


class Walk:
    """Runs the commands of a page in a folder: what the page has below /srv, and on free ports."""

    def __init__(self, folder: Path, env: Mapping[str, str], stack: ExitStack) -> None:
        self._folder = folder
        self._env = dict(env)
        self._stack = stack
        self.nodes: dict[str, Announced] = {}

    def run(self, line: str) -> str:
        """Run one command; return what it has printed."""
        line = line.replace("/srv", str(self._folder))
        match shlex.split(line):
            case ["export", *settings]:
                self._env |= dict(setting.split("=", 1) for setting in settings)
            case ["bookshelf", "run", service, "--data", data, "&"]:
                self._stack.enter_context(Instance(service, Path(data), env=self._env).ready())
            case ["bookshelf", "node", "--name", name, "--data", data, *_]:
                node = Node(name, Path(data), env=self._env)
                self.nodes[name] = self._stack.enter_context(node.ready())
            case ["bookshelf", *command]:
                return bookshelf(*command, env=self._env).well
            case ["echo", text, ">", file]:
                Path(file).write_text(text)
            case ["curl", url]:
                self.until_status(url, 200)
            case _:
                raise AssertionError(line)
        return ""

    def until_status(self, url: str, status: int) -> None:
        """Wait until a node answers so; its port on the page is 8140, of the second one 8240."""
        _, _, rest = url.partition("127.0.0.1:")
        port, _, path = rest.partition("/")
        client = Client(self.nodes["node1" if port == "8140" else "node2"].note.url)
        until(lambda: client.get(f"/{path}").status == status, f"{url} answers {status}")


def test_the_two_nodes_of_the_page_load_close_and_unload_a_group(
    env: Mapping[str, str], tmp_path: Path
) -> None:
    page = ROOT / "docs" / "cluster.md"
    begin = page.read_text(encoding="utf-8").partition("### Two nodes on one machine")[2]
    text = begin.partition("\n## ")[0]
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    toml, python, start, change = (block.text for block in page_blocks(tmp_path / "page.md"))
    (tmp_path / "counters" / "counters").mkdir(parents=True)
    (tmp_path / "counters" / "package.toml").write_text(toml)
    (tmp_path / "counters" / "counters" / "services.py").write_text(python)
    urls = [f"http://127.0.0.1:{port}/counters/greeting" for port in (8140, 8240)]
    with ExitStack() as stack:
        walk = Walk(tmp_path, {**env, **names_of_its_own()}, stack)
        for line in start.splitlines():
            walk.run(line)
        for url in urls:
            walk.until_status(url, 404)
        printed = [walk.run(line) for line in change.splitlines()]
        assert "one change is ready on 3 nodes" in printed[0]
        assert all("committed" in printed[place] for place in (1, 5, 6))
        for url in urls:
            walk.until_status(url, 404)
        for node in walk.nodes.values():
            assert node.stop().well

"""Each app of marathon/ on the Docker daemon, run as Marathon would, in the order of the docs."""

import socket
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from support import replacement_images
from support.docker import Docker
from support.manifests import Document, marathon, posting_order
from support.readme import STATUSES, played
from support.until import until

pytestmark = pytest.mark.deploy
_NODE = "bookshelf-node"


class Agent:
    """What Mesos' agent does with an app: ports, environment, a container, health checks.

    Its node is a container too, whose network all others share.
    """

    def __init__(self, docker: Docker, root: Path) -> None:
        self._docker = docker
        self._root = root
        # as Marathon has it by default: what is not required is taken from these
        self._offered = count(31000)
        self._node = docker(
            "run", "--detach", "--hostname", _NODE, replacement_images.PYTHON, "sleep", "infinity"
        )
        self.address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", self._node)

    def start(self, app: Document) -> int:
        """Start one instance; return its first port once its health check passes."""
        assert app["networks"] == [{"mode": "host"}]
        defined = app["portDefinitions"]
        ports: list[int] = [one["port"] if app["requirePorts"] else next(self._offered) for one in defined]
        environment = {"HOST": _NODE, **app["env"]}
        for index, (one, port) in enumerate(zip(defined, ports, strict=True)):
            environment |= {f"PORT{index}": str(port), f"PORT_{one['name'].upper()}": str(port)}
        self._run(app, environment)
        [check] = app["healthChecks"]
        asked: int = ports[check["portIndex"]]
        until(lambda: self._passes(check, asked), f"{app['id']} is well", check["gracePeriodSeconds"])
        return asked

    def _run(self, app: Document, environment: dict[str, str]) -> None:
        container = app["container"]
        options = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
        options += [f"--{one['key']}={one['value']}" for one in container["docker"].get("parameters", ())]
        for volume in container.get("volumes", ()):
            options += ["--volume", f"{self._place(volume['hostPath'])}:{volume['containerPath']}"]
        place = ["--network", f"container:{self._node}", "--memory", f"{app['mem']}m"]
        run = ["run", "--detach", *place, "--entrypoint", "/bin/sh", *options, container["docker"]["image"]]
        self._docker(*run, "-c", app["cmd"])

    def _passes(self, check: Document, port: int) -> bool:
        """Ask as Marathon's own health check does."""
        try:
            if check["protocol"] == "MESOS_TCP":
                with socket.create_connection((self.address, port), check["timeoutSeconds"]):
                    return True
            with urlopen(f"http://{self.address}:{port}{check['path']}", timeout=4) as answer:
                return bool(answer.status < 400)
        except (URLError, OSError):
            return False

    def _place(self, path: str) -> Path:
        place = self._root / path.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o777)
        return place


@pytest.fixture(scope="module")
def agent(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """A node, without apps."""
    try:
        yield Agent(docker, tmp_path_factory.mktemp("marathon"))
    finally:
        docker("rm", "--force", "--volumes", *docker("ps", "--all", "--quiet").split())


@pytest.fixture(scope="module")
def apps(agent: Agent, image: str) -> dict[str, int]:
    """All apps run, posted one by one, newbook twice; their first ports by name."""
    found = marathon()
    images = {image, replacement_images.KAFKA, replacement_images.CONSUL}
    assert {app["container"]["docker"]["image"] for app in found.values()} == images
    ports = {name: agent.start(found[name]) for name in posting_order()}
    return {**ports, "newbook again": agent.start(found["newbook"])}


def test_the_gateway_answers_the_documented_calls(apps: dict[str, int], agent: Agent, tmp_path: Path) -> None:
    assert played(tmp_path, f"http://{agent.address}:{apps['api-gateway']}") == list(STATUSES)


def test_two_of_a_service_run_on_one_node(apps: dict[str, int], agent: Agent) -> None:
    assert apps["newbook"] != apps["newbook again"]
    with urlopen(f"http://{agent.address}:8500/v1/health/service/newbook?passing", timeout=20) as answer:
        assert answer.read().count(b'"Checks"') == 2

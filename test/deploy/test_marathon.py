"""Each app of marathon/ on the Docker daemon, run as Marathon would, in the order of the docs."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from support import stand_ins
from support.docker import Docker
from support.kafka import free_ports
from support.manifests import Document, marathon
from support.readme import STATUSES, played
from support.until import until

pytestmark = pytest.mark.deploy
_ORDER = ["kafka", "consul", "newbook", "readbook", "lastread", "listbooks", "api-gateway"]
_NODE = "bookshelf-node"


class Agent:
    """What Mesos' agent does with an app: ports, environment, a container, health checks."""

    def __init__(self, docker: Docker, root: Path) -> None:
        self._docker = docker
        self._root = root

    def start(self, app: Document) -> int:
        """Start one instance; return its first port once its health check passes."""
        assert app["networks"] == [{"mode": "host"}]
        ports: list[int] = [
            one["port"] if app["requirePorts"] else free_ports(1)[0] for one in app["portDefinitions"]
        ]
        environment = {"HOST": _NODE, **app["env"]}
        for index, (one, port) in enumerate(zip(app["portDefinitions"], ports, strict=True)):
            environment |= {f"PORT{index}": str(port), f"PORT_{one['name'].upper()}": str(port)}
        options = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
        container = app["container"]
        options += [f"--{one['key']}={one['value']}" for one in container["docker"].get("parameters", ())]
        for volume in container.get("volumes", ()):
            options += ["--volume", f"{self._place(volume['hostPath'])}:{volume['containerPath']}"]
        limits = ["--memory", f"{app['mem']}m", "--add-host", f"{_NODE}:127.0.0.1", "--entrypoint", "/bin/sh"]
        run = ["run", "--detach", "--network", "host", *limits, *options, container["docker"]["image"]]
        self._docker(*run, "-c", app["cmd"])
        [check] = app["healthChecks"]
        port: int = ports[check["portIndex"]]
        until(
            lambda: passes(check, port), f"{app['id']} passes its health check", check["gracePeriodSeconds"]
        )
        return port

    def _place(self, path: str) -> Path:
        place = self._root / path.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o777)
        return place


def passes(check: Document, port: int) -> bool:
    """Ask as Marathon's own health check does."""
    try:
        if check["protocol"] == "MESOS_TCP":
            with socket.create_connection(("127.0.0.1", port), check["timeoutSeconds"]):
                return True
        with urlopen(f"http://127.0.0.1:{port}{check['path']}", timeout=check["timeoutSeconds"]) as answer:
            return bool(answer.status < 400)
    except (URLError, OSError):
        return False


@pytest.fixture(scope="module")
def apps(docker: Docker, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """All apps run, posted one by one; their first ports by name."""
    found = marathon()
    images = {image, stand_ins.KAFKA, stand_ins.CONSUL}
    assert {app["container"]["docker"]["image"] for app in found.values()} == images
    agent = Agent(docker, tmp_path_factory.mktemp("marathon"))
    try:
        ports = {name: agent.start(found[name]) for name in _ORDER}
        ports["newbook again"] = agent.start(found["newbook"])
        yield ports
    finally:
        docker("rm", "--force", "--volumes", *docker("ps", "--all", "--quiet").split())


def test_the_gateway_answers_the_documented_calls(apps: dict[str, int], tmp_path: Path) -> None:
    assert apps["api-gateway"] == 8000
    assert played(tmp_path) == list(STATUSES)


def test_two_of_a_service_run_on_one_node(apps: dict[str, int]) -> None:
    assert apps["newbook"] != apps["newbook again"]
    with urlopen("http://127.0.0.1:8500/v1/health/service/newbook?passing", timeout=20) as answer:
        assert answer.read().count(b'"Checks"') == 2

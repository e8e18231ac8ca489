"""A real Kubernetes cluster of one node, for minutes: what it runs is killed with it."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from support import kubernetes_cleanup
from support import kubernetes_config as config
from support.kubernetes_files import programs
from support.reserved_ports import reserved_ports
from support.until import until

_PATIENCE_S = 300


class Cluster:
    """A running cluster, and its command line."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, *args: str | Path, text: str | None = None) -> str:
        """Run kubectl and return what it prints. Raises AssertionError with what it complains of."""
        done = self.attempt(*args, text=text)
        assert done.returncode == 0, f"kubectl {args}: {done.stdout[-1000:]} {done.stderr[-2000:]}"
        return done.stdout.strip()

    def attempt(self, *args: str | Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl, whatever comes of it."""
        command = ["kubectl", f"--kubeconfig={self.root}/kubeconfig", *map(str, args)]
        return subprocess.run(
            command, input=text or "", capture_output=True, text=True, check=False, timeout=300
        )

    def items(self, kind: str, *args: str) -> list[dict[str, Any]]:
        """Return all objects of a kind."""
        found: list[dict[str, Any]] = json.loads(self("get", kind, "--output=json", *args))["items"]
        return found

    def json(self, path: str) -> dict[str, Any]:
        """Return what the API answers at a path."""
        found: dict[str, Any] = json.loads(self("get", f"--raw={path}"))
        return found

    def take(self, archive: Path) -> None:
        """Have the node's container runtime know the images of an archive."""
        address = f"--address={self.root}/containerd.sock"
        command = ["ctr", address, "--namespace=k8s.io", "images", "import", str(archive)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)

    @contextmanager
    def port_forward(self, target: str, port: int) -> Iterator[str]:
        """Forward a free local port to a port of a pod or Service; yield the local URL."""
        [local] = reserved_ports(1)
        command = ["kubectl", f"--kubeconfig={self.root}/kubeconfig", "port-forward"]
        process = _started(self.root, "port-forward", [*command, target, f"{local}:{port}"])
        log = self.root / "port-forward.log"
        try:
            until(lambda: "Forwarding from" in log.read_text(), f"{target} is forwarded", 180)
            yield f"http://127.0.0.1:{local}"
        finally:
            _end(process)

    def ready(self) -> bool:
        """Whether its node is ready for pods."""
        asked = self.attempt("get", "nodes", "--output=json")
        if asked.returncode:
            return False
        said = [c for node in json.loads(asked.stdout)["items"] for c in node["status"]["conditions"]]
        return any(c["type"] == "Ready" and c["status"] == "True" for c in said)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a cluster; at the end all of it is gone."""
    made = programs()
    root = Path(tempfile.mkdtemp(prefix="bookshelf-kube-"))
    config.write(root)
    one = Cluster(root)
    with ExitStack() as stack:
        stack.callback(kubernetes_cleanup.remove, root)
        _bridge(stack)
        for name, command in config.commands(root, made).items():
            stack.callback(_end, _started(root, name, command))
            if name == "kube-apiserver":
                until(lambda: one.attempt("get", "--raw=/readyz").returncode == 0, "the API answers", 180)
        until(one.ready, "the node is ready", _PATIENCE_S)
        yield one


def _started(root: Path, name: str, command: list[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    with (root / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _bridge(stack: ExitStack) -> None:
    """Make the pods' bridge before there are pods: DNS listens there.

    What is for a service without a ready pod, and so has no pod's address yet, ends there, too.
    """
    _ip("link", "add", "shelf0", "type", "bridge")
    stack.callback(_ip, "link", "delete", "shelf0")
    _ip("address", "add", f"{config.BRIDGE}/24", "dev", "shelf0")
    _ip("link", "set", "shelf0", "up")
    _ip("route", "add", config.SERVICES, "dev", "shelf0")


def _ip(*args: str) -> None:
    subprocess.run(["ip", *args], check=True, capture_output=True)

"""kube.yaml on a real Kubernetes 1.31: created, asked, rolled, scaled; pods killed under load."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import required
from support import stand_ins
from support.client import Client
from support.docker import Docker
from support.kubernetes import Cluster, cluster
from support.process import ROOT
from support.readme import STATUSES, played
from support.steady import Steady
from support.until import until

pytestmark = [pytest.mark.deploy, pytest.mark.needs("kubernetes")]
_PODS = 13


@pytest.fixture(scope="module")
def kube(docker: Docker, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster on which `kubectl create -f kube.yaml` was run, and every pod is ready."""
    required("kubernetes")
    archive = tmp_path_factory.mktemp("images") / "images.tar"
    outside = [stand_ins.KAFKA, stand_ins.CONSUL, stand_ins.POSTGRES]
    docker("save", "--output", archive, stand_ins.pause(docker), image, *outside)
    with cluster() as made:
        made.take(archive)
        archive.unlink()
        made("create", "-f", "-", text="\n".join(volume(made.root, number) for number in range(3)))
        made("create", "-f", ROOT / "kube.yaml")
        until(lambda: ready(made) == _PODS, "every pod is ready", 240)
        yield made


def volume(root: Path, number: int) -> str:
    """Make a place for what claims a disk: a cluster of one node has nothing that provides them."""
    place = root / "volumes" / str(number)
    place.mkdir(parents=True)
    place.chmod(0o777)
    spec = {
        "capacity": {"storage": "20Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": str(place)},
    }
    metadata = {"name": f"volume-{number}"}
    return json.dumps({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec})


def ready(kube: Cluster, app: str = "") -> int:
    """Return how many pods are ready."""
    chosen = [f"--selector=app.kubernetes.io/name={app}"] if app else []
    states = [c for pod in kube.items("pods", *chosen) for c in pod["status"].get("containerStatuses", ())]
    return sum(state["ready"] for state in states)


def door(kube: Cluster) -> str:
    """Return the address of the Service bookshelf."""
    [found] = kube.items("services", "--field-selector=metadata.name=bookshelf")
    return f"http://{found['spec']['clusterIP']}:8000"


def titles(kube: Cluster) -> Counter[str]:
    return Counter(book["title"] for book in Client(door(kube), "/bookshelf").every_book())


def there_once(kube: Cluster, readers: Steady) -> bool:
    found = titles(kube)
    return all(found[title] == 1 for title in readers.acknowledged)


def test_every_pod_is_ready_and_none_was_started_twice(kube: Cluster) -> None:
    pods = kube.items("pods")
    assert len(pods) == _PODS
    assert {state["restartCount"] for pod in pods for state in pod["status"]["containerStatuses"]} == {0}


def test_the_documented_calls_are_answered(kube: Cluster, tmp_path: Path) -> None:
    assert played(tmp_path, door(kube)) == list(STATUSES)
    assert Client(door(kube)).ask("GET", "/apidocs/").status == 200


@pytest.mark.parametrize("name", ["newbook", "readbook", "lastreadbooks", "booklist", "gateway"])
def test_a_rolling_update_fails_no_request(kube: Cluster, name: str) -> None:
    with Steady(door(kube), f"rolled-{name}") as readers:
        assert readers.more(20)
        kube("rollout", "restart", f"deployment/{name}")
        kube("rollout", "status", f"deployment/{name}", "--timeout=120s")
        assert readers.more(20)
    assert readers.failed == []
    until(lambda: there_once(kube, readers), "all that was acknowledged is listed, once")


@pytest.mark.parametrize("pod", ["newbook", "gateway", "events", "disco", "postgres"])
def test_a_killed_pod_loses_nothing(kube: Cluster, pod: str) -> None:
    with Steady(door(kube), f"killed-{pod}") as readers:
        assert readers.more(20)
        name = kube.items("pods", f"--selector=app.kubernetes.io/name={pod}")[0]["metadata"]["name"]
        kube("delete", "pod", name, "--grace-period=0", "--force")
        assert readers.more(50)
    assert readers.failed == []
    until(lambda: ready(kube) == _PODS, "every pod is ready again", 120)
    until(lambda: there_once(kube, readers), "all that was acknowledged is listed, once")


def test_newbook_scales_to_three(kube: Cluster) -> None:
    kube("scale", "deployment/newbook", "--replicas=3")
    kube("rollout", "status", "deployment/newbook", "--timeout=120s")
    assert ready(kube, "newbook") == 3


def test_what_is_not_restricted_is_not_let_in(kube: Cluster) -> None:
    refused = kube.attempt("run", "intruder", "--image=bookshelf:0.1.0")
    assert refused.returncode != 0
    assert "violates PodSecurity" in refused.stderr

"""kube.yaml on a real Kubernetes 1.31: created, asked, rolled, scaled; pods killed under load."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import required
from deploy.cluster_requests import (
    connections_between,
    gateway_url,
    pod,
    ready,
    seen,
    start_anew,
    there_once,
    volume,
)
from deploy.figures import Figure, of_pods
from support import replacement_images
from support.background_readers import BackgroundReaders
from support.client import Client
from support.docker import Docker
from support.kubernetes import Cluster, cluster
from support.manifests import Document
from support.network_policies import kept
from support.process import ROOT
from support.readme import STATUSES, played
from support.until import until

from bookshelf.services import SERVICES

pytestmark = [pytest.mark.deploy, pytest.mark.needs("kubernetes")]
_OURS = (*(service.name for service in SERVICES), "gateway")
_KEPT = [service.name for service in SERVICES if service.keeps_files]
#: Two of each of ours, but one of those with files; one of each of the others.
_PODS = 2 * len(_OURS) - len(_KEPT) + 3


def _for_one_node(text: str) -> str:
    """Return kube.yaml for a node of two cores: each pod asks for less of them, and two of each run."""
    return text.replace("cpu: 50m", "cpu: 5m").replace("minReplicas: 3", "minReplicas: 2")


@pytest.fixture(scope="module")
def kube(
    docker: Docker, image: str, tmp_path_factory: pytest.TempPathFactory, figures: list[Figure]
) -> Iterator[Cluster]:
    """A cluster on which `kubectl create -f kube.yaml` was run, and every pod is ready."""
    required("kubernetes")
    archive = tmp_path_factory.mktemp("images") / "images.tar"
    outside = [replacement_images.KAFKA, replacement_images.CONSUL, replacement_images.POSTGRES]
    docker("save", "--output", archive, replacement_images.pause(docker), image, *outside)
    with cluster() as made:
        made.take(archive)
        archive.unlink()
        claims = range(3 + len(_KEPT))
        made("create", "-f", "-", text="\n".join(volume(made.root, number) for number in claims))
        begun = time.monotonic()
        made("create", "-f", "-", text=_for_one_node((ROOT / "kube.yaml").read_text(encoding="utf-8")))
        until(lambda: ready(made) == _PODS, "every pod is ready", 240)
        figures.append(
            Figure(f"Kubernetes: kube.yaml created, all {_PODS} pods ready", time.monotonic() - begun)
        )
        yield made


def test_every_pod_is_ready_without_a_restart(kube: Cluster, figures: list[Figure]) -> None:
    pods = kube.items("pods")
    assert len(pods) == _PODS
    again = {
        pod["metadata"]["name"]: (
            state["lastState"],
            kube.attempt("logs", "--previous", pod["metadata"]["name"]).stdout[-2000:],
        )
        for pod in pods
        for state in pod["status"]["containerStatuses"]
        if state["restartCount"]
    }
    assert again == {}
    used = of_pods(kube)
    figures += [
        Figure(
            f"Kubernetes: pod of {app}",
            megabytes=max(size for name, size in used.items() if name.startswith(app)),
        )
        for app in (*_OURS, "events", "disco", "postgres")
    ]
    figures.append(Figure(f"Kubernetes: all {_PODS} pods, without load", megabytes=sum(used.values())))


def test_the_documented_calls_are_answered(kube: Cluster, tmp_path: Path) -> None:
    assert played(tmp_path, gateway_url(kube)) == list(STATUSES)
    assert Client(gateway_url(kube)).ask("GET", "/apidocs/").status == 200


@pytest.mark.parametrize("name", _OURS)
def test_pods_have_no_token_no_root_and_a_read_only_filesystem(kube: Cluster, name: str) -> None:
    status = "grep -E '^(NoNewPrivs|CapEff|Seccomp):' /proc/1/status"
    script = f"id -u; ls /var/run/secrets 2>&1 || true; touch /opt/x 2>&1 || true; {status}"
    said = kube("exec", f"deployment/{name}", "--", "sh", "-c", script)
    user, token, write, *rights = said.splitlines()
    assert user == "10001"
    assert "No such file" in token
    assert "Read-only file system" in write
    assert [line.split()[1] for line in rights] == ["0" * 16, "1", "2"]


def test_every_budget_lets_a_node_be_drained(kube: Cluster) -> None:
    budgets = kube.items("poddisruptionbudgets")
    assert len(budgets) == len(_OURS) + 3
    assert [one["metadata"]["name"] for one in budgets if one["status"]["disruptionsAllowed"] < 1] == []


@pytest.fixture
def outsider(kube: Cluster) -> Iterator[Document]:
    """A pod of someone else, in another namespace, that calls itself one of ours and listens on 8000."""
    image = ["--image=bookshelf:0.1.0", "--image-pull-policy=IfNotPresent", "--port=8000"]
    own = ["run", "outsider", "--namespace=default", "--labels=app.kubernetes.io/name=gateway", *image]
    kube(*own, "--command", "--", "python", "-m", "http.server", "8000")
    kube("wait", "--namespace=default", "--for=condition=Ready", "pod/outsider", "--timeout=60s")
    yield pod(kube, "gateway", "default")
    kube("delete", "pod", "outsider", "--namespace=default", "--grace-period=0", "--force")


def test_network_policies_allow_only_the_needed_connections(kube: Cluster, outsider: Document) -> None:
    names = (*_OURS, "events", "disco", "postgres")
    all_pods = {name: pod(kube, name) for name in names} | {"outsider": outsider}
    place = {
        name: f"{one.address}:{one.ports[0]}" for name, one in ((n, seen(p)) for n, p in all_pods.items())
    }
    name_of = {where: name for name, where in place.items()}

    def reached(source: str) -> set[str]:
        others = (where for where in name_of if where != place[source])
        return {name_of[one] for one in connections_between(kube, all_pods[source], *others)}

    assert reached("outsider") == place.keys() - {"outsider"}
    everyone = [seen(one) for one in kube.items("pods", "--all-namespaces")]
    services = {service.name for service in SERVICES}
    with kept(kube.items("networkpolicies"), everyone):
        assert reached("outsider") == {"gateway"}
        assert reached("gateway") == {"disco", *services}
        assert reached("newbook") == {"disco", "events", *services} - {"newbook"}
        assert reached("booklist") == {"disco", "events", "postgres", *services} - {"booklist"}
        for name in ("newbook", "booklist", "gateway"):
            start_anew(kube, all_pods[name]["metadata"]["name"])
        with BackgroundReaders(gateway_url(kube), "kept") as readers:
            assert readers.more(20)
        assert readers.failed == []
        until(lambda: there_once(kube, readers), "all that was acknowledged is listed, once")


@pytest.mark.parametrize("name", _OURS)
def test_a_rolling_update_fails_no_request(kube: Cluster, name: str, figures: list[Figure]) -> None:
    with BackgroundReaders(gateway_url(kube), f"rolled-{name}") as readers:
        assert readers.more(20)
        begun = time.monotonic()
        kube("rollout", "restart", f"deployment/{name}")
        kube("rollout", "status", f"deployment/{name}", "--timeout=120s")
        took = time.monotonic() - begun
        assert readers.more(20)
    assert readers.failed == []
    until(lambda: there_once(kube, readers), "all that was acknowledged is listed, once")
    figures.append(Figure(f"Kubernetes: rolling update of {name} under load", took, retried=readers.retries))


@pytest.mark.parametrize("app", ["newbook", "gateway", "events", "disco", "postgres"])
def test_a_killed_pod_loses_nothing(kube: Cluster, app: str, figures: list[Figure]) -> None:
    with BackgroundReaders(gateway_url(kube), f"killed-{app}") as readers:
        assert readers.more(20)
        begun = time.monotonic()
        kube("delete", "pod", pod(kube, app)["metadata"]["name"], "--grace-period=0", "--force")
        assert readers.more(50)
    assert readers.failed == []
    until(lambda: ready(kube) == _PODS, "every pod is ready again", 120)
    took = time.monotonic() - begun
    figures.append(Figure(f"Kubernetes: pod of {app} killed under load", took, retried=readers.retries))
    until(lambda: there_once(kube, readers), "all that was acknowledged is listed, once")


def test_newbook_scales_to_three(kube: Cluster) -> None:
    kube("scale", "deployment/newbook", "--replicas=3")
    kube("rollout", "status", "deployment/newbook", "--timeout=120s")
    assert ready(kube, "newbook") == 3


def test_status_and_metrics_are_reached_by_port_forward_alone(kube: Cluster) -> None:
    pages = ("/gateway", "/metrics")
    assert [Client(gateway_url(kube)).ask("GET", page).status for page in pages] == [404, 404]
    with kube.port_forward("deployment/gateway", 8000) as url:
        assert [Client(url).ask("GET", page).status for page in pages] == [200, 200]


def test_port_forward_opens_the_shelf_to_this_machine(kube: Cluster) -> None:
    with kube.port_forward("service/bookshelf", 8000) as url:
        assert Client(url, "/bookshelf").add("by port-forward")["title"]


@pytest.mark.parametrize("overlay", ["load-balancer", "small", "own-kafka"])
def test_the_cluster_accepts_the_overlays(kube: Cluster, overlay: str) -> None:
    kube(
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "-k",
        ROOT / "kube/overlays" / overlay,
    )


def test_an_unrestricted_pod_is_refused(kube: Cluster) -> None:
    refused = kube.attempt("run", "intruder", "--image=bookshelf:0.1.0")
    assert refused.returncode != 0
    assert "violates PodSecurity" in refused.stderr

"""kube.yaml on a real Kubernetes 1.31: created, asked, rolled, scaled; pods killed under load."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import required
from deploy.cluster_requests import (
    all_ready,
    connections_between,
    gateway_url,
    pod,
    ready,
    seen,
    start_anew,
    there_once,
    volume,
)
from deploy.contexts import COPIES, GALERA, OUTSIDE, claims, manifest, pods, rest, services
from deploy.customers import BackgroundCustomers, finalized, product
from deploy.customers import kept as stock_kept
from deploy.figures import Figure, of_pods
from deploy.photographers import answered, counts, publish
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

pytestmark = [pytest.mark.deploy, pytest.mark.needs("kubernetes")]
_SERVICES = services("")
_OURS = (*_SERVICES, "gateway")
_PODS = pods("")


@pytest.fixture(scope="module")
def kube(
    docker: Docker, image: str, tmp_path_factory: pytest.TempPathFactory, figures: list[Figure]
) -> Iterator[Cluster]:
    """A cluster on which the shelf of kube.yaml was created, and every pod is ready."""
    required("kubernetes")
    archive = tmp_path_factory.mktemp("images") / "images.tar"
    outside = [replacement_images.KAFKA, replacement_images.CONSUL, replacement_images.POSTGRES]
    ours = [image, replacement_images.mariadb(docker)]
    docker("save", "--output", archive, replacement_images.pause(docker), *ours, *outside)
    with cluster() as made:
        made.take(archive)
        archive.unlink()
        made("create", "-f", "-", text="\n".join(volume(made.root, number) for number in range(claims())))
        begun = time.monotonic()
        made("create", "-f", "-", text=manifest(""))
        until(lambda: ready(made) == _PODS, "every pod is ready", 900)
        figures.append(
            Figure(f"Kubernetes: the shelf created, all {_PODS} pods ready", time.monotonic() - begun)
        )
        yield made


def restarted(kube: Cluster) -> Document:
    """Return why each pod that was started more than once was."""
    return {
        pod["metadata"]["name"]: (
            state["lastState"],
            kube.attempt("logs", "--previous", pod["metadata"]["name"]).stdout[-2000:],
        )
        for pod in kube.items("pods")
        for state in pod["status"]["containerStatuses"]
        if state["restartCount"]
    }


def test_every_pod_is_ready_without_a_restart(kube: Cluster, figures: list[Figure]) -> None:
    assert len(kube.items("pods")) == _PODS
    assert restarted(kube) == {}
    used = of_pods(kube)
    figures += [
        Figure(
            f"Kubernetes: pod of {app}",
            megabytes=max(size for name, size in used.items() if name.startswith(app)),
        )
        for app in (*_OURS, *OUTSIDE)
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
    assert len(budgets) == len(_OURS) + len(OUTSIDE)
    assert [one["metadata"]["name"] for one in budgets if one["status"]["disruptionsAllowed"] < 1] == []


@pytest.fixture
def outsider(kube: Cluster) -> Iterator[Document]:
    """A pod of someone else, in another namespace, that calls itself one of ours and listens on 8000."""
    image = ["--image=bookshelf:0.1.0", "--image-pull-policy=IfNotPresent", "--port=8000"]
    own = ["run", "outsider", "--namespace=default", "--labels=app.kubernetes.io/name=gateway", *image]
    kube(*own, "--command", "--", "python", "-m", "http.server", "8000")
    kube("wait", "--namespace=default", "--for=condition=Ready", "pod/outsider", "--timeout=180s")
    yield pod(kube, "gateway", "default")
    kube("delete", "pod", "outsider", "--namespace=default", "--grace-period=0", "--force")


def test_network_policies_allow_only_the_needed_connections(kube: Cluster, outsider: Document) -> None:
    names = (*_OURS, *OUTSIDE)
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
    with kept(kube.items("networkpolicies"), everyone):
        assert reached("outsider") == {"gateway"}
        assert reached("gateway") == {"disco", *_SERVICES}
        assert reached("newbook") == {"disco", "events", *_SERVICES} - {"newbook"}
        assert reached("booklist") == {"disco", "events", "postgres", *_SERVICES} - {"booklist"}
        for name in ("newbook", "booklist", "gateway"):
            start_anew(kube, all_pods[name]["metadata"]["name"])
        with BackgroundReaders(gateway_url(kube), "kept") as readers:
            assert readers.more(20)
        assert readers.failed == []
        until(lambda: there_once(kube, readers), "all that was acknowledged is listed, once", 180)


@pytest.mark.parametrize("name", _OURS)
def test_a_rolling_update_fails_no_request(kube: Cluster, name: str, figures: list[Figure]) -> None:
    with BackgroundReaders(gateway_url(kube), f"rolled-{name}") as readers:
        assert readers.more(20)
        begun = time.monotonic()
        kube("rollout", "restart", f"deployment/{name}")
        kube("rollout", "status", f"deployment/{name}", "--timeout=280s")
        took = time.monotonic() - begun
        assert readers.more(20)
    assert readers.failed == []
    until(lambda: there_once(kube, readers), "all that was acknowledged is listed, once", 180)
    figures.append(Figure(f"Kubernetes: rolling update of {name} under load", took, retried=readers.retries))


@pytest.mark.parametrize("app", ["newbook", "gateway", "events", "disco", "postgres"])
def test_a_killed_pod_loses_nothing(kube: Cluster, app: str, figures: list[Figure]) -> None:
    with BackgroundReaders(gateway_url(kube), f"killed-{app}") as readers:
        assert readers.more(20)
        begun = time.monotonic()
        kube("delete", "pod", pod(kube, app)["metadata"]["name"], "--grace-period=0", "--force")
        assert readers.more(50)
    assert readers.failed == []
    until(lambda: ready(kube) == _PODS, "every pod is ready again", 300)
    took = time.monotonic() - begun
    figures.append(Figure(f"Kubernetes: pod of {app} killed under load", took, retried=readers.retries))
    until(lambda: there_once(kube, readers), "all that was acknowledged is listed, once", 180)


def test_newbook_scales_to_four(kube: Cluster) -> None:
    kube("scale", "deployment/newbook", f"--replicas={COPIES + 1}")
    kube("rollout", "status", "deployment/newbook", "--timeout=280s")
    assert ready(kube, "newbook") == COPIES + 1


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


@pytest.fixture(scope="module")
def shop(kube: Cluster, figures: list[Figure]) -> Cluster:
    """The cluster with the shop in place of the shelf."""
    rest(kube, "")
    begun = time.monotonic()
    kube("create", "-f", "-", text=manifest("shop"))
    until(lambda: all_ready(kube, pods("shop")), "the shop is ready", 900)
    took = time.monotonic() - begun
    figures.append(Figure(f"Kubernetes: the shop in place of the shelf, all {pods('shop')} pods ready", took))
    return kube


@pytest.fixture(scope="module")
def bought(shop: Cluster) -> str:
    """A product of the shop."""
    return product(gateway_url(shop), "Dune")


@pytest.fixture(scope="module")
def sold() -> list[str]:
    """The orders of these tests."""
    return []


def test_the_pods_of_the_shop_are_ready_without_a_restart(shop: Cluster, figures: list[Figure]) -> None:
    began_anew = restarted(shop)
    assert {name for name in began_anew if name.startswith(tuple(services("shop")))} == set()
    used = of_pods(shop)
    for app in services("shop"):
        most = max(size for name, size in used.items() if name.startswith(app))
        figures.append(Figure(f"Kubernetes: pod of {app}", megabytes=most))


def all_ended(shop: Cluster, bought: str, orders: list[str], sold: list[str]) -> None:
    """Wait until the orders have ended and the stock is what is left."""
    url = gateway_url(shop)
    sold += finalized(url, orders)
    assert len(set(sold)) == len(sold)
    until(lambda: stock_kept(url, bought, len(sold)), "the stock is what is left", 120)


@pytest.mark.parametrize("name", services("shop"))
def test_a_rolling_update_of_the_shop_fails_no_order(
    shop: Cluster, bought: str, name: str, figures: list[Figure], sold: list[str]
) -> None:
    with BackgroundCustomers(gateway_url(shop), f"rolled-{name}", bought) as customers:
        assert customers.more(5)
        begun = time.monotonic()
        shop("rollout", "restart", f"deployment/{name}")
        shop("rollout", "status", f"deployment/{name}", "--timeout=280s")
        took = time.monotonic() - begun
        assert customers.more(5)
    assert customers.failed == []
    all_ended(shop, bought, customers.ids, sold)
    figures.append(
        Figure(f"Kubernetes: rolling update of {name} under orders", took, retried=customers.retries)
    )


@pytest.mark.parametrize(
    "name", [name for name in services("shop") if "site" not in name and name != "files"]
)
def test_a_killed_pod_of_the_shop_loses_no_order(
    shop: Cluster, bought: str, name: str, figures: list[Figure], sold: list[str]
) -> None:
    wanted = ready(shop)
    with BackgroundCustomers(gateway_url(shop), f"killed-{name}", bought) as customers:
        assert customers.more(5)
        begun = time.monotonic()
        shop("delete", "pod", pod(shop, name)["metadata"]["name"], "--grace-period=0", "--force")
        assert customers.more(10)
    assert customers.failed == []
    until(lambda: ready(shop) == wanted, "every pod is ready again", 300)
    took = time.monotonic() - begun
    all_ended(shop, bought, customers.ids, sold)
    figures.append(Figure(f"Kubernetes: pod of {name} killed under orders", took, retried=customers.retries))


def test_one_service_of_the_shop_scales_alone(shop: Cluster, bought: str, sold: list[str]) -> None:
    with BackgroundCustomers(gateway_url(shop), "scaled", bought) as customers:
        shop("scale", "deployment/orders", f"--replicas={COPIES + 1}")
        shop("rollout", "status", "deployment/orders", "--timeout=280s")
        assert customers.more(5)
    assert customers.failed == []
    assert (ready(shop, "orders"), ready(shop, "products")) == (COPIES + 1, COPIES)
    all_ended(shop, bought, customers.ids, sold)


@pytest.fixture(scope="module")
def photos(kube: Cluster, figures: list[Figure]) -> Cluster:
    """The cluster with photos in place of all others, and their database."""
    for profile in ("", "shop"):
        rest(kube, profile)
    begun = time.monotonic()
    kube("create", "-f", "-", text=manifest("photos"))
    until(lambda: all_ready(kube, pods("photos")), "photos are ready", 900)
    took = time.monotonic() - begun
    figures.append(Figure(f"Kubernetes: photos in place of the shop, all {pods('photos')} pods ready", took))
    return kube


@pytest.fixture(scope="module")
def published(photos: Cluster) -> str:
    """A photo with a vote and a comment."""
    return publish(gateway_url(photos), "Low tide")


@pytest.mark.parametrize("name", services("photos"))
def test_a_rolling_update_of_photos_loses_none(photos: Cluster, published: str, name: str) -> None:
    url = gateway_url(photos)
    before = answered(url, "GET", f"/photos/{published}/image").content
    photos("rollout", "restart", f"deployment/{name}")
    assert publish(url, f"While {name} is updated")
    photos("rollout", "status", f"deployment/{name}", "--timeout=280s")
    until(lambda: counts(url, published) == (1, 1), "the photo is shown with its vote and comment", 180)
    assert answered(url, "GET", f"/photos/{published}/image").content == before


def test_a_killed_node_of_the_database_comes_back(
    photos: Cluster, published: str, figures: list[Figure]
) -> None:
    url = gateway_url(photos)
    assert ready(photos, GALERA) == 3
    begun = time.monotonic()
    photos("delete", "pod", "db-0", "--grace-period=0", "--force")
    assert publish(url, "Of two nodes")
    until(lambda: sizes(photos) == ["3"] * 3, "three nodes are one cluster again", 600)
    took = time.monotonic() - begun
    figures.append(Figure("Kubernetes: a node of MariaDB killed, back in its cluster", took))
    until(lambda: counts(url, published) == (1, 1), "the photo is shown", 180)


def test_all_nodes_of_the_database_deleted_at_once_come_back(
    photos: Cluster, published: str, figures: list[Figure]
) -> None:
    url = gateway_url(photos)
    until(lambda: ready(photos, GALERA) == 3, "three nodes are ready", 300)
    begun, before = time.monotonic(), nodes(photos)
    photos("delete", "pod", "db-0", "db-1", "db-2", "--grace-period=0", "--force")
    until(lambda: len(nodes(photos) - before) == len(before) == 3, "three other pods are there", 300)
    until(lambda: sizes(photos) == ["3"] * 3, "three nodes are one cluster again", 600)
    took = time.monotonic() - begun
    figures.append(Figure("Kubernetes: all three nodes of MariaDB deleted at once, back", took))
    until(lambda: counts(url, published) == (1, 1), "the photo is shown", 180)
    assert publish(url, "After all")


def nodes(kube: Cluster) -> set[str]:
    """Return the ids of the pods of the database."""
    chosen = f"--selector=app.kubernetes.io/name={GALERA}"
    return {one["metadata"]["uid"] for one in kube.items("pods", chosen)}


def sizes(kube: Cluster) -> list[str]:
    """Return how many nodes each node of the database counts."""
    asked = "SHOW STATUS LIKE 'wsrep_cluster_size'"
    script = f'mariadb --no-defaults -N --socket "$(cat /tmp/folder)/socket" -e "{asked}" | cut -f 2'
    found = (kube.attempt("exec", f"db-{number}", "--", "sh", "-c", script) for number in range(3))
    return [one.stdout.strip() for one in found]

"""kube.yaml: equal to kube/base, valid for Kubernetes 1.31, and restricted."""

import shutil
import subprocess
from functools import cache
from ipaddress import ip_network

import kubernetes_validate
import pytest
import yaml
from support.manifests import Document, container, documents, entry, kube
from support.process import ROOT

from bookshelf import __version__
from bookshelf.config import GatewaySettings, Network
from bookshelf.cqrs.service import Service
from bookshelf.services import DEPLOYED

VERSION = "1.31"
OURS = [*(service.name for service in DEPLOYED), "gateway"]
KEPT = [service.name for service in DEPLOYED if service.keeps_files]
SCALED = [name for name in OURS if name not in KEPT]
OUTSIDE = ["disco", "events", "postgres", "db"]
#: The services whose rows are in MariaDB.
GALERA = [service.name for service in DEPLOYED if service.views and service.profile == "photos"]
EVERY = documents(ROOT / "kube.yaml")
OVERLAYS = sorted(path.name for path in (ROOT / "kube" / "overlays").iterdir())


def test_kube_yaml_is_the_files_of_the_base_in_order() -> None:
    base = ROOT / "kube" / "base"
    [kustomization] = documents(base / "kustomization.yaml")
    parts = [one for name in kustomization["resources"] for one in documents(base / name)]
    assert parts == EVERY, "make manifests"


def test_every_file_of_the_base_is_in_the_kustomization() -> None:
    base = ROOT / "kube" / "base"
    [kustomization] = documents(base / "kustomization.yaml")
    files = {path.name for path in base.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(kustomization["resources"])


@pytest.mark.parametrize("document", EVERY, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_each_object_is_valid(document: Document) -> None:
    kubernetes_validate.validate(document, VERSION, strict=True)


def test_an_invalid_object_is_detected() -> None:
    wrong = {**EVERY[0], "specs": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


@pytest.mark.parametrize("name", [*OURS, *OUTSIDE])
def test_each_pod_is_restricted(name: str) -> None:
    workload = entry(kube("Deployment") | kube("StatefulSet"), name, "kube.yaml (kube/base)")
    spec = workload["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
    own = spec["containers"][0]["securityContext"]
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert own.get("readOnlyRootFilesystem", False) is (name in {*OURS, "db"})


@pytest.mark.parametrize("name", [*OURS, *OUTSIDE])
def test_each_workload_has_probes_limits_and_a_disruption_budget(name: str) -> None:
    found = container(entry(kube("Deployment") | kube("StatefulSet"), name, "kube.yaml (kube/base)"))
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= found.keys()
    # a pod that replays a log is not killed: up to five minutes, with a disk a quarter of an hour
    patience = found["startupProbe"]["periodSeconds"] * found["startupProbe"]["failureThreshold"]
    assert patience >= (300 if name in OURS else 900)
    assert "initialDelaySeconds" not in found["livenessProbe"]
    assert found["resources"].keys() == {"requests", "limits"}
    assert kube("PodDisruptionBudget")[name]["spec"]["selector"]["matchLabels"] == {
        "app.kubernetes.io/name": name
    }


@pytest.mark.parametrize("name", KEPT)
def test_each_service_that_keeps_files_runs_once_on_a_volume(name: str) -> None:
    spec = entry(kube("Deployment"), name, "kube.yaml (kube/base)")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert name not in kube("HorizontalPodAutoscaler")
    [data] = [one for one in spec["template"]["spec"]["volumes"] if one["name"] == "data"]
    assert data["persistentVolumeClaim"]["claimName"] in kube("PersistentVolumeClaim")
    affinity = spec["template"]["spec"]["affinity"]["nodeAffinity"]
    assert affinity.keys() == {"preferredDuringSchedulingIgnoredDuringExecution"}  # no node needs the label
    assert "disktype" in str(affinity)


@pytest.mark.parametrize("name", SCALED)
def test_each_service_scales_by_load_and_is_replaced_one_by_one(name: str) -> None:
    deployment = entry(kube("Deployment"), name, "kube.yaml (kube/base)")["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert kube("HorizontalPodAutoscaler")[name]["spec"]["scaleTargetRef"]["name"] == name
    assert container(kube("Deployment")[name])["image"] == f"bookshelf:{__version__}"


@pytest.mark.parametrize("name", SCALED)
def test_each_service_drains_and_keeps_one_pod_available(name: str) -> None:
    spec = entry(kube("Deployment"), name, "kube.yaml (kube/base)")["spec"]["template"]["spec"]
    pause = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    # the pause, then what a gateway drains at most (gateway_drain_s), and some to spare
    assert pause + GatewaySettings().gateway_drain_s < spec["terminationGracePeriodSeconds"]
    scaled = kube("HorizontalPodAutoscaler")[name]["spec"]
    assert 3 <= scaled["minReplicas"] < scaled["maxReplicas"] <= Network().kafka.partitions
    assert kube("PodDisruptionBudget")[name]["spec"]["maxUnavailable"] < scaled["minReplicas"]


def test_secrets_are_referenced_and_not_copied() -> None:
    text = (ROOT / "kube.yaml").read_text(encoding="utf-8")
    words = [word for secret in kube("Secret").values() for word in secret["stringData"].values()]
    assert [text.count(f": {word}\n") for word in words] == [1, 1, 1]
    stored = [service.name for service in DEPLOYED if service.views or service.needs_keyring]
    rows = [name for name in stored if name not in GALERA]
    # one for the server, and one for each service that keeps rows or keys
    assert text.count("secretKeyRef: {name: postgres, key: password}") == 1 + len(rows), rows
    assert text.count("secretKeyRef: {name: mariadb, key: password}") == 1 + len(GALERA)


def test_a_password_in_an_address_needs_no_quoting() -> None:
    assert kube("Secret")["mariadb"]["stringData"]["password"].isalnum()


def test_the_nodes_of_mariadb_find_each_other_before_they_are_ready() -> None:
    service = kube("Service")["db"]["spec"]
    assert (service["clusterIP"], service["publishNotReadyAddresses"]) == ("None", True)
    assert kube("StatefulSet")["db"]["spec"]["replicas"] == 3


@pytest.mark.parametrize("service", DEPLOYED, ids=lambda service: str(service.name))
def test_only_services_with_a_keyring_have_its_secret(service: Service) -> None:
    """The file that the setting names is that of the Secret, and its key is the name of the file."""
    spec = kube("Deployment")[service.name]["spec"]["template"]["spec"]
    environment = {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}
    mounts = {one["name"]: one["mountPath"] for one in spec["containers"][0]["volumeMounts"]}
    secrets = {one["name"]: one["secret"]["secretName"] for one in spec["volumes"] if "secret" in one}
    if not service.needs_keyring:
        assert (environment.keys() & {"BOOKSHELF_ACCOUNTS_SECRET_FILE"}, secrets) == (set(), {})
        return
    folder, _, file = str(environment["BOOKSHELF_ACCOUNTS_SECRET_FILE"]).rpartition("/")
    [name] = (name for name, path in mounts.items() if path == folder)
    assert file in kube("Secret")[secrets[name]]["stringData"]


def test_browsers_stay_with_one_gateway() -> None:
    assert kube("Service")["bookshelf"]["spec"]["sessionAffinity"] == "ClientIP"


def test_only_the_gateway_accepts_connections_from_outside() -> None:
    policies = kube("NetworkPolicy")
    opened = [
        name
        for name, one in policies.items()
        for rule in one["spec"].get("ingress", ())
        if "from" not in rule
    ]
    assert opened == ["gateway"]


def test_no_service_is_published_outside_the_cluster() -> None:
    published = {"type", "externalIPs", "loadBalancerIP"}
    assert [name for name, one in kube("Service").items() if published & one["spec"].keys()] == []


def test_the_status_and_metrics_pages_are_closed_to_addresses_that_a_nat_rewrote() -> None:
    """A node that forwards a connection may put its own address in the client's place."""
    [gateway] = [one for name, one in kube("Deployment").items() if name == "gateway"]
    settings = {one["name"]: one.get("value") for one in container(gateway)["env"]}
    assert settings["BOOKSHELF_GATEWAY_STATUS"] == "loopback"


@cache
def rendered(folder: str) -> list[Document]:
    """Return what kubectl makes of a folder of kube/."""
    command = ["kubectl", "kustomize", str(ROOT / "kube" / folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return [one for one in yaml.safe_load_all(done.stdout) if one]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is missing: nothing is rendered")
@pytest.mark.parametrize(
    ("folder", "published"),
    [("small", None), ("own-kafka", None), ("bucket", None), ("load-balancer", "LoadBalancer")],
)
def test_only_the_kustomization_for_load_balancers_publishes_the_gateway(
    folder: str, published: str | None
) -> None:
    services = [one for one in rendered(f"overlays/{folder}") if one["kind"] == "Service"]
    types = {one["metadata"]["name"]: one["spec"].get("type") for one in services}
    assert types == dict.fromkeys(types) | {"bookshelf": published}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is missing: nothing is rendered")
def test_the_load_balancer_keeps_client_addresses_and_admits_named_networks_alone() -> None:
    [service] = [
        one
        for one in rendered("overlays/load-balancer")
        if (one["kind"], one["metadata"]["name"]) == ("Service", "bookshelf")
    ]
    assert service["spec"]["externalTrafficPolicy"] == "Local"
    admitted = [ip_network(one) for one in service["spec"]["loadBalancerSourceRanges"]]
    assert admitted
    assert [one for one in admitted if one.is_global] == []


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is missing: nothing is rendered")
@pytest.mark.parametrize("name", ["uploads", "files"])
def test_with_a_bucket_services_with_pictures_have_several_instances_and_no_volume(name: str) -> None:
    made = {(one["kind"], one["metadata"]["name"]): one for one in rendered("overlays/bucket")}
    spec = made["Deployment", name]["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (3, "RollingUpdate")
    pod = spec["template"]["spec"]
    assert [volume["emptyDir"] for volume in pod["volumes"] if volume["name"] == "data"] == [
        {"sizeLimit": "2Gi"}
    ]
    [container] = pod["containers"]
    given = {one["name"]: one.get("value") for one in container["env"]}
    assert given["BOOKSHELF_BLOBS"].startswith("s3://")
    assert {"secretRef": {"name": "bucket"}} in container["envFrom"]
    assert ("PersistentVolumeClaim", name) not in made
    assert ("Secret", "bucket") in made
    allowed = made["NetworkPolicy", "bucket"]["spec"]["podSelector"]["matchExpressions"][0]["values"]
    assert name in allowed


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is missing: nothing is rendered")
@pytest.mark.parametrize(
    "folder", ["base", *(f"overlays/{one.name}" for one in sorted((ROOT / "kube/overlays").iterdir()))]
)
def test_kustomize_renders_the_manifests(folder: str) -> None:
    made = rendered(folder)
    # a broker of its own is a StatefulSet, a Service and a budget; another's wants a policy
    assert len(made) == len(EVERY) - 2 * (folder == "overlays/own-kafka")
    for one in made:
        kubernetes_validate.validate(one, VERSION, strict=True)

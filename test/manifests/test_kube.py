"""kube.yaml: made of kube/base, valid for Kubernetes 1.31, and as strict as it says."""

import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml
from support.manifests import Document, container, documents, entry, kube
from support.process import ROOT

from bookshelf import __version__
from bookshelf.config import Network, Routing
from bookshelf.services import SERVICES

VERSION = "1.31"
OURS = [*(service.name for service in SERVICES), "gateway"]
OUTSIDE = ["disco", "events", "postgres"]
EVERY = documents(ROOT / "kube.yaml")


def test_it_is_the_files_of_the_base_in_their_order() -> None:
    base = ROOT / "kube" / "base"
    [kustomization] = documents(base / "kustomization.yaml")
    parts = [one for name in kustomization["resources"] for one in documents(base / name)]
    assert parts == EVERY, "make kube.yaml"


def test_every_file_of_the_base_is_named() -> None:
    base = ROOT / "kube" / "base"
    [kustomization] = documents(base / "kustomization.yaml")
    files = {path.name for path in base.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(kustomization["resources"])


@pytest.mark.parametrize("document", EVERY, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_each_object_is_valid(document: Document) -> None:
    kubernetes_validate.validate(document, VERSION, strict=True)


def test_an_object_that_is_not_valid_is_seen() -> None:
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
    assert own.get("readOnlyRootFilesystem", False) is (name in OURS)


@pytest.mark.parametrize("name", [*OURS, *OUTSIDE])
def test_each_has_probes_limits_and_a_budget_for_disruptions(name: str) -> None:
    found = container(entry(kube("Deployment") | kube("StatefulSet"), name, "kube.yaml (kube/base)"))
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= found.keys()
    # who is still reading is not killed for it: up to five minutes, what has a disk a quarter of an hour
    patience = found["startupProbe"]["periodSeconds"] * found["startupProbe"]["failureThreshold"]
    assert patience >= (300 if name in OURS else 900)
    assert "initialDelaySeconds" not in found["livenessProbe"]
    assert found["resources"].keys() == {"requests", "limits"}
    assert kube("PodDisruptionBudget")[name]["spec"]["selector"]["matchLabels"] == {
        "app.kubernetes.io/name": name
    }


@pytest.mark.parametrize("name", OURS)
def test_each_of_ours_scales_by_load_and_is_replaced_one_by_one(name: str) -> None:
    deployment = entry(kube("Deployment"), name, "kube.yaml (kube/base)")["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert kube("HorizontalPodAutoscaler")[name]["spec"]["scaleTargetRef"]["name"] == name
    assert container(kube("Deployment")[name])["image"] == f"bookshelf:{__version__}"


@pytest.mark.parametrize("name", OURS)
def test_each_of_ours_leaves_slowly_and_never_alone(name: str) -> None:
    spec = entry(kube("Deployment"), name, "kube.yaml (kube/base)")["spec"]["template"]["spec"]
    pause = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    # the pause, then what a gateway drains at most (gateway_drain_s), and some to spare
    assert pause + Routing().gateway_drain_s < spec["terminationGracePeriodSeconds"]
    scaled = kube("HorizontalPodAutoscaler")[name]["spec"]
    assert 2 <= scaled["minReplicas"] < scaled["maxReplicas"] <= Network().kafka_partitions
    assert kube("PodDisruptionBudget")[name]["spec"]["maxUnavailable"] < scaled["minReplicas"]


def test_secrets_are_named_and_stand_nowhere_else() -> None:
    [secret] = kube("Secret").values()
    [word] = secret["stringData"].values()
    text = (ROOT / "kube.yaml").read_text(encoding="utf-8")
    assert text.count(word) == 1
    views = [service.name for service in SERVICES if service.views]
    # one for the server, and one for each service that keeps rows
    assert text.count("secretKeyRef: {name: postgres, key: password}") == 1 + len(views), views


def test_only_the_gateway_is_open_to_the_outside() -> None:
    policies = kube("NetworkPolicy")
    opened = [
        name
        for name, one in policies.items()
        for rule in one["spec"].get("ingress", ())
        if "from" not in rule
    ]
    assert opened == ["gateway"]
    assert [name for name, one in kube("Service").items() if one["spec"].get("type")] == ["bookshelf"]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is missing: nothing is rendered")
@pytest.mark.parametrize("folder", ["base", "overlays/small", "overlays/own-kafka"])
def test_kustomize_renders_it(folder: str) -> None:
    command = ["kubectl", "kustomize", str(ROOT / "kube" / folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    rendered = [one for one in yaml.safe_load_all(done.stdout) if one]
    # a broker of its own is a StatefulSet, a Service and a budget; another's wants a policy
    assert len(rendered) == len(EVERY) - 2 * (folder == "overlays/own-kafka")
    for one in rendered:
        kubernetes_validate.validate(one, VERSION, strict=True)

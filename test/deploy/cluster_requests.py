"""Requests of tests to a cluster: its pods, its public port, its books."""

import json
from collections import Counter
from pathlib import Path

from support.background_readers import BackgroundReaders
from support.client import Client
from support.kubernetes import Cluster
from support.manifests import Document
from support.network_policies import Pod
from support.until import until

#: Connects to each HOST:PORT that it is given; prints those that answer.
_KNOCK = """
import socket, sys
for place in sys.argv[1:]:
    host, _, port = place.partition(":")
    try:
        socket.create_connection((host, int(port)), 3).close()
        print(place)
    except OSError:
        pass
"""


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


def all_ready(kube: Cluster, count: int) -> bool:
    """Return True if so many pods are ready, and there are no others, such as those that end."""
    return ready(kube) == count and len(kube.items("pods")) == count


def gateway_url(kube: Cluster) -> str:
    """Return the address of the Service bookshelf."""
    [found] = kube.items("services", "--field-selector=metadata.name=bookshelf")
    return f"http://{found['spec']['clusterIP']}:8000"


def titles(kube: Cluster) -> Counter[str]:
    return Counter(book["title"] for book in Client(gateway_url(kube), "/bookshelf").every_book())


def there_once(kube: Cluster, readers: BackgroundReaders) -> bool:
    found = titles(kube)
    return all(found[title] == 1 for title in readers.acknowledged)


def pod(kube: Cluster, name: str, namespace: str = "bookshelf") -> Document:
    """Return the first pod of an app."""
    return kube.items("pods", f"--namespace={namespace}", f"--selector=app.kubernetes.io/name={name}")[0]


def start_anew(kube: Cluster, name: str) -> None:
    """End what a pod runs; return once it runs again, in the same pod, at the same address."""
    kube.attempt("exec", name, "--", "sh", "-c", "kill 1")

    def runs_again() -> bool:
        [one] = kube.items("pods", f"--field-selector=metadata.name={name}")
        [state] = one["status"]["containerStatuses"]
        return bool(state["ready"] and state["restartCount"])

    until(runs_again, f"{name} is ready again")


def seen(one: Document) -> Pod:
    """Return a pod as policies see it."""
    ports = (port["containerPort"] for port in one["spec"]["containers"][0].get("ports", ()))
    about = one["metadata"]
    return Pod(about["namespace"], about["labels"], tuple(ports), one["status"]["podIP"])


def connections_between(kube: Cluster, source: Document, *places: str) -> list[str]:
    """Return which of the places a pod can connect to."""
    about = source["metadata"]
    inside = ["exec", f"--namespace={about['namespace']}", about["name"], "--"]
    return kube(*inside, "python", "-c", _KNOCK, *places).split()

"""Parts of kube.yaml for a node of two cores: one context at a time, less of a core for each service.

What they all stand on keeps its share: a registry with 5m gets no turn beside forty others on a busy machine.
"""

from collections.abc import Iterable

import yaml
from support.kubernetes import Cluster
from support.manifests import Document, documents
from support.process import ROOT

from bookshelf.services import SERVICES

#: What the shelf runs with, beside services; and the database of photos.
OUTSIDE = ("events", "disco", "postgres")
GALERA = "db"
#: How many there are of each service, and of the gateway; and nodes of the database.
COPIES = 3
_NODES = 3


def services(profile: str) -> list[str]:
    """Return the services with a profile; the shelf has none."""
    return [service.name for service in SERVICES if service.profile == profile]


def kept(names: Iterable[str]) -> list[str]:
    """Return those that keep files, and so run once."""
    chosen = set(names)
    return [service.name for service in SERVICES if service.keeps_files and service.name in chosen]


def pods(profile: str) -> int:
    """Return how many pods run with a context: of services, the gateway, and what is outside."""
    names = services(profile)
    ours = COPIES * (len(names) + 1) - (COPIES - 1) * len(kept(names))
    return ours + len(OUTSIDE) + (_NODES if profile == "photos" else 0)


def claims() -> int:
    """Return how many disks all contexts claim."""
    return len(OUTSIDE) + _NODES + sum(service.keeps_files for service in SERVICES)


def manifest(profile: str) -> str:
    """Return the objects of a context; with those of the shelf all that is no service's."""
    own = {*services(profile), *([GALERA] if profile == "photos" else [])}
    others = {service.name for service in SERVICES} | {GALERA}
    every = documents(ROOT / "kube.yaml")
    if profile:
        chosen = [one for one in every if _is_of(one, own)]
    else:
        chosen = [one for one in every if not _is_of(one, others - own)]
    return "---\n".join(map(_text, chosen))


def _text(document: Document) -> str:
    text: str = yaml.safe_dump(document)
    return text if document["metadata"]["name"] in OUTSIDE else text.replace("cpu: 50m", "cpu: 5m")


def _is_of(document: Document, names: set[str]) -> bool:
    """Return True for an object of one of these; the policies of the network are of all."""
    return document["kind"] != "NetworkPolicy" and document["metadata"]["name"] in names


def rest(kube: Cluster, profile: str) -> None:
    """End the pods of a context's services, if there are any."""
    there = {one["metadata"]["name"] for one in kube.items("deployments")}
    if named := [f"deployment/{name}" for name in services(profile) if name in there]:
        kube("scale", "--replicas=0", *named)

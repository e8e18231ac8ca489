"""Evaluates NetworkPolicies (which pod may connect to which). Source: the API of networking.k8s.io/v1."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from support.kubernetes_config import PODS
from support.manifests import Document

_CHAIN = "SHELF-POLICIES"


class Pod(NamedTuple):
    """One pod, as policies see it."""

    namespace: str
    labels: dict[str, str]
    ports: tuple[int, ...] = ()
    address: str = ""


def allowed(policies: Sequence[Document], source: Pod, target: Pod, port: int) -> bool:
    """Whether one pod may connect to another's TCP port: the one is let out, the other lets it in."""
    out = _lets(policies, "Egress", source, target, port)
    return out and _lets(policies, "Ingress", target, source, port)


def _lets(policies: Sequence[Document], way: str, whose: Pod, other: Pod, port: int) -> bool:
    rules, peers = ("egress", "to") if way == "Egress" else ("ingress", "from")
    bound = [
        one
        for one in policies
        if way in one["spec"]["policyTypes"] and one["metadata"]["namespace"] == whose.namespace
        if _chosen(one["spec"]["podSelector"], whose.labels)
    ]
    said = [(one["metadata"]["namespace"], rule) for one in bound for rule in one["spec"].get(rules, ())]
    return not bound or any(_port(rule, port) and _peer(rule.get(peers), at, other) for at, rule in said)


def _port(rule: Document, port: int) -> bool:
    given = rule.get("ports")
    return given is None or any(one["port"] == port and one.get("protocol", "TCP") == "TCP" for one in given)


def _peer(peers: Sequence[Document] | None, namespace: str, other: Pod) -> bool:
    """Whether a pod is one of them; only pods of the policy's own namespace are ever named here."""
    if peers is None:
        return True
    assert all(one.keys() == {"podSelector"} for one in peers)
    return other.namespace == namespace and any(_chosen(one["podSelector"], other.labels) for one in peers)


def _chosen(selector: Document, labels: dict[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


@contextmanager
def kept(policies: Sequence[Document], pods: Sequence[Pod]) -> Iterator[None]:
    """Have this machine's bridge keep the policies between these pods, as a network plugin would."""
    through = [
        f"-A {_CHAIN} -s {source.address} -d {target.address} -p tcp --dport {port} -j RETURN"
        for source in pods
        for target in pods
        for port in target.ports
        if allowed(policies, source, target, port)
    ]
    known = f"-A {_CHAIN} -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN"
    lines = ["*filter", f":{_CHAIN} - [0:0]", known, *through, f"-A {_CHAIN} -s {PODS} -j REJECT"]
    _rules("\n".join([*lines, f"-I FORWARD 1 -j {_CHAIN}", "COMMIT", ""]))
    try:
        yield
    finally:
        _rules(
            "\n".join(["*filter", f"-D FORWARD -j {_CHAIN}", f"-F {_CHAIN}", f"-X {_CHAIN}", "COMMIT", ""])
        )


def _rules(text: str) -> None:
    restore = ["iptables-restore", "--noflush"]
    done = subprocess.run(restore, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

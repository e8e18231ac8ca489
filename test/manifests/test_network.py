"""NetworkPolicies of kube.yaml: a pod may connect to its dependencies and to nothing else."""

from support.manifests import container, kube
from support.network_policies import Pod, allowed

from bookshelf.services import DEPLOYED

POLICIES = list(kube("NetworkPolicy").values())
OUTSIDER = Pod("default", {"app.kubernetes.io/name": "gateway", "app.kubernetes.io/part-of": "bookshelf"})


def pods() -> dict[str, Pod]:
    """Return one pod of each workload."""
    found = kube("Deployment") | kube("StatefulSet")
    return {
        name: Pod(
            one["metadata"]["namespace"],
            one["spec"]["template"]["metadata"]["labels"],
            tuple(port["containerPort"] for port in container(one)["ports"]),
        )
        for name, one in found.items()
    }


def needed() -> set[tuple[str, str]]:
    """Return the needed connections, by services.py."""
    services = {service.name for service in DEPLOYED}
    galera = {service.name for service in DEPLOYED if service.views and service.profile == "photos"}
    views = {service.name for service in DEPLOYED if service.views or service.needs_keyring} - galera
    return (
        {(name, "disco") for name in services | {"gateway"}}
        | {(name, "events") for name in services | {"events"}}
        | {(name, "postgres") for name in views}
        | {(name, "db") for name in {*galera, "db", "disco"}}
        | {("db", "disco")}
        | {("gateway", name) for name in services}
        | {(service.name, "gateway") for service in DEPLOYED if service.root}
        # instances of a service call the owner; no label shows which those are
        | {(one, other) for one in services for other in services}
    )


def test_pods_reach_only_their_dependencies() -> None:
    found = pods()
    opened = {
        (source, target)
        for source, one in found.items()
        for target, other in found.items()
        if any(allowed(POLICIES, one, other, port) for port in other.ports)
    }
    assert opened == needed()


def test_from_another_namespace_only_the_gateway_is_reached() -> None:
    found = pods()
    reached = [
        name for name, one in found.items() if any(allowed(POLICIES, OUTSIDER, one, p) for p in one.ports)
    ]
    assert reached == ["gateway"]


def test_pods_reach_outside_the_namespace_only_dns() -> None:
    for one in pods().values():
        assert [port for port in (80, 443, 8000) if allowed(POLICIES, one, OUTSIDER, port)] == []
        assert allowed(POLICIES, one, OUTSIDER, 53)


def test_connections_are_denied_by_default() -> None:
    [nobody] = [one["spec"] for one in POLICIES if one["metadata"]["name"] == "nobody"]
    assert nobody == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

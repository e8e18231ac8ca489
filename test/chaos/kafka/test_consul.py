"""A Consul agent that is killed, restarts without data, fails, hangs, and answers falsely."""

from collections.abc import Callable
from typing import Any

import pytest
from chaos.kafka.fault_duration import lasts
from chaos.kafka.trial import ROUNDS, Fault
from support.client import Client
from support.consul import HOST, Agent
from support.consul_proxy import Wrong, hangs, responds
from support.fleet import AGGREGATES, Fleet
from support.proxied_consul import ProxiedConsul
from support.reserved_ports import reserved_ports
from support.until import until

pytestmark = [pytest.mark.needs("kafka", "consul"), pytest.mark.chaos]
#: Seconds after which a missing instance, or an empty list, is accepted; and a margin.
PAST_ALL_GRACE_S = 8.0


def everyone(fleet: Fleet, agent: Agent) -> Callable[[], bool]:
    """Ask whether all that run, but the gateway, are in the catalogue, and well."""
    running = [one.port for one in fleet.members.values() if one.alive and one.service != "gateway"]

    def there() -> bool:
        services = agent.get("/v1/agent/services").values()
        return {one["Port"] for one in services} >= set(running)

    return there


def known(fleet: Fleet, service: str) -> Callable[[], bool]:
    """Ask whether the gateway knows every instance of a service that runs."""
    running = {str(one.port) for one in fleet.members.values() if one.alive and one.service == service}
    client = Client(f"http://{HOST}:{fleet.gateway.port}")

    def there() -> bool:
        services = client.ask("GET", "/gateway").json["services"]
        found = {one["address"].rpartition(":")[2] for of in services for one in of["instances"]}
        return found >= running

    return there


def test_the_agent_is_killed_and_restarted_without_data(fleet: Fleet, fault: Fault, agent: Agent) -> None:
    with fault("Consul: kill -9, started again empty") as trial:
        for _ in range(ROUNDS):
            trial.under_load()
            agent.kill()
            lasts(PAST_ALL_GRACE_S)
            trial.load.goes_on()
            trial.over()
            agent.start()
            until(everyone(fleet, agent), "all have registered again")
            trial.recovered()
    assert trial.load.failures == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "wrong"),
    [("answers 500", responds(500, "No cluster leader")), ("hangs", hangs)],
    ids=["500", "hung"],
)
def test_the_agent_does_not_answer(fault: Fault, registry: ProxiedConsul, what: str, wrong: Wrong) -> None:
    with fault(f"Consul: {what}") as trial:
        for _ in range(ROUNDS):
            trial.under_load()
            registry.goes_wrong(wrong)
            lasts(PAST_ALL_GRACE_S)
            trial.load.goes_on()
            trial.over()
            registry.heal()
            trial.recovered()
    assert trial.load.failures == []


@pytest.mark.slow
def test_an_owner_is_killed_while_the_agent_hangs(
    fleet: Fleet, fault: Fault, registry: ProxiedConsul
) -> None:
    """Ownership cannot be read now: the last known instances are called, and missing ones are skipped."""
    with fault("Consul hangs, and newbook: kill -9") as trial:
        for number in range(ROUNDS):
            trial.under_load()
            until(known(fleet, "newbook"), "the gateway knows both")
            registry.goes_wrong(hangs)
            fleet.members[f"newbook-{1 + number % 2}"].kill()
            trial.over()
            trial.recovered()
            registry.heal()
            fleet.whole()
            trial.recovered()


@pytest.mark.slow
def test_the_agent_lists_no_instance(fault: Fault, registry: ProxiedConsul) -> None:
    with fault("Consul: lists no instance, though all are up") as trial:
        for _ in range(ROUNDS):
            trial.under_load()
            registry.goes_wrong(responds(200, "[]", X_Consul_Index="7"))
            lasts(PAST_ALL_GRACE_S)
            trial.over()
            registry.heal()
            trial.recovered()


def impostors() -> list[dict[str, Any]]:
    """Instances that never were: not at their ports, at places that are none, with words that break lines."""
    dead = reserved_ports(3)
    owns = {f"owns-{service}": "0,1,2,3" for service in AGGREGATES}
    wild = {
        f"owns-{service}": "0,-1,99999999999999999999,\u0661,x\r\nX-Injected: 1" for service in AGGREGATES
    }
    return [
        {"Name": "newbook", "Tags": ["books", "new"], "Port": dead[0], "Meta": owns},
        {
            "Name": "readbook",
            "Tags": ["books", "read"],
            "Port": dead[1],
            "Meta": {**owns, "version": "9" * 512},
        },
        {
            "Name": "booklist",
            "Tags": ["books", "list"],
            "Port": dead[2],
            "Meta": {"version": "\u202e<script>"},
        },
        {"Name": "newbook", "Tags": ["books", "new"], "Port": 1, "Address": "0.0.0.", "Meta": wild},
        {"Name": "newbook", "Tags": ["books", "new", "x" * 10_000], "Port": 0, "Meta": owns},
        {
            "Name": "newbook",
            "Tags": ["books", "new"],
            "Port": 8081,
            "Address": "127.0.0.1/../x",
            "Meta": owns,
        },
    ]


@pytest.mark.slow
def test_foreign_entries_in_the_registry_are_false(fault: Fault, agent: Agent) -> None:
    with fault("Consul: hostile metadata, instances that never were") as trial:
        trial.under_load()
        for number, one in enumerate(impostors()):
            check = {"CheckID": f"bookshelf:foreign-{number}", "TTL": "1h", "Status": "passing"}
            check["Name"] = "Bookshelf: ready"
            named = {"ID": f"stranger-{number}", "Address": HOST, "Check": check}
            written = {**named, **one, "Meta": {**one["Meta"], "bookshelf": "1"}}
            agent.ask("PUT", "/v1/agent/service/register", written)
        trial.load.goes_on(300)
        trial.over()
        trial.recovered()
        for number in range(len(impostors())):
            agent.ask("PUT", f"/v1/agent/service/deregister/foreign-{number}")
    assert trial.load.unsure == set()

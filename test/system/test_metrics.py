"""What Prometheus scrapes of a running shelf, and that the documented alerts can be written with it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from support.client import Client
from support.logfile import append, event
from support.process import ROOT
from support.program import Program
from support.until import until

from bookshelf import __version__
from bookshelf.services import WITHOUT_ACCOUNTS

_BLOCK = re.compile(r"^```yaml\n(groups:\n.*?)^```$", re.MULTILINE | re.DOTALL)
#: A name that is none of PromQL's words, functions or labels: metrics have an underscore.
_NAME = re.compile(r"\b(?:bookshelf|process)_[a-z_]+\b")


def scrape(client: Client) -> Iterator[Metric]:
    answer = client.get("/metrics")
    assert answer.status == 200, answer
    yield from text_string_to_metric_families(answer.content.decode())


def samples(client: Client, name: str) -> list[tuple[dict[str, str], float]]:
    """Return the labels and the value of each series of a metric."""
    found = (sample for family in scrape(client) for sample in family.samples if sample.name == name)
    return [(sample.labels, sample.value) for sample in found]


def value(client: Client, name: str, **labels: str) -> float | None:
    """Return the value of one series; None if there is none."""
    return next((number for found, number in samples(client, name) if found == labels), None)


@pytest.fixture(scope="module", name="clients")
def all_clients(running: Program) -> list[Client]:
    """Clients of the gateway's port and of each service's; each has answered something."""
    running.client.add("Emma")
    assert running.client.get("/books").status == 200
    return [Client(running.note.url), *map(running.service, running.note.services)]


def rules() -> list[dict[str, Any]]:
    """Return the alert rules of docs/operations.md."""
    [block] = _BLOCK.findall((ROOT / "docs" / "operations.md").read_text(encoding="utf-8"))
    return [rule for group in yaml.safe_load(block)["groups"] for rule in group["rules"]]


def test_each_page_has_a_label_of_its_own_and_addresses_have_none(running: Program) -> None:
    site = running.service("site")
    for path in ("/settings", "/books/one/edit", "/books/two/edit", "/no/such/page"):
        site.get(path)
    routes = {labels["route"] for labels, _ in samples(site, "bookshelf_request_seconds_count")}
    assert {"/settings", "/books/{id}/edit", "none"} <= routes
    assert not {"/books/one/edit", "/books/two/edit", "/no/such/page"} & routes


def test_no_label_is_one_that_prometheus_sets_itself(clients: list[Client]) -> None:
    found = [sample for client in clients for family in scrape(client) for sample in family.samples]
    labels = {name for sample in found for name in sample.labels}
    assert labels >= {"view", "aggregate", "partition", "endpoint", "upstream", "version"}
    assert labels.isdisjoint({"instance", "service", "job"})


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_every_metric_of_an_alert_is_measured(clients: list[Client], rule: dict[str, Any]) -> None:
    named = set(_NAME.findall(rule["expr"]))
    measured = {sample.name for client in clients for family in scrape(client) for sample in family.samples}
    assert named
    assert named <= measured, rule


def test_every_port_has_its_process_and_its_version(clients: list[Client]) -> None:
    for client in clients:
        [(_, resident)] = samples(client, "process_resident_memory_bytes")
        assert resident > 1e6
        [(labels, one)] = samples(client, "bookshelf_build_info")
        assert (labels["version"], one) == (__version__, 1)


AGGREGATES = [(service.name, part.name) for service in WITHOUT_ACCOUNTS for part in service.aggregates]
VIEWS = [(service.name, part.name) for service in WITHOUT_ACCOUNTS for part in service.views]


@pytest.mark.parametrize(("service", "name"), AGGREGATES)
def test_the_owner_metrics_show_its_partition_and_no_lag(running: Program, service: str, name: str) -> None:
    client = running.service(service)
    assert value(client, "bookshelf_owned_partitions", aggregate=name) == 1
    assert value(client, "bookshelf_partitions", aggregate=name) == 1
    assert value(client, "bookshelf_queued_commands", aggregate=name) == 0
    series = {"aggregate": name, "partition": "0"}
    until(lambda: value(client, "bookshelf_owner_lag_records", **series) == 0, "it has read everything")
    assert value(client, "bookshelf_owner_lag_seconds", **series) == 0


@pytest.mark.parametrize(("service", "name"), VIEWS)
def test_the_view_metrics_show_no_lag(running: Program, service: str, name: str) -> None:
    client, series = running.service(service), {"view": name, "partition": "0"}
    until(lambda: value(client, "bookshelf_view_lag_records", **series) == 0, "it has applied everything")
    assert value(client, "bookshelf_view_lag_seconds", **series) == 0


def test_the_metric_of_dead_letters_is_their_present_number(tmp_path: Path) -> None:
    with Program(tmp_path).ready() as up:
        book = up.client.add("Kim")
        assert value(up.service("booklist"), "bookshelf_view_dead_letters", view="booklist") == 0
        assert up.stop().well
    append(tmp_path, book["id"], event("shelf.book-added.v1", book["id"], {"author": "no title"}))
    with Program(tmp_path).ready() as up:
        assert value(up.service("booklist"), "bookshelf_view_dead_letters", view="booklist") == 1
        assert up.stop().well

"""The runbook has an entry for all that /metrics counts and that a log warns of, and for nothing else."""

import ast
import re
from collections.abc import Iterator

import pytest
from architecture.source import ROOT, modules
from prometheus_client.parser import text_string_to_metric_families

from bookshelf.runtime.metrics import Meters
from gateway.accounts.revocations import RevocationMetrics, Revocations
from gateway.status import UpstreamMetrics
from gateway.upstream.pool import Pools

_PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
_MEND = "docs/operations.md, Runbook: each name has a row that says what it is, and what to do"
_LEVELS = {"warning", "error", "exception"}
#: Logged under a name that is no literal where it is logged.
_BY_OTHERS = {"gap", "restarting", "routes-not-learned", "states-rebuilt"}


def entries(part: str) -> set[str]:
    """Return the names in the first column of one table of the runbook."""
    table = _PAGE.partition("## Runbook")[2].partition(f"### {part}\n")[2].partition("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines()[2:]]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def warned() -> Iterator[str]:
    """Yield the name of every event that code logs as a warning or worse."""
    for module in modules(ROOT):
        for node in ast.walk(module.tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="_logger"), attr=level),
                    args=[ast.Constant(value=str(name))],
                ) if level in _LEVELS:
                    yield name


def measured() -> set[str]:
    """Return the names of all metrics of a service and of the gateway."""
    meters = Meters()
    meters.also(UpstreamMetrics(Pools()))
    meters.also(RevocationMetrics(Revocations()))
    text = meters.page()[1].decode()
    return {family.name for family in text_string_to_metric_families(text)}


def test_every_metric_has_its_entry() -> None:
    assert entries("Metrics") == measured(), _MEND


def test_every_warning_of_a_log_has_its_entry() -> None:
    assert entries("Logs") == set(warned()) | _BY_OTHERS, _MEND


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_has_its_entries(path: str) -> None:
    assert path in entries("Health")

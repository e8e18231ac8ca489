"""marathon/: each file as Marathon's own schema has it, and one for every service."""

import json
import os
from pathlib import Path

import jsonschema
import pytest
from support.manifests import Document, entry, marathon, posting_order
from support.process import ROOT

from bookshelf.cqrs.service import Service
from bookshelf.services import DEPLOYED

#: Marathon's AppDefinition.json of 1.5 is not ours to hand on: beside the checkout, or at this path.
SCHEMA = Path(
    os.environ.get("MARATHON_SCHEMA", ROOT.parent / "shared" / "data" / "marathon" / "AppDefinition.json")
)
APPS = marathon()
ORDER = posting_order()


def command(app: Document) -> list[str]:
    return str(app["cmd"]).split()


@pytest.mark.skipif(not SCHEMA.exists(), reason="Marathon's AppDefinition.json: see MARATHON_SCHEMA")
@pytest.mark.parametrize("name", APPS)
def test_each_app_is_valid(name: str) -> None:
    validator = jsonschema.Draft4Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert [fault.message for fault in validator.iter_errors(APPS[name])] == []
    assert not validator.is_valid({**APPS[name], "instance": 1})


def test_the_documented_order_names_every_app_that_can_run_as_it_is() -> None:
    assert ORDER[:2] == ["kafka", "consul"]
    # no app has a database for a keyring
    keyed = {service.name for service in DEPLOYED if service.needs_keyring}
    assert sorted(ORDER) == sorted(APPS.keys() - keyed)


@pytest.mark.parametrize("service", DEPLOYED, ids=lambda service: str(service.name))
def test_every_service_has_its_app_with_its_tags_and_port(service: Service) -> None:
    run = {command(one)[3]: one for one in APPS.values() if command(one)[:3] == ["exec", "bookshelf", "run"]}
    app = entry(run, service.name, "marathon/")
    assert app["id"] == f"/bookshelf/{service.name}"
    assert command(app)[command(app).index("--tags") + 1] == ",".join(service.tags)
    assert app["portDefinitions"] == [{"port": service.port, "name": "http", "protocol": "tcp"}]
    # as many as wanted on one node: each on a port that Marathon chooses, found by discovery
    assert app["requirePorts"] is False


@pytest.mark.parametrize("name", APPS)
def test_each_app_has_checks_an_upgrade_strategy_and_constraints(name: str) -> None:
    app = APPS[name]
    assert app["healthChecks"]
    assert app["constraints"]
    assert app["upgradeStrategy"].keys() == {"minimumHealthCapacity", "maximumOverCapacity"}
    assert all(port["name"] for port in app["portDefinitions"])


@pytest.mark.parametrize("name", [name for name in APPS if name not in {"kafka", "consul"}])
def test_apps_have_no_privileges(name: str) -> None:
    given = {(one["key"], one["value"]) for one in APPS[name]["container"]["docker"]["parameters"]}
    closed = {("read-only", "true"), ("cap-drop", "ALL"), ("security-opt", "no-new-privileges:true")}
    assert closed <= given


def test_the_gateway_is_always_at_8000() -> None:
    gateway = APPS["api-gateway"]
    assert (gateway["portDefinitions"][0]["port"], gateway["requirePorts"]) == (8000, True)

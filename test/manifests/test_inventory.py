"""Every service of the table of contents is deployed in every way, with its tags and its port."""

import re
from pathlib import Path

import pytest
from support.manifests import compose, container, entry, kube, marathon, option
from support.process import ROOT

from bookshelf import __version__
from bookshelf.config import setting_names
from bookshelf.cqrs.service import Service
from bookshelf.services import DEPLOYED, SERVICES

_OUTSIDE = {"consul", "kafka", "postgres", "db", "ports"}
#: Of docker-compose itself, for the tag; and of the image of MariaDB.
_OTHER = {"BOOKSHELF_VERSION", "BOOKSHELF_GALERA_PEERS"}
_USUAL = {"KAFKA_BROKER_ADDR", "KAFKA_BROKER_PORT", "CONSUL_AGENT_ADDR", "CONSUL_AGENT_PORT"}
_PLACES = ("Dockerfile", "docker-compose*.yml", "kube.yaml", "marathon/*.json", "packaging/*", "vagrant/*")
_FILES = sorted(
    path
    for pattern in (
        "Dockerfile",
        "docker-compose*.yml",
        "kube.yaml",
        "marathon/*.json",
        "packaging/*",
        "swarm/*",
        "vagrant/*",
    )
    for path in ROOT.glob(pattern)
    if path.is_file()
)
each = pytest.mark.parametrize("service", SERVICES, ids=lambda service: str(service.name))


@each
def test_compose_has_every_service(service: Service) -> None:
    args = entry(compose()["services"], service.name, "docker-compose.yml")["command"]
    assert args[:2] == ["run", service.name]
    assert option(args, "--tags") == ",".join(service.tags)
    ports = compose()["services"]["ports"]
    assert (f"127.0.0.1:{service.port}:{service.port}" in ports["ports"]) is service.is_published
    assert (f"{service.name}={service.name}" in ports["command"]) is service.is_published


@pytest.mark.parametrize("service", DEPLOYED, ids=lambda service: str(service.name))
def test_kubernetes_has_every_service(service: Service) -> None:
    found = container(entry(kube("Deployment"), service.name, "kube.yaml (kube/base)"))
    assert found["args"][:2] == ["run", service.name]
    assert option(found["args"], "--tags") == ",".join(service.tags)
    assert found["ports"] == [{"name": "http", "containerPort": service.port}]


#: The services that the bookshop and its accounts are specified with.
SHOP = {
    "users": ("accounts,users", 8088),
    "accountsite": ("accounts,site", 8089),
    "products": ("shop,products", 8091),
    "customers": ("shop,customers", 8092),
    "orders": ("shop,orders", 8093),
    "payments": ("shop,payments", 8094),
    "accounting": ("shop,accounting", 8095),
    "files": ("files", 8096),
}


@pytest.mark.parametrize("name", SHOP)
def test_every_service_of_the_shop_is_deployed_in_every_way(name: str) -> None:
    tags, port = SHOP[name]
    [service] = (service for service in SERVICES if service.name == name)
    assert (",".join(service.tags), service.port) == (tags, port)
    in_compose = compose()["services"][name]
    assert option(in_compose["command"], "--tags") == tags
    # with accounts no port but the gateway's is published, and those of the shop never are
    assert "ports" not in in_compose
    in_kube = container(kube("Deployment")[name])
    assert (option(in_kube["args"], "--tags"), in_kube["ports"][0]["containerPort"]) == (tags, port)
    app = marathon()[name]
    assert f" {tags} " in app["cmd"]
    assert app["portDefinitions"][0]["port"] == port


def test_nothing_else_is_deployed() -> None:
    ours = {service.name for service in SERVICES} | {"gateway"}
    assert compose()["services"].keys() - ours == _OUTSIDE
    assert kube("Deployment").keys() - {service.name for service in DEPLOYED} == {"gateway"}


def test_the_gateway_is_at_8000_everywhere() -> None:
    assert compose()["services"]["gateway"]["ports"] == ["127.0.0.1:8000:8000"]
    assert kube("Service")["bookshelf"]["spec"]["ports"][0]["port"] == 8000


@pytest.mark.parametrize("path", _FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_setting_that_is_used_exists(path: Path) -> None:
    named = set(re.findall(r"\bBOOKSHELF_[A-Z_]+", path.read_text(encoding="utf-8")))
    assert named - _OTHER <= setting_names()
    usual = set(re.findall(r"\b(?:KAFKA_BROKER|CONSUL_AGENT)_[A-Z]+\b", path.read_text(encoding="utf-8")))
    assert usual <= _USUAL


@pytest.mark.parametrize("path", _FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_image_is_of_this_version(path: Path) -> None:
    said = re.findall(r"\bbookshelf:(?:\$\{BOOKSHELF_VERSION:-)?(\d[\w.]*)", path.read_text(encoding="utf-8"))
    assert set(said) <= {__version__}

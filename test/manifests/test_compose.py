"""docker-compose.yml: privileges, dependencies, open ports."""

import re

import pytest
from support.manifests import Document, compose, documents
from support.process import ROOT

from bookshelf import services
from bookshelf.cqrs.service import Service

SERVICES: dict[str, Document] = compose()["services"]
#: Images of others, whose entry points begin as root, take their volume, and become someone else.
DESCEND = {"consul", "postgres"}
OUTSIDE = DESCEND | {"kafka", "db"}
#: The service that builds the image of all of ours.
BUILDER = "ports"
#: The database of photos, whose image is made of Debian's packages.
GALERA = "db"
each = pytest.mark.parametrize("name", SERVICES)


@each
def test_containers_have_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"]
    assert ("cap_add" in service) is (name in DESCEND)
    assert service.get("read_only", False) is (name not in OUTSIDE - {GALERA})
    assert not {"privileged", "network_mode", "pid", "devices"} & service.keys()


@each
def test_containers_restart_and_have_resource_limits(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["mem_limit"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@each
def test_dependencies_are_awaited_by_health(name: str) -> None:
    waits = SERVICES[name].get("depends_on") or {}
    assert {one["condition"] for other, one in waits.items() if other != BUILDER} <= {"service_healthy"}
    asked = {other for other in waits if other in OUTSIDE and not SERVICES[other].get("healthcheck")}
    assert asked == set()
    storage = SERVICES[name].get("environment", {}).get("BOOKSHELF_STORAGE", "")
    if storage:
        assert (GALERA if storage.startswith("mariadb:") else "postgres") in waits


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - OUTSIDE - {"ports"}))
def test_health_checks_use_the_container_s_own_port(name: str) -> None:
    asked = SERVICES[name]["healthcheck"]["test"][-1]
    image = re.search(r"^EXPOSE (.*)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert image is not None
    assert asked in image[1].split()


@pytest.mark.parametrize(
    "name", [*sorted(OUTSIDE), *(one.name for one in services.SERVICES if one.keeps_files)]
)
def test_data_is_in_named_volumes(name: str) -> None:
    [volume] = SERVICES[name]["volumes"]
    assert volume.partition(":")[0] in compose()["volumes"]


def members(network: str) -> set[str]:
    """Return the services that are in a network."""
    return {name for name, service in SERVICES.items() if network in service.get("networks", ())}


def test_only_services_with_rows_or_keys_reach_a_database() -> None:
    galera = {one.name for one in services.SERVICES if one.views and one.profile == "photos"}
    rows = {one.name for one in services.SERVICES if one.views or one.needs_keyring} - galera
    assert members("rows") == rows | {"postgres"}
    assert members("galera") == galera | {GALERA}
    assert (SERVICES["postgres"]["networks"], SERVICES[GALERA]["networks"]) == (["rows"], ["galera"])
    assert compose()["networks"] == {"rows": {"internal": True}, "galera": {"internal": True}}


def test_the_shelf_alone_starts_neither_the_database_of_photos_nor_its_image() -> None:
    assert SERVICES[GALERA]["profiles"] == ["photos"]


def test_services_with_a_keyring_share_its_secret() -> None:
    keyed = {one.name for one in services.SERVICES if one.needs_keyring}
    named = "BOOKSHELF_ACCOUNTS_SECRET_FILE"
    files = {
        name: service["environment"][named] for name, service in SERVICES.items() if named in str(service)
    }
    assert files == dict.fromkeys(keyed, "/secret/accounts.secret")
    assert all(SERVICES[name]["volumes"] == ["secret:/secret"] for name in keyed)
    assert "/data /secret\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_documented_ports_are_open_on_loopback_alone() -> None:
    opened = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in opened)
    numbers = {int(port.split(":")[1]) for port in opened}
    assert numbers == {8000, 8500, 8600, 9092} | {one.port for one in services.SERVICES if one.is_published}


@pytest.mark.parametrize("service", services.SERVICES, ids=lambda service: str(service.name))
def test_services_that_need_a_domain_have_one_and_the_others_that_of_the_variable(service: Service) -> None:
    usual = "bookshelf" if service.needs_domain else ""
    domain = SERVICES[service.name]["environment"]["BOOKSHELF_CLUSTER_DOMAIN"]
    assert domain == f"${{BOOKSHELF_CLUSTER_DOMAIN:-{usual}}}"


def test_the_gateway_is_in_the_domain_of_the_variable() -> None:
    assert SERVICES["gateway"]["environment"]["BOOKSHELF_CLUSTER_DOMAIN"] == "${BOOKSHELF_CLUSTER_DOMAIN:-}"


@pytest.mark.parametrize("service", services.SERVICES, ids=lambda service: str(service.name))
def test_a_service_with_a_profile_runs_with_it_alone(service: Service) -> None:
    assert SERVICES[service.name].get("profiles", []) == ([service.profile] if service.profile else [])


def with_dev() -> dict[str, Document]:
    """Return the services of docker-compose.yml with docker-compose.dev.yml on top, key by key."""
    [dev] = documents(ROOT / "docker-compose.dev.yml")
    return {name: {**service, **dev["services"].get(name, {})} for name, service in SERVICES.items()}


@pytest.mark.parametrize("together", [SERVICES, with_dev()], ids=["alone", "with dev"])
def test_one_service_builds_the_image_and_the_others_start_after_it(together: dict[str, Document]) -> None:
    """Each service with `build:` builds the image, all of them at the same time with bake."""
    assert [name for name, one in together.items() if "build" in one] == [BUILDER, GALERA]
    ours = together.keys() - OUTSIDE
    assert together[GALERA]["image"] != together[BUILDER]["image"]
    assert {together[name]["image"] for name in ours} == {together[BUILDER]["image"]}
    # docker-compose 1.29 looks for images in the order of dependencies, and pulls what is not there
    for name in ours - {BUILDER}:
        assert together[name]["depends_on"][BUILDER] == {"condition": "service_started"}
        assert together[name]["pull_policy"] == "never"
    assert not together[BUILDER].get("depends_on")


@pytest.mark.parametrize("name", ["uploads", "files"])
def test_with_a_bucket_each_instance_has_a_volume_of_its_own(name: str) -> None:
    """A volume with a name would be shared, and one data folder is of one instance."""
    [changed] = documents(ROOT / "docker-compose.bucket.yml")
    assert SERVICES[name]["volumes"] == [f"{name}:/data"]
    assert changed["services"][name]["volumes"] == ["/data"]  # takes its place: the same path
    given = changed["services"][name]["environment"]
    assert "s3://" in given["BOOKSHELF_BLOBS"]
    assert {key for key in given if key.startswith("AWS_")} == {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
    }

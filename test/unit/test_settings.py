"""How settings are read, from whichever of their places."""

import re
from operator import attrgetter
from pathlib import Path
from typing import get_type_hints

import msgspec
import pytest

from bookshelf.cli.instance import gateway_at
from bookshelf.config import (
    STRUCTS,
    GatewaySettings,
    Settings,
    WrongSetting,
    fields_by_setting,
    load,
    read,
    read_network,
)
from bookshelf.discovery.consul.settings import ConsulSettings
from bookshelf.discovery.port import DiscoveryFault
from bookshelf.log.kafka.settings import KafkaSettings
from bookshelf.runtime.logs import Level
from bookshelf.storage.postgres.settings import PostgresSettings


def test_the_command_line_overrides_the_environment_and_that_the_default() -> None:
    assert read({}).port == 8000
    assert read({"BOOKSHELF_PORT": "9000"}).port == 9000
    assert read({"BOOKSHELF_PORT": "9000"}, port=9001).port == 9001


@pytest.mark.parametrize(
    ("begins", "place", "usual"),
    [("KAFKA_BROKER", "kafka.bootstrap", "9092"), ("CONSUL_AGENT", "consul.agent", "8500")],
)
@pytest.mark.parametrize(
    ("address", "port", "said"),
    [
        (None, None, "127.0.0.1:{usual}"),
        ("there", None, "there:{usual}"),
        ("there", "1234", "there:1234"),
        (None, "1234", "127.0.0.1:1234"),
        ("there:5678", "1234", "there:5678"),
        ("", "", "127.0.0.1:{usual}"),
    ],
)
def test_the_environment_names_of_deployments_are_read(
    begins: str, place: str, usual: str, address: str | None, port: str | None, said: str
) -> None:
    given = {f"{begins}_ADDR": address, f"{begins}_PORT": port}
    environment = {key: value for key, value in given.items() if value is not None}
    assert attrgetter(place)(read_network(environment)) == said.format(usual=usual)


def test_own_names_override_those_of_deployments_and_the_command_line_all() -> None:
    environment = {"KAFKA_BROKER_ADDR": "theirs", "BOOKSHELF_BROKER": "ours:1"}
    assert read_network(environment).kafka.bootstrap == "ours:1"
    assert read_network(environment, broker="named:2").kafka.bootstrap == "named:2"


@pytest.mark.parametrize("port", ["tcp://10.0.0.1:9092", "0", "65536", "-1", "²"])
def test_an_invalid_port_is_reported(port: str) -> None:
    with pytest.raises(WrongSetting, match=r"KAFKA_BROKER_PORT: .* is no port"):
        read_network({"KAFKA_BROKER_PORT": port})


@pytest.mark.parametrize(
    "url", ["gateway:8000", "ftp://gateway", "http://", "http://gateway:8000/bookshelf", ""]
)
def test_a_malformed_address_of_the_api_is_refused(url: str) -> None:
    with pytest.raises(WrongSetting, match=r"^site_api \(or BOOKSHELF_SITE_API\): must be an address like"):
        gateway_at(url)


#: A value of each setting that takes neither any text nor the number 7.
_VALUES = {
    "accounts": "on",
    "accounts_token_s": "70",
    "gateway_token_typ": "any",
    "service_ports": "auto",
    "state_cache": "200",
    "log_level": "error",
    "log_format": "json",
    "kafka_security_protocol": "SSL",
    "kafka_sasl_mechanism": "SCRAM-SHA-256",
    "consul": "there:7",
    "consul_scheme": "https",
    "shop_currency": "CHF",
    "photos_self_vote": "no",
    "gateway_loopback": "no",
    "gateway_compress": "false",
    "gateway_access_log": "false",
    "site_design": "on",
    "cluster_package_memory": "268435456",
    "cluster_sessions_keep_days": "8",
}


@pytest.mark.parametrize(
    ("kind", "name", "field"),
    [(kind, name, field) for kind in STRUCTS for name, field in fields_by_setting(kind).items()],
)
def test_every_setting_is_read_from_the_environment(
    kind: type[msgspec.Struct], name: str, field: str
) -> None:
    default = getattr(kind(), field)
    value = _VALUES.get(name, "7")
    found = getattr(load(kind, {f"BOOKSHELF_{name.upper()}": value}), field)
    assert str(found).lower() in {value.lower(), f"{value}.0"}
    assert found != default


def test_no_two_settings_have_one_name() -> None:
    names = [name for kind in STRUCTS for name in fields_by_setting(kind)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kafka_partitions", "0"),
        ("kafka_replication", "10"),
        ("broker_wait_s", "0"),
        ("storage_wait_s", "-1"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_name_of_its_setting(name: str, value: str) -> None:
    with pytest.raises(WrongSetting, match=rf"^{name} \(or BOOKSHELF_{name.upper()}\): must be"):
        read_network({f"BOOKSHELF_{name.upper()}": value})


def test_a_consul_address_without_a_valid_port_is_refused() -> None:
    with pytest.raises(DiscoveryFault, match="'x' is no port; write it like"):
        read_network({"BOOKSHELF_CONSUL": "there:x"})


@pytest.mark.parametrize("name", ["ask_s", "kafka_ask_s", "pace", "consul_pace"])
def test_a_field_of_an_adapter_that_is_not_for_users_is_no_setting(name: str) -> None:
    with pytest.raises(WrongSetting, match="is no setting"):
        read_network({f"BOOKSHELF_{name.upper()}": "1"})


def test_settings_do_not_show_the_database_s_password() -> None:
    assert "hidden" not in repr(PostgresSettings(url="postgresql://me:hidden@there/db"))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BOOKSHELF_DATAA", "did you mean BOOKSHELF_DATA?"),
        ("BOOKSHELF_GATEWAY_RATES", "did you mean BOOKSHELF_GATEWAY_RATE?"),
        ("BOOKSHELF_KAFKA_PARTITION", "did you mean BOOKSHELF_KAFKA_PARTITIONS?"),
        ("BOOKSHELF_ZZ", "docs/settings.md lists all of them"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_nearest_name(name: str, meant: str) -> None:
    for kind in STRUCTS:
        with pytest.raises(WrongSetting, match=re.escape(f"{name} is no setting; {meant}")):
            load(kind, {name: "x"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BOOKSHELF_TEST_REQUIRE", "kafka"),
        ("BOOKSHELF_SERVICE_HOST", "10.0.0.7"),
        ("BOOKSHELF_SERVICE_PORT", "8000"),
        ("BOOKSHELF_SERVICE_PORT_HTTP", "8000"),
        ("BOOKSHELF_PORT", "tcp://10.0.0.7:8000"),
        ("BOOKSHELF_PORT_8000_TCP", "tcp://10.0.0.7:8000"),
        ("BOOKSHELF_PORT_8000_TCP_ADDR", "10.0.0.7"),
    ],
)
def test_variables_of_tests_and_kubernetes_are_not_settings(name: str, value: str) -> None:
    assert read({name: value}) == Settings()


_SECRETS: dict[str, tuple[type[msgspec.Struct], str]] = {
    "storage": (PostgresSettings, "url"),
    "kafka_sasl_password": (KafkaSettings, "sasl_password"),
    "consul_token": (ConsulSettings, "token"),
    "gateway_rate_storage": (GatewaySettings, "gateway_rate_storage"),
}


@pytest.mark.parametrize("name", _SECRETS)
@pytest.mark.parametrize(
    ("content", "value"), [("s ecret", "s ecret"), ("s\n", "s"), ("s\n\n", "s\n"), ("ß\r", "ß\r")]
)
def test_a_secret_setting_is_read_from_a_file(name: str, content: str, value: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content.encode())
    environment = {f"BOOKSHELF_{name.upper()}_FILE": str(file), f"BOOKSHELF_{name.upper()}": ""}
    kind, field = _SECRETS[name]
    if name == "consul_token" and value != "s":  # no header can have it
        with pytest.raises(DiscoveryFault, match="give the secret alone"):
            load(kind, environment)
    else:
        assert getattr(load(kind, environment), field) == value
    assert read(environment) == Settings(), "the other settings accept the name"


@pytest.mark.parametrize("name", _SECRETS)
def test_a_secret_setting_with_both_a_value_and_a_file_is_refused(name: str, tmp_path: Path) -> None:
    variable = f"BOOKSHELF_{name.upper()}"
    with pytest.raises(
        WrongSetting, match=f"^{variable} and {variable}_FILE are both set; set only one of them$"
    ):
        load(_SECRETS[name][0], {variable: "s", f"{variable}_FILE": str(tmp_path / "secret")})


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file or directory"), (b"\xff", "it is not text in UTF-8"), (b"\n", "it is empty")],
)
def test_a_secret_file_that_cannot_be_read_is_one_line_with_its_variable(
    content: bytes | None, why: str, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    expected = re.escape(f"BOOKSHELF_CONSUL_TOKEN_FILE: cannot read {file}: {why}")
    with pytest.raises(WrongSetting, match=f"^{expected}$"):
        read_network({"BOOKSHELF_CONSUL_TOKEN_FILE": str(file)})


def test_a_setting_that_is_no_secret_is_not_read_from_a_file() -> None:
    with pytest.raises(WrongSetting, match="BOOKSHELF_BROKER_FILE is no setting"):
        read_network({"BOOKSHELF_BROKER_FILE": "broker"})


def test_a_running_process_accepts_the_levels_of_the_setting() -> None:
    assert get_type_hints(Settings)["log_level"] == Level

"""How settings are read, from whichever of their places."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

import pytest

from bookshelf.config import Network, Settings, WrongSetting, read, read_gate, read_network, read_routing
from bookshelf.runtime.logs import Level


def test_the_command_line_overrides_the_environment_and_that_the_default() -> None:
    assert read({}).port == 8000
    assert read({"BOOKSHELF_PORT": "9000"}).port == 9000
    assert read({"BOOKSHELF_PORT": "9000"}, port=9001).port == 9001


@pytest.mark.parametrize(
    ("begins", "name", "usual"), [("KAFKA_BROKER", "broker", "9092"), ("CONSUL_AGENT", "consul", "8500")]
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
    begins: str, name: str, usual: str, address: str | None, port: str | None, said: str
) -> None:
    given = {f"{begins}_ADDR": address, f"{begins}_PORT": port}
    environment = {key: value for key, value in given.items() if value is not None}
    assert getattr(read_network(environment), name) == said.format(usual=usual)


def test_own_names_override_those_of_deployments_and_the_command_line_all() -> None:
    environment = {"KAFKA_BROKER_ADDR": "theirs", "BOOKSHELF_BROKER": "ours:1"}
    assert read_network(environment).broker == "ours:1"
    assert read_network(environment, broker="named:2").broker == "named:2"


@pytest.mark.parametrize("port", ["tcp://10.0.0.1:9092", "0", "65536", "-1", "²"])
def test_an_invalid_port_is_reported(port: str) -> None:
    with pytest.raises(WrongSetting, match=r"KAFKA_BROKER_PORT: .* is no port"):
        read_network({"KAFKA_BROKER_PORT": port})


@pytest.mark.parametrize("name", Network.__struct_fields__)
def test_every_setting_of_the_network_is_read_from_the_environment(name: str) -> None:
    default = getattr(Network(), name)
    value = {"kafka_security_protocol": "SSL", "kafka_sasl_mechanism": "SCRAM-SHA-256"}.get(name)
    value = value or ("https" if name == "consul_scheme" else "7")
    found = getattr(read_network({f"BOOKSHELF_{name.upper()}": value}), name)
    assert found == type(default)(value)
    assert found != default


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
    for reading in (read, read_network, read_routing, read_gate):
        with pytest.raises(WrongSetting, match=re.escape(f"{name} is no setting; {meant}")):
            reading({name: "x"})


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


_READERS: dict[str, Callable[[dict[str, str]], object]] = {
    "storage": read_network,
    "kafka_sasl_password": read_network,
    "consul_token": read_network,
    "gateway_rate_storage": read_gate,
}


@pytest.mark.parametrize("name", _READERS)
@pytest.mark.parametrize(
    ("content", "value"), [("s ecret", "s ecret"), ("s\n", "s"), ("s\n\n", "s\n"), ("ß\r", "ß\r")]
)
def test_a_secret_setting_is_read_from_a_file(name: str, content: str, value: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content.encode())
    environment = {f"BOOKSHELF_{name.upper()}_FILE": str(file), f"BOOKSHELF_{name.upper()}": ""}
    assert getattr(_READERS[name](environment), name) == value
    assert read(environment) == Settings(), "the other settings accept the name"


@pytest.mark.parametrize("name", _READERS)
def test_a_secret_setting_with_both_a_value_and_a_file_is_refused(name: str, tmp_path: Path) -> None:
    variable = f"BOOKSHELF_{name.upper()}"
    with pytest.raises(
        WrongSetting, match=f"^{variable} and {variable}_FILE are both set; set only one of them$"
    ):
        _READERS[name]({variable: "s", f"{variable}_FILE": str(tmp_path / "secret")})


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

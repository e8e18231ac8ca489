from typing import Any

import msgspec
import pytest

from bookshelf.discovery.consul.registration import check_path, leave_path, refuse, registration, update
from bookshelf.discovery.consul.settings import ConsulSettings
from bookshelf.discovery.port import DiscoveryFault, Instance


def instance(**changed: Any) -> Instance:  # noqa: ANN401 (any field)
    known: dict[str, Any] = {
        "id": "newbook-1",
        "service": "newbook",
        "tags": ("books",),
        "address": "10.0.0.1",
        "port": 8081,
    }
    return Instance(**known | changed)


def registered_as(one: Instance, fault: str | None = None) -> Any:  # noqa: ANN401 (any JSON)
    return msgspec.json.decode(registration(one, fault, 3.0))


def test_a_registration_has_all_fields_of_an_instance() -> None:
    message = registered_as(instance(meta={"version": "1.0", "partitions": "0,1"}))
    assert (message["ID"], message["Name"], message["Tags"]) == ("newbook-1", "newbook", ["books"])
    assert (message["Address"], message["Port"]) == ("10.0.0.1", 8081)
    assert message["Meta"] == {"bookshelf": "1", "version": "1.0", "partitions": "0,1"}
    assert (message["Check"]["Status"], message["Check"]["TTL"]) == ("passing", "3.0s")
    assert message["Check"]["DeregisterCriticalServiceAfter"] == "1m"


def test_an_unready_instance_is_not_registered_as_passing() -> None:
    assert registered_as(instance(), "no log")["Check"]["Status"] == "warning"
    assert msgspec.json.decode(update("no log")) == {"Status": "critical", "Output": "not ready: no log"}


@pytest.mark.parametrize("changed", [{"meta": {"partitions": "1"}}, {"port": 1}, {"tags": ("x",)}])
def test_any_change_changes_the_notes_of_the_check(changed: dict[str, Any]) -> None:
    notes = registered_as(instance())["Check"]["Notes"]
    assert registered_as(instance())["Check"]["Notes"] == notes
    assert registered_as(instance(**changed))["Check"]["Notes"] != notes


@pytest.mark.parametrize("fault", ["x" * 10_000, "\ud800", "a\r\nb\0"])
def test_a_fault_may_be_any_text_and_is_cut(fault: str) -> None:
    assert len(update(fault)) < 600


def test_any_id_makes_a_path() -> None:
    assert check_path("a/../b?c") == "/v1/agent/check/update/bookshelf%3Aa%2F..%2Fb%3Fc"
    assert leave_path("a/../b?c") == "/v1/agent/service/deregister/a%2F..%2Fb%3Fc"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"address": "0.0.0.0"}, "is not an address that clients can connect to"),  # noqa: S104 (refused)
        ({"address": ""}, "is not an address that clients can connect to"),
        ({"port": 0}, "0 is not a valid port"),
        ({"meta": {f"k{n}": "v" for n in range(64)}}, "has 64 pairs, over the limit of 63"),
        ({"meta": {"note": "x" * 513}}, "'note' has 513 bytes, over 512"),
        ({"meta": {"note": "é" * 257}}, "has 514 bytes"),
        ({"meta": {"note": "a\nb"}}, "'note' has a control character"),
        ({"tags": ("books", "a\nb")}, "'a\\nb' is not a valid name"),
        ({"tags": ("",)}, "'' is not a valid name"),
        ({"service": "x" * 256}, "is not a valid name"),
        ({"id": "\ud800"}, "is not a valid name"),
        ({"meta": {"note": "\ud800"}}, "'note' has a control character"),
        ({"address": "a/b"}, "is not an address"),
        ({"meta": {"two words": "x"}}, "'two words' is not a valid metadata key"),
        ({"meta": {"bookshelf": "2"}}, "'bookshelf' is not a valid metadata key"),
        ({"meta": {"consul-version": "2"}}, "'consul-version' is not a valid metadata key"),
    ],
)
def test_values_that_consul_would_refuse_are_reported(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DiscoveryFault) as raised:
        refuse(instance(**changed))
    assert " cannot be registered with Consul: " in str(raised.value)
    assert str(raised.value).isprintable()
    assert message in str(raised.value)


def test_values_at_consul_s_limits_are_accepted() -> None:
    refuse(instance(meta={f"k{n}": "x" * 512 for n in range(63)}))


@pytest.mark.parametrize("address", ["", "a b", "10.0.0.1\r\n", "x/y", "user@host"])
def test_an_agents_address_is_a_host(address: str) -> None:
    with pytest.raises(DiscoveryFault, match="not an address of a Consul agent"):
        ConsulSettings(agent=f"{address}:8500")


def test_an_agents_url_is_written_as_urls_are() -> None:
    assert ConsulSettings().url == "http://127.0.0.1:8500"
    assert ConsulSettings(scheme="https", agent="::1:8501").url == "https://[::1]:8501"

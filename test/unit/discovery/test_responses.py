from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bookshelf.discovery.consul.agent import AgentUnavailable
from bookshelf.discovery.consul.registration import AgentCatalog
from bookshelf.discovery.port import Instance

GOOD: dict[str, Any] = {
    "ID": "newbook-1",
    "Service": "newbook",
    "Address": "10.0.0.1",
    "Port": 8081,
    "Tags": ["books", "new"],
    "Meta": {"bookshelf": "1", "version": "1.0"},
}
READ = Instance(
    id="newbook-1",
    service="newbook",
    tags=("books", "new"),
    address="10.0.0.1",
    port=8081,
    meta={"version": "1.0"},
)
# values that any client of the agent may write into the catalogue
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def entry(**changed: object) -> dict[str, object]:
    return {"Node": {"Address": "10.0.0.9"}, "Service": {**GOOD, **changed}, "Checks": []}


def read(*entries: object) -> list[Instance]:
    return list(AgentCatalog().instances(msgspec.json.encode(entries)))


def test_an_instance_is_read_as_it_was_registered() -> None:
    assert read(entry()) == [READ]


def test_an_instance_without_an_address_is_at_its_node() -> None:
    [found] = read(entry(Address=""))
    assert found.address == "10.0.0.9"


def test_foreign_services_are_skipped_without_a_log_event() -> None:
    with capture_logs() as logs:
        assert read(entry(Meta={"version": "1"}), entry(Meta=None), entry(Meta={}), entry()) == [READ]
    assert logs == []


@pytest.mark.parametrize(
    "changed",
    [
        {"Port": 0},
        {"Port": -1},
        {"Port": 65536},
        {"Port": 10**30},
        {"Port": "8081"},
        {"Port": None},
        {"Address": "10.0.0.1\r\nX-Injected: 1"},
        {"Address": "10.0.0.1/path"},
        {"Address": "user@10.0.0.1"},
        {"Address": "10.0.0.1:22"},
        {"Address": "a b"},
        {"Address": "0.0.0.0"},  # noqa: S104 (refused)
        {"Address": "::"},
        {"Address": "a." * 200},
        {"Address": 7},
        {"ID": ""},
        {"ID": "x" * 256},
        {"ID": "newbook\n1"},
        {"ID": None},
        {"Service": ""},
        {"Service": "new\0book"},
        {"Tags": "books"},
        {"Tags": ["books", 7]},
        {"Tags": ["books\r\n"]},
        {"Tags": ["x" * 1000]},
        {"Tags": ["x"] * 1000},
        {"Meta": {"bookshelf": "1", "version": 7}},
        {"Meta": {"bookshelf": "1", "version": "1\r\nX-Injected: 1"}},
        {"Meta": {"bookshelf": "1", "version": "x" * 10_000}},
        {"Meta": {"bookshelf": "1", **{f"k{n}": "v" for n in range(300)}}},
    ],
    ids=repr,
)
def test_an_invalid_instance_is_left_out_and_logged(changed: dict[str, object]) -> None:
    with capture_logs() as logs:
        assert read(entry(**changed), entry()) == [READ]
    [said] = logs
    assert (said["event"], said["log_level"]) == ("ignored", "warning")
    assert len(str(said)) < 600


@pytest.mark.parametrize("entry", [None, 7, "x", [], {}, {"Service": None}, {"Service": {}}, {"Node": {}}])
def test_an_invalid_entry_is_left_out(entry: object) -> None:
    assert read(entry) == []


def test_an_ignored_entry_is_logged_once() -> None:
    catalogue = AgentCatalog()
    with capture_logs() as logs:
        for _ in range(3):
            assert list(catalogue.instances(msgspec.json.encode([entry(Port=0)]))) == []
    assert len(logs) == 1


def test_text_that_is_not_unicode_invalidates_only_its_entry() -> None:
    body = msgspec.json.encode([entry(ID="newbook-?"), entry()])
    assert list(AgentCatalog().instances(body.replace(b"newbook-?", b"newbook-\xff"))) == [READ]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"null", b"[", b"<html>", b"[1,", b"\xff", b'["\\ud800"]', b"[" * 100_000]
)
def test_a_body_that_is_not_a_list_is_an_agent_error(body: bytes) -> None:
    with pytest.raises(AgentUnavailable, match="the response is not one of Consul's"):
        list(AgentCatalog().instances(body))


@given(st.sampled_from(sorted(GOOD)), ANYTHING)
def test_any_value_of_any_field_at_most_removes_its_entry(field: str, value: object) -> None:
    assert READ in read(entry(**{field: value}), entry())


def test_checks_show_self_reported_faults() -> None:
    def check(name: str, status: str, output: str) -> dict[str, str]:
        return {
            "Node": "vm",
            "CheckID": "x",
            "Name": name,
            "Status": status,
            "Output": output,
            "ServiceName": "newbook",
        }

    found = AgentCatalog().checks(
        msgspec.json.encode(
            [
                check("Bookshelf: ready", "passing", "ready"),
                check("Bookshelf: ready", "critical", "not ready: no log"),
                check("Bookshelf: ready", "critical", "TTL expired"),
                check("another's", "critical", "not ready: no log"),
                {"Node": 7},
            ]
        )
    )
    assert [(one.ours, one.self_reported_down) for one in found] == [
        (True, False),
        (True, True),
        (True, False),
        (False, False),
    ]

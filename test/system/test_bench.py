"""`python -m bench` prints figures. What they are is for people to judge: none has a limit here."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from support.process import Process, bench
from support.until import until

from bookshelf.runtime.data_folder import running
from bookshelf.services import SERVICES

TINY = ("--runs", "2", "--seconds", "0.1", "--books", "30")
LATENCIES = {"p50_ms", "p99_ms"}
LOAD = {"per_s", *LATENCIES}


def report(*args: str) -> Any:  # noqa: ANN401 (JSON)
    return json.loads(bench(*TINY, *args).well)


def shape(measured: Any) -> dict[str, set[str]]:  # noqa: ANN401 (JSON)
    """Return the figures' names, once each was seen to be a spread of both runs."""
    for figures in measured["figures"].values():
        for figure in figures.values():
            assert set(figure) == {"median", "min", "max", "runs"}
            assert len(figure["runs"]) == 2
            assert figure["min"] <= figure["median"] <= figure["max"]
    return {group: set(figures) for group, figures in measured["figures"].items()}


def test_posts_are_measured_at_both_ports_and_all_are_listed_afterwards() -> None:
    found = report("posts")
    assert set(found) == {"versions", "machine", "settings", "seconds", "results"}
    given = {"runs": 2, "seconds": 0.1, "connections": 64, "books": 30}
    assert found["settings"] == {**given, "requests": 1_000_000, "broker": ""}
    assert {"python", "bookshelf", "sqlite"} <= set(found["versions"])
    assert found["machine"]["cpus"] > 0
    posts = shape(found["results"]["posts"])
    assert posts == {"service": LOAD, "gateway": LOAD, "one connection": LOAD, "views": {"behind_s"}}


@pytest.mark.slow
def test_queries_are_measured_at_both_ports() -> None:
    gets = shape(report("gets")["results"]["gets"])
    assert gets == {
        f"{what}, {door}": LOAD for what in ("list", "last", "one") for door in ("service", "gateway")
    }


def test_a_process_is_measured_and_a_missing_library_is_named() -> None:
    found = report("processes")["results"]["processes"]
    assert shape(found) == {"steps": {"per_s"}, "lag": LATENCIES}
    assert found["facts"]["why"] == "PROTEAN_PYTHON names no Python that has Protean 0.18"


@pytest.mark.slow
def test_the_shop_is_measured_and_keeps_its_laws() -> None:
    found = report("shop")["results"]["shop"]
    rush = {"per_s", "cpu_ms"}
    rates = {"by topic": {"per_s"}, "http": rush, "one product": {*rush, "oversold"}}
    paced = dict.fromkeys(("final", "final, answer", "sold out", "no credit"), LATENCIES)
    memory = {"rss_mib", "peak_mib"}
    open_ones = {name: {"ready_s", *rush, *LATENCIES, *memory} for name in ("few open", "many open")}
    assert shape(found) == {**rates, **paced, **open_ones, "memory": memory, "many / few": rush | LATENCIES}
    assert found["figures"]["one product"]["oversold"]["runs"] == [0, 0]
    assert found["facts"]["sold"] == 30
    assert found["facts"]["protean, durable"] is None


@pytest.mark.slow
def test_sign_ins_are_measured_and_queries_meanwhile() -> None:
    loads = dict.fromkeys(("quiet", "meanwhile", "sign-in, together"), LOAD)
    others = dict.fromkeys(("sign-in", "sign-in, alone", "unknown", "wrong"), LATENCIES)
    assert shape(report("accounts")["results"]["accounts"]) == {**loads, **others}


def test_commands_are_measured_beside_another_library() -> None:
    pytest.importorskip("eventsourcing")
    commands = report("commands")["results"]["commands"]
    both = {f"{who}, {n} asking" for who in ("bookshelf", "eventsourcing") for n in (1, 64)}
    assert shape(commands) == dict.fromkeys(both, LOAD)
    assert (
        commands["facts"]["eventsourcing"]["journal_mode"] == commands["facts"]["bookshelf"]["journal_mode"]
    )
    assert commands["facts"]["eventsourcing"]["synchronous"] == commands["facts"]["bookshelf"]["synchronous"]


@pytest.mark.slow
def test_log_and_visibility_are_measured_in_process() -> None:
    results = report("log", "visible")["results"]
    assert shape(results["log"]) == {
        **{f"append, {size} at a time": {"events_per_s"} for size in (1, 100)},
        **{f"replay, {how}": {"events_per_s", "seconds"} for how in ("fold", "owner", "view")},
    }
    assert results["log"]["facts"]["events"] == 33
    places = {f"{where}, {part}" for where in ("gateway", "in process") for part in ("whole", "wait")}
    assert shape(results["visible"]) == dict.fromkeys(places, LATENCIES)


@pytest.mark.slow
def test_starts_and_memory_are_measured_with_real_processes() -> None:
    results = report("start", "memory")["results"]
    services = {f"{service.name}_ms" for service in SERVICES}
    up = {"empty_s", "full_first_s", "full_again_s"}
    assert shape(results["start"]) == {"up": up, "service": services}
    resident = {"rss_mib", "peak_mib"}
    assert shape(results["memory"]) == {
        "first": {"ready_s", *resident},
        "again": {"ready_s", *resident},
        "worked": {"seconds", *resident},
        "disk": {"mib"},
    }


def test_an_unknown_measurement_is_refused_with_the_known_ones() -> None:
    ended = bench("speed")
    assert ended.code == 2
    assert "'posts'" in ended.err


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupted_measurement_leaves_no_process_or_file(tmp_path: Path, number: int) -> None:
    with Process("posts", "--seconds", "60", env={"TMPDIR": str(tmp_path)}, program="bench") as process:
        until(lambda: any(running(data) for data in tmp_path.glob("*/shelf")), "the shelf runs")
        ended = process.stop(number)
    assert ended.code != 0
    assert ended.out == ""
    assert "Traceback" not in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_gateway_is_measured_beside_other_proxies() -> None:
    gateway = report("gateway", "--seconds", "1")["results"]["gateway"]
    found = shape(gateway)
    assert {"upstream", "gateway", "naive"} <= set(found)
    assert all(found[name] == LOAD for name in found if name != "gateway, share")
    assert {*found, *gateway["facts"]["missing"]} == {
        *("upstream", "gateway", "naive", "nginx", "haproxy", "gateway, share")
    }
    assert all(figure["min"] > 0 for figure in gateway["figures"]["gateway, share"].values())


@pytest.mark.slow
def test_the_memory_of_the_gateway_is_measured_under_load() -> None:
    soak = report("soak", "--requests", "300")["results"]["soak"]
    found = shape(soak)
    looks = [f"{look} of 10" for look in range(1, 11)]
    assert set(found) == {*looks, "in all"}
    assert all(found[look] == {"requests", "rss_mib", "peak_mib"} for look in looks)
    assert found["in all"] == {"requests", "per_s", "grown_mib"}
    assert soak["figures"]["in all"]["requests"]["min"] >= 300

"""`python -m bench --log kafka` prints figures of services on a real broker. None has a limit here."""

import asyncio
import json

import pytest
from support.kafka import Broker, free_ports
from support.kafka_log import admin_of
from support.postgres import Server
from support.process import bench

from bookshelf.services import SERVICES

TINY = ("--runs", "1", "--seconds", "0.1", "--books", "30", "--all")
LATENCIES = {"p50_ms", "p99_ms"}
LOAD = {"per_s", *LATENCIES}
SHOP = ("products", "customers", "orders", "payments", "accounting")


@pytest.mark.slow
@pytest.mark.needs("kafka", "postgres")
async def test_all_measurements_run_and_remove_their_topics(
    kafka_broker: Broker, postgres_server: Server
) -> None:
    async with postgres_server.database() as name:
        env = {"BOOKSHELF_STORAGE": postgres_server.url(name)}
        asked = ("--log", "kafka", "--broker", kafka_broker.address, *TINY)
        ended = await asyncio.to_thread(bench, *asked, env=env)
    report = json.loads(ended.well)
    assert report["versions"]["aiokafka"]
    assert report["settings"]["broker"] == kafka_broker.address
    found = {
        name: {group: set(figures) for group, figures in one["figures"].items()}
        for name, one in report["results"].items()
    }
    assert found == {
        "bare": {
            name: {"events_per_s", *LATENCIES}
            for name in (
                *(f"transactions of {size}" for size in (1, 10, 100)),
                "8 producers, transactions of 8",
            )
        },
        "posts": dict.fromkeys(("1 partition", "8 partitions", "one connection"), LOAD),
        "visible": dict.fromkeys(("whole", "wait"), LATENCIES),
        "replay": {
            name: {"events_per_s", "seconds"} for name in ("bare consumer", "tail", "fold", "owner", "view")
        },
        "takeover": {name: {"seconds", "leaves_s"} for name in ("with the store", "without")},
        "processes": {"steps": {"per_s"}, "lag": LATENCIES},
        "shop": {
            "http": {"per_s"},
            **dict.fromkeys(("final", "final, answer", "sold out"), LATENCIES),
            **{f"memory, {name}": {"rss_mib", "peak_mib"} for name in SHOP},
        },
        "sessions": {
            "changes": {"rate_per_s"},
            "counter": {"rate_per_s", "conflicts"},
            "delay": LATENCIES,
            "copies": {"joined_s", "cpu_us", "added_mib"},
        },
        "memory": {
            name: {"rss_mib", "peak_mib"} for name in (one.name for one in SERVICES if not one.needs_keyring)
        },
    }
    async with admin_of(kafka_broker.address) as admin:
        assert [name for name in await admin.list_topics() if name.startswith("bench-")] == []


def test_a_missing_broker_is_reported_with_the_command_to_start_one() -> None:
    place = f"127.0.0.1:{free_ports(1)[0]}"
    said = bench("--log", "kafka", "--broker", place).complaint
    assert f"no broker answers at {place}: start one with `make kafka`" in said


@pytest.mark.parametrize(("log", "name"), [("sqlite", "replay"), ("kafka", "gets")])
def test_a_measurement_of_the_other_log_is_refused(log: str, name: str) -> None:
    assert f"{name}: not measured of this log; there are " in bench("--log", log, name).complaint

"""The parts of `python -m bench cluster` run on real processes, with tiny numbers; none has a limit here."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.consul import Agent
from support.kafka import Broker
from system.test_bench import LATENCIES

from bench.cluster import with_times
from bench.connection import HOST
from bench.nodes.commits import VoteRounds, measure_appends, measure_commits
from bench.nodes.fleet import open_fleet
from bench.nodes.package_loads import measure_package
from bench.nodes.session_reads import measure_session_reads
from bench.nodes.traffic import measure_traffic
from bookshelf.cluster.events import PhaseRequested, RevisionCommitted, VoteRecorded

CHANGES = {f"{part}_{name}" for part in ("changed", "prepared", "committed") for name in LATENCIES}


def test_a_commit_is_compared_with_the_slower_watch_of_the_same_size() -> None:
    commit = {"committed_p50_ms": 12.0}
    watches = {"consul watch, 3 nodes": {"p50_ms": 4.0}, "etcd watch, 3 nodes": {"p50_ms": 2.0}}
    assert with_times({"3 nodes": commit, **watches})["3 nodes"] == {**commit, "times_watch": 3.0}
    assert with_times({"3 nodes": {"committed_p50_ms": 12.0}}) == {"3 nodes": {"committed_p50_ms": 12.0}}


def test_a_round_of_votes_lasts_from_its_request_until_what_ends_it() -> None:
    at, rounds = datetime(2026, 1, 1, tzinfo=UTC), VoteRounds()
    vote = VoteRecorded(rollout="r", phase="pause", changes=1, node="a", epoch=1, accepted=True)
    for moment, event in enumerate(
        (
            PhaseRequested(rollout="r", phase="pause", changes=1, members=("a",), deadline=at),
            vote,
            PhaseRequested(rollout="r", phase="deploy", changes=1, members=("a",), deadline=at),
            RevisionCommitted(rollout="r", revision=1, items=()),
            None,
        )
    ):
        rounds.note(event, float(moment))
    assert dict(rounds.taken_s) == {"pause": [2.0], "deploy": [1.0]}


@pytest.mark.slow
@pytest.mark.needs("kafka", "consul")
async def test_a_domain_of_processes_is_measured(
    kafka_broker: Broker, consul_agent: Agent, tmp_path: Path
) -> None:

    consul = f"{HOST}:{consul_agent.ports.http}"
    async with open_fleet(kafka_broker.address, consul, tmp_path / "domain") as fleet:
        await fleet.grow(2)
        found = await measure_commits(fleet, 1)
        assert set(found["changes"]) == {*CHANGES, "owner_ms", "node_ms", "failed"}
        assert set(found["votes"]) == {"p50_ms", *(f"{name}_p50_ms" for name in ("load", "pause", "deploy"))}
        assert set(await measure_appends(fleet, 1)) == LATENCIES
        traffic = await measure_traffic(fleet, 1)
    assert {"paused_p99_ms", "request_max_ms", "requests", "failed_requests"} <= set(traffic)
    assert all(one.process.returncode is not None for one in fleet.processes)
    consul_agent.clear()


@pytest.mark.slow
@pytest.mark.needs("kafka", "consul")
async def test_loads_of_a_package_and_reads_of_sessions_are_measured(
    kafka_broker: Broker, consul_agent: Agent, tmp_path: Path
) -> None:

    place = (kafka_broker.address, f"{HOST}:{consul_agent.ports.http}", tmp_path)
    assert set(await measure_package(*place, 1)) == {"loaded_s", "alone_s"}
    reads = await measure_session_reads(*place, 2)
    assert reads["session, by position"].pop("stale") == 0
    assert reads == {name: reads[name] for name in ("session, without waiting", "session, by position")}
    assert [set(figures) for figures in reads.values()] == [LATENCIES, LATENCIES]
    consul_agent.clear()

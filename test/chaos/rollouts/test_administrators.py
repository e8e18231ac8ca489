"""Administrators of a domain on Kafka and Consul: two at a time, and one whose shell is killed."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.cuttable_domain import cuttable_domain
from support.process import environment
from support.rollout_system import LONG_S, Recorder, RolloutSystem
from support.until import until

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.needs("kafka", "consul")]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RolloutSystem]:
    with cuttable_domain(tmp_path_factory.mktemp("domain")) as domain:
        yield domain.system


def change_of(system: RolloutSystem, message: str) -> int:
    """Have an administrator change the policy; return the status of the answer, 0 without one."""
    content = f'message = "{message}"\n'
    change = {"kind": "policy", "name": "newbook", "content": content}
    reply = system.ask("POST", "/cluster/rollouts", {"changes": [change], "commit": True, "wait": 30})
    return 0 if reply is None else reply.status


def test_two_administrators_at_a_time_have_one_result_everywhere(system: RolloutSystem) -> None:
    system.commit()
    with Recorder(system) as recorder, ThreadPoolExecutor(2) as administrators:
        for number in range(5):
            messages = [f"{number} of the first", f"{number} of the second"]
            both = list(administrators.map(lambda message: change_of(system, message), messages))
            # what is not known in time (202, 503, 504) is seen below
            assert all(status == 409 or not 400 <= status < 500 for status in both), both
            until(system.is_complete, "no rollout is open", LONG_S)
            until(system.agree, "all nodes serve one revision", LONG_S)
    recorder.check()


@pytest.mark.parametrize("barrier", ["commit", "prepare"])
def test_a_rollout_whose_administrator_is_killed_ends_by_itself(
    system: RolloutSystem, tmp_path: Path, barrier: str
) -> None:
    """The shell is killed between the first phase and the commit."""
    system.commit()
    before = system.status()["revision"]
    policy, loaded = tmp_path / "policy.toml", tmp_path / "loaded"
    policy.write_text(f'message = "{barrier}"\n', encoding="utf-8")
    gateway = system.fleet.gateway
    admin = shlex.join(
        [sys.executable, "-m", "bookshelf", "admin", "--node", f"http://{gateway.host}:{gateway.port}"]
    )
    apply = f"{admin} apply-policy newbook {shlex.quote(str(policy))} --barrier {barrier}"
    # once more if a node was silent: the machine may do much else
    script = f"until {apply}; do :; done; touch {shlex.quote(str(loaded))}; sleep 1000; {admin} commit"
    with Recorder(system) as recorder:
        shell = subprocess.Popen(
            ["bash", "-c", script], env=environment(), stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            until(lambda: loaded.exists() or shell.poll() is not None, "the first phase is over", LONG_S)
        finally:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
        assert loaded.exists()
        system.recover("administrator", before)
    assert system.status()["revision"] == before
    recorder.check()

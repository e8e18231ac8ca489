"""Hundreds of clients change one book of an embedded shelf, which is killed meanwhile."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from chaos.expected_state import ExpectedState
from chaos.hot_key import Findings, findings
from support.hot_load import HotLoad
from support.kafka_proxy import BackgroundLoop
from support.logfile import end_of_log
from support.program import Program
from support.reserved_ports import reserved_ports
from support.until import until

pytestmark = pytest.mark.chaos
CLIENTS = 200


def kill_after_append(up: Program) -> None:
    """Kill a shelf when the next batch is in its log: few of its commands are answered by then."""
    end = end_of_log(up.data)
    until(lambda: end_of_log(up.data) > end, "a batch is in the log")
    up.kill()


def test_changes_of_a_hot_key_survive_repeated_kills(tmp_path: Path, background_loop: BackgroundLoop) -> None:
    data = tmp_path / "data"
    [port] = reserved_ports(1)
    with ExitStack() as stack:

        def start() -> Program:
            return stack.enter_context(Program(data, "--port", str(port))).ready()

        up = start()
        book = up.client.add("hot")["id"]
        with HotLoad(background_loop, up.client, [book], "hot", CLIENTS) as load:
            load.goes_on(CLIENTS)
            for _ in range(2):
                kill_after_append(up)
                up = start()
            load.goes_on(CLIENTS)
        assert findings(ExpectedState(data), load) == Findings(0, 0, 0, 0, 0)
        assert up.stop().well

"""`make kafka` starts a real broker for a person, and leaves nothing behind."""

import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, create_subprocess_exec
from pathlib import Path

import pytest
from contract.log_contract import TOPIC, everything, write
from support.kafka_log import kafka_log
from support.process import ROOT, environment

MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.mark.needs("kafka")
async def test_make_kafka_serves_at_its_printed_address_until_interrupted(tmp_path: Path) -> None:
    env = environment({"PYTHONPATH": f"{ROOT}:{ROOT / 'test'}", "TMPDIR": str(tmp_path)})
    command = [sys.executable, "-m", "support.run_kafka"]
    assert f"PYTHONPATH=test $(BIN)/python {' '.join(command[1:])}" in MAKEFILE
    broker = await create_subprocess_exec(*command, env=env, stdin=DEVNULL, stdout=PIPE, cwd=tmp_path)
    try:
        assert broker.stdout is not None
        said = (await broker.stdout.readline()).decode()
        async with kafka_log(said.removeprefix("Kafka answers at ").partition(";")[0], TOPIC) as log:
            await write(log, "a")
            assert [record.key for record in await everything(log)] == ["a"]
        broker.send_signal(signal.SIGINT)
        assert await broker.wait() == os.EX_OK
    finally:
        if broker.returncode is None:
            broker.kill()
    assert list(tmp_path.iterdir()) == []

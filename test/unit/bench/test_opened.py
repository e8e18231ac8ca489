"""A program that a measurement needs and that fails: its own last line is the cause that is reported."""

import sys

import pytest

from bench.gateway import opened
from bench.measurement import BenchFault
from bookshelf.http.server import free_port


async def test_a_program_that_ends_before_it_listens_is_reported_with_its_last_line() -> None:
    command = [sys.executable, "-c", "import sys; print('a'); sys.exit('no module named x\\n')"]
    with pytest.raises(BenchFault, match="gateway ended with exit code 1: no module named x"):
        async with opened("gateway", command, free_port()):
            pass


async def test_a_program_that_prints_nothing_is_reported_with_its_exit_code() -> None:
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    with pytest.raises(BenchFault, match="nginx ended with exit code 3: it printed no reason"):
        async with opened("nginx", command, free_port()):
            pass

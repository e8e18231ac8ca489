"""Rates that gateways count together, on a real Redis where the machine has one."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.until import until
from support.upstream import HOST

from bookshelf.http.problem import Problem
from bookshelf.http.server import free_port
from gateway.ingress.rate_limit import ClientRateLimiter

PROGRAM = shutil.which("redis-server")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no redis-server on this machine")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    arguments = ("--port", str(port), "--bind", HOST, "--save", "", "--dir", str(tmp_path))
    log = tmp_path / "log"
    with log.open("wb") as output, subprocess.Popen([str(PROGRAM), *arguments], stdout=output) as process:
        until(lambda: b"Ready to accept connections" in log.read_bytes(), "Redis is ready")
        yield f"redis://{HOST}:{port}"
        process.terminate()


async def test_two_gateways_share_a_rate_limit(url: str) -> None:
    one, other = ClientRateLimiter("4/hour", url), ClientRateLimiter("4/hour", url)
    for rates in (one, other, one, other):
        await rates.enter("192.0.2.7")
    for rates in (one, other):
        with pytest.raises(Problem) as refused:
            await rates.enter("192.0.2.7")
        assert refused.value.kind == "too-many"
        assert int(refused.value.headers["Retry-After"]) > 1
        await rates.enter("192.0.2.8")
        await rates.close()

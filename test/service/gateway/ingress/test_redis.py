"""Rates that gateways count together, on a real Redis where the machine has one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import redis_server

from bookshelf.http.problem import Problem
from gateway.ingress.rate_limit import ClientRateLimiter

pytestmark = pytest.mark.needs("redis")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with redis_server.running(tmp_path) as url:
        yield url


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

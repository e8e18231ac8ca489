"""The counters of guesses in memory and in a real Redis."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from contract.counters_contract import CountersContract, Expire
from support import redis_server

from bookshelf.accounts.handlers.guessing import WINDOW_S, Counters, MemoryCounters, RedisCounters


class TestMemoryCounters(CountersContract):
    @pytest.fixture
    def seconds(self) -> list[float]:
        return [0.0]

    @pytest.fixture
    def counters(self, seconds: list[float]) -> Counters:
        return MemoryCounters(lambda: seconds[0])

    @pytest.fixture
    def elsewhere(self, counters: Counters) -> Counters:
        return counters

    @pytest.fixture
    def expire(self, seconds: list[float]) -> Expire:
        async def move(_key: str) -> None:
            seconds[0] += WINDOW_S

        return move


@pytest.mark.needs("redis")
class TestRedisCounters(CountersContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> Iterator[str]:
        with redis_server.running(tmp_path) as url:
            yield url

    @pytest.fixture
    async def client(self, url: str) -> AsyncIterator[Any]:
        from redis.asyncio import from_url  # noqa: PLC0415 (an extra)

        client = from_url(url)
        yield client
        await client.aclose()

    @pytest.fixture
    def counters(self, client: Any) -> Counters:  # noqa: ANN401 (the package has no types)
        return RedisCounters(client)

    @pytest.fixture
    async def elsewhere(self, url: str) -> AsyncIterator[Counters]:
        counters = RedisCounters.at(url)
        yield counters
        await counters.close()

    @pytest.fixture
    def expire(self, client: Any) -> Expire:  # noqa: ANN401 (as above)
        async def expire(key: str) -> None:
            assert 0 < await client.ttl(key) <= WINDOW_S
            assert await client.expireat(key, 1)

        return expire

    async def test_further_counts_do_not_put_off_the_end(self, counters: Counters, client: Any) -> None:  # noqa: ANN401 (as above)
        await counters.add("a", 10)
        await counters.add("a", WINDOW_S)
        assert await client.ttl("a") <= 10

"""What every adapter of the counters of guesses does."""

import asyncio
from collections.abc import Awaitable, Callable

from bookshelf.accounts.handlers.guessing import WINDOW_S, Counters

#: Lets the time of a key pass.
Expire = Callable[[str], Awaitable[None]]


class CountersContract:
    """Inherited by the tests of an adapter, which has fixtures `counters`, `elsewhere` and `expire`.

    `elsewhere` are counters of another process, or the same ones if processes share none.
    """

    async def test_counts_are_apart_and_begin_at_one(self, counters: Counters) -> None:
        assert [await counters.add("a", WINDOW_S) for _ in range(3)] == [1, 2, 3]
        assert await counters.add("b", WINDOW_S) == 1
        assert [await counters.get(key) for key in ("a", "b", "c")] == [3, 1, 0]

    async def test_a_count_is_over_at_its_time_and_begins_anew(
        self, counters: Counters, expire: Expire
    ) -> None:
        for _ in range(2):
            await counters.add("a", WINDOW_S)
        await expire("a")
        assert await counters.get("a") == 0
        assert await counters.add("a", WINDOW_S) == 1

    async def test_counts_at_the_same_time_are_all_counted(
        self, counters: Counters, elsewhere: Counters
    ) -> None:
        adding = [each.add("a", WINDOW_S) for each in (counters, elsewhere) for _ in range(25)]
        assert sorted(await asyncio.gather(*adding)) == list(range(1, 51))
        assert await elsewhere.get("a") == 50

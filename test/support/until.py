"""Waiting for a condition, under a deadline: what tests do in place of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable

_PAUSE_S = 0.01


def until(
    condition: Callable[[], object],
    what: str,
    deadline_s: float = 60.0,
    *,
    instead: Callable[[], object] = lambda: "",
) -> None:
    """Return once the condition holds.

    Raises AssertionError, naming what never came, and what `instead` returns: what was there in its place.
    """
    end = time.monotonic() + deadline_s
    while not condition():
        late = time.monotonic() >= end
        assert not late, f"it did not come to pass within {deadline_s:.0f} s that {what} {instead()}"
        time.sleep(_PAUSE_S)  # sleep: between two looks at the condition


async def eventually(condition: Callable[[], Awaitable[object]], what: str, deadline_s: float = 10.0) -> None:
    """As `until`, of a condition that has to be asked for."""
    end = time.monotonic() + deadline_s
    while not await condition():
        assert time.monotonic() < end, f"it did not come to pass within {deadline_s:.0f} s that {what}"
        await asyncio.sleep(_PAUSE_S)  # sleep: between two looks at the condition

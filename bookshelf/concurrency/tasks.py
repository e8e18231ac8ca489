"""Cancelling asyncio tasks and waiting for their end."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def cancel_and_wait(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and return once all have ended; their results and exceptions are ignored."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def first_of(works: Iterable[Coroutine[Any, Any, Any]], deadline: float) -> bool:
    """Run these until one has ended or the loop's time is `deadline`; return False at the deadline.

    The others are cancelled. Raises what the first to end has raised.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    left_s = max(0.0, deadline - asyncio.get_running_loop().time())
    try:
        done, _ = await asyncio.wait(tasks, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel_and_wait(*tasks)
    for task in done:
        task.result()
    return bool(done)

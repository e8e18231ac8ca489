"""The event loop that commands run on."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run to the end on the fastest loop that is installed."""
    factory = None
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415 (not to be had everywhere)

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)

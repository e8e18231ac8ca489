"""Where the tasks of a test were that took too long: the stack of its thread shows only the event loop."""

import asyncio
import gc
import io


def tasks() -> str:
    """Return the stack of every task that is not done; of all threads and loops."""
    told = io.StringIO()
    for one in gc.get_objects():
        if isinstance(one, asyncio.Task) and not one.done():
            one.print_stack(file=told)
    return told.getvalue()

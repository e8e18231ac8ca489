"""Measures what a domain and a policy cost each GET, beside the same shelf without a domain."""

from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import msgspec

from bench import sample_books
from bench.connection import ask
from bench.load import Load
from bench.measurement import BenchFault, Figures, Plan
from bench.memory import cpu_s
from bench.server import Server, server
from bench.wire import get, post

_BOOKS, _TURNS = 500, 5
_POLICY = 'deadline_s = 20\nrate = "1000000/second"\nbody_bytes = 100000\n'


class _Variant:
    """A shelf that is asked for books in turn with the others."""

    def __init__(self, shelf: Server, revision: int | None) -> None:
        self._shelf = shelf
        headers = {} if revision is None else {"Bookshelf_Revision": str(revision)}
        books = (sample_books.book_id(number) for number in range(_BOOKS))
        self._requests = [get(f"/books/{book}", **headers) for book in books]
        self.per_s: list[float] = []
        self.processor_us: list[float] = []

    async def turn(self, connections: int, seconds: float) -> None:
        """Ask for so many seconds."""
        load, before = Load(self._requests, 200), cpu_s(self._shelf.pid)
        self.per_s.append((await load.run(self._shelf.services["booklist"], connections, seconds))["per_s"])
        self.processor_us.append(1e6 * (cpu_s(self._shelf.pid) - before) / load.answered)


async def measure_checks(plan: Plan, folder: Path) -> Figures:
    """Return rates and processor times, and the costs in percent of those without a domain."""
    figures: Figures = {}
    async with AsyncExitStack() as stack:
        shelves = []
        for name, settings in (("off", {}), ("domain", {"CLUSTER_DOMAIN": "bench"})):
            await sample_books.fill(folder / name, _BOOKS)
            shelves.append(await stack.enter_async_context(server(folder / name, **settings)))
        off, domain = shelves
        # a shelf that is off is measured twice: the difference is that of the measurement itself
        figures |= await _compared(plan, "off, again", _Variant(off, None), _Variant(off, None))
        figures |= await _compared(plan, "domain", _Variant(off, None), _Variant(domain, 0))
        revision = await _apply_policy(domain)
        figures |= await _compared(plan, "domain and policy", _Variant(off, None), _Variant(domain, revision))
    return figures


async def _apply_policy(shelf: Server) -> int:
    """Give the service a policy; return its revision. Raises `BenchFault`."""
    change = {"kind": "policy", "name": "booklist", "content": _POLICY}
    proposal = post("/cluster/rollouts", {"changes": [change], "commit": True, "wait": 60})
    answer = msgspec.json.decode((await ask(shelf.services["rollouts"], proposal)).body)
    if answer["state"] != "committed":
        raise BenchFault(f"the policy was not committed: {answer}")
    return int(answer["revision"])


async def _compared(plan: Plan, name: str, off: _Variant, other: _Variant) -> Figures:
    for turn in range(_TURNS):
        # each comes first as often as second
        for variant in (off, other) if turn % 2 else (other, off):
            await variant.turn(plan.connections, plan.seconds / 4)
    figures = {
        "per_s": median(other.per_s),
        "processor_us": median(other.processor_us),
        "off_per_s": median(off.per_s),
        "off_processor_us": median(off.processor_us),
    }
    costs = {
        "rate_cost_percent": 100 * (1 - figures["per_s"] / figures["off_per_s"]),
        "processor_cost_percent": 100 * (figures["processor_us"] / figures["off_processor_us"] - 1),
    }
    return {f"GET, {name}": figures | costs}

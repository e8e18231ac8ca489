"""Measures whether the gateway's memory grows with the number of forwarded requests."""

from contextlib import AsyncExitStack
from pathlib import Path

from bench.gateway import load, opened, own
from bench.measurement import Figures, Measurement, Plan, Sample
from bench.memory import resident
from bench.proxies import PATH, PREFIX
from bookshelf.http.server import free_port

#: How often its memory is read during the load.
_LOOKS = 10
_FACTS = {
    "of N": "after that part of the requests: resident memory now (rss), and its maximum until then (peak)",
    "first": "after the first tenth, when one-time allocations are done",
}


async def _run(plan: Plan, _folder: Path) -> Sample:
    async with AsyncExitStack() as stack:
        upstream, port = free_port(), free_port()
        await stack.enter_async_context(opened("upstream", own("upstream", upstream, 0), upstream))
        process = await stack.enter_async_context(opened("gateway", own("gateway", port, upstream), port))
        figures = await _looked(process.pid, port, plan)
    return Sample(figures, {"requests": plan.requests, **_FACTS})


async def _looked(pid: int, port: int, plan: Plan) -> Figures:
    figures: Figures = {}
    done, seconds = 0.0, 0.0
    for look in range(1, _LOOKS + 1):
        while done < plan.requests * look / _LOOKS:
            rate = (await load(port, PREFIX + PATH, plan.connections, plan.seconds))["per_s"]
            done += rate * max(1, round(plan.seconds))
            seconds += max(1, round(plan.seconds))
        figures[f"{look} of {_LOOKS}"] = {"requests": done, **resident(pid)}
    first, last = figures[f"1 of {_LOOKS}"], figures[f"{_LOOKS} of {_LOOKS}"]
    grown = last["rss_mib"] - first["rss_mib"]
    figures["in all"] = {"requests": done, "per_s": done / seconds, "grown_mib": grown}
    return figures


SOAK = Measurement("soak", "the gateway's memory over many requests", _run, large=True)

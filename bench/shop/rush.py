"""Measures many orders at once: from the first POST until the last of them has ended in the log."""

from datetime import UTC, datetime
from pathlib import Path

from bench.memory import cpu_s
from bench.server import Server
from bench.shop.ends import Ends, end_of, rest
from bench.shop.load import Shoppers

_FINAL = "order-finalized"


async def rush(
    folder: Path, running: Server, shoppers: Shoppers, orders: int, product: str | None = None
) -> tuple[dict[str, float], int]:
    """Return the figures of so many orders, and how many of them are final.

    `per_s`: those that are final. `cpu_ms`: processor time of the whole shop for each order, until the log
    is at rest.
    """
    used_s, began, ends = cpu_s(running.pid), datetime.now(UTC), Ends(folder, await end_of(folder))
    await shoppers.rush(orders, product)
    await ends.until(orders)
    await rest(folder)
    cpu_ms = 1e3 * (cpu_s(running.pid) - used_s) / orders
    final = ends.status[_FINAL]
    per_s = final / (ends.last(_FINAL) - began).total_seconds()
    return {"per_s": per_s, "cpu_ms": cpu_ms}, final

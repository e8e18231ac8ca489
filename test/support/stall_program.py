"""`python -m support.stall_program FOLDER POINT [BROKER]`: the stall on a log, until its orders have ended.

The log is a file in the folder, or on a broker. The connector charges a card for each approved order; its
provider is a file for each key. The program kills itself -9 `before` the second append of its process or its
connector, or `after` the first; with `never` it runs on. Each run is then at most one append further than the
one before, so that every append is hit.
"""

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from support.charging import CHARGING, CHARGING_TOPICS, PORTS, paid
from support.crashing_log import CrashingLog, open_log
from support.fixed_infrastructure import CountedIds
from support.stall import ORDER, SELLING, NotePayment, OrderApproved
from support.stall_run import Stall, append, come_to_rest, placed, supplied

from bookshelf.cqrs.process import Send
from bookshelf.cqrs.view import Recorded
from bookshelf.runtime.process.connector import ConnectorHost

ORDERS = ("o1", "o2")


async def main(folder: Path, point: str, broker: str = "") -> None:
    """Run until all orders have ended and those approved are paid, or the point is reached."""

    async def charge(_event: OrderApproved, recorded: Recorded, key: str, _ports: object) -> Iterable[Send]:
        (folder / f"charge-{key}").touch()
        return [Send(ORDER, recorded.subject, NotePayment(receipt=key))]

    async with open_log(folder, CHARGING_TOPICS, broker) as opened:
        log = CrashingLog(opened, point, {SELLING.name, CHARGING.name})
        if not (folder / "begun").exists():
            await append(log, supplied("tea", 1), supplied("cup", 9))
            await append(log, *(placed(order, tea=1, cup=1) for order in ORDERS))
            (folder / "begun").touch()
        async with Stall(log) as stall:
            meters = stall.meters.process(CHARGING.name)
            connector = replace(CHARGING, calls={OrderApproved: charge})
            host = ConnectorHost(connector, log, stall.clock, CountedIds(), meters, PORTS)
            await host.start()
            found = await come_to_rest(log, len(ORDERS))
            await paid(log, *(name for name, end in found.ends.items() if end == "approved"))
            await host.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))

"""`python -m support.shop_kills POINT up ...`: the program, which kills itself -9 at an append of the shop.

`before`: before its second append to the shop's topic or to a topic of commands; `after`: after the first. So
each run is at most one append further than the one before, and every append is hit. The log is the embedded
one.
"""

import os
import signal
import sys
from collections.abc import Sequence

from bookshelf.cli.main import main
from bookshelf.log.port import Consumed, NewRecord
from bookshelf.log.sqlite.log import SqliteLog, SqliteWriter

POINTS = ("before", "after")


def crash_around_appends(point: str) -> None:
    """Be killed there."""
    assert point in POINTS, point
    append = SqliteLog.append
    done = 0

    async def crashing(
        log: SqliteLog, writer: SqliteWriter, records: Sequence[NewRecord], consumed: Consumed | None = None
    ) -> Sequence[int]:
        nonlocal done
        topics = {record.topic or writer.topic for record in records}
        counts = any(topic == "shop" or topic.endswith(".commands") for topic in topics)
        if counts and done and point == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        offsets = await append(log, writer, records, consumed)
        done += counts
        if done and point == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return offsets

    SqliteLog.append = crashing  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    crash_around_appends(sys.argv.pop(1))
    main()

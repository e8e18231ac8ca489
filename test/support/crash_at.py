"""`python -m support.crash_at POINT run SERVICE ...`: the program, which dies at a point of its views' work.

It lives until SIGUSR1; then it kills itself -9 when it next comes there: `rows`, once the checkpoint has
moved and before any row; `commit`, once both are written and neither is committed.
"""

import os
import signal
import sys
import threading
from typing import Any

from sqlalchemy import Connection, Engine, event

from bookshelf.cli.main import main

POINTS = ("rows", "commit")
_MOVED = "moved a checkpoint"


def crash_at(point: str) -> None:
    """Be killed there, once armed."""
    assert point in POINTS, point
    armed = threading.Event()
    signal.signal(signal.SIGUSR1, lambda *_: armed.set())

    def die() -> None:
        if armed.is_set():
            os.kill(os.getpid(), signal.SIGKILL)

    def executed(db: Connection, _cursor: object, statement: str, *_more: Any) -> None:  # noqa: ANN401
        if statement.startswith("UPDATE bookshelf_checkpoint"):
            db.info[_MOVED] = True
            if point == "rows":
                die()

    def commits(db: Connection) -> None:
        if db.info.pop(_MOVED, False) and point == "commit":
            die()

    event.listen(Engine, "after_cursor_execute", executed)
    event.listen(Engine, "commit", commits)


if __name__ == "__main__":
    crash_at(sys.argv.pop(1))
    main()

"""`python -m support.crash_at POINT run SERVICE ...`: the program, which dies at a point of its work.

It lives until SIGUSR1; then it kills itself -9 when it next comes there. Of a view: `rows`, once the
checkpoint has moved and before any row; `commit`, once both are written and neither is committed. Of a site:
`redirect`, once a form was carried out and before it is answered.
"""

import os
import signal
import sys
import threading
from typing import Any

from sqlalchemy import Connection, Engine, event

from bookshelf.cli.main import main
from bookshelf.http.message import Response
from bookshelf.site.page_response import PageRenderer

POINTS = ("rows", "commit")
#: The point between a form's commands and its answer.
REDIRECT = "redirect"
_MOVED = "moved a checkpoint"


def crash_at(point: str) -> None:
    """Be killed there, once armed."""
    assert point in {*POINTS, REDIRECT}, point
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

    answer = PageRenderer.redirect

    def redirect(renderer: PageRenderer, *args: Any) -> Response:  # noqa: ANN401 (as the method's)
        if point == REDIRECT:
            die()
        return answer(renderer, *args)

    PageRenderer.redirect = redirect  # type: ignore[method-assign, assignment]
    event.listen(Engine, "after_cursor_execute", executed)
    event.listen(Engine, "commit", commits)


if __name__ == "__main__":
    crash_at(sys.argv.pop(1))
    main()

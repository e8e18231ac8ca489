"""Standard output whose reader may go away, as in `bookshelf events tail | head -1`."""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def output_closed() -> bool:
    """Return whether standard output is a pipe that nothing reads any more."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)  # 0: errors are reported in any case
        return any(state & select.POLLERR for _, state in poll.poll(0))
    except (AttributeError, OSError, ValueError):  # no such thing on this system, or no file at all
        return False


@contextmanager
def closed_output_is_no_error() -> Iterator[None]:
    """End the process with exit code 0, without a message, if a write fails because the output is closed."""
    try:
        yield
        sys.stdout.flush()  # not later, when nothing could catch the fault
    except BrokenPipeError:
        if not output_closed():  # of a connection
            raise
        _discard_output()
        sys.exit(0)
    except BaseException:
        if output_closed():
            _discard_output()
        raise


def _discard_output() -> None:
    """Discard what is still buffered, so that Python does not complain about it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

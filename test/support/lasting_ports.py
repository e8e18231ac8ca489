"""Ports for who comes back to them: outside of those that the system gives to outgoing connections."""

import random
import socket
from contextlib import ExitStack

HOST = "127.0.0.1"
#: Linux gives connections ports from 32768 on (ip_local_port_range).
_RANGE = range(10_240, 32_768)


def lasting_ports(count: int) -> list[int]:
    """Return ports that nothing listens on, and that no connection takes meanwhile."""
    with ExitStack() as held:
        found: list[int] = []
        while len(found) < count:
            port = random.choice(_RANGE)  # noqa: S311 (any will do)
            try:
                held.enter_context(socket.create_server((HOST, port)))
            except OSError:
                continue
            found.append(port)
    return found

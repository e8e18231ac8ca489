"""Ports that stay free between uses: outside of the range for outgoing connections."""

import secrets
import socket
from contextlib import ExitStack

HOST = "127.0.0.1"
#: Linux gives connections ports from 32768 on (ip_local_port_range).
_RANGE = range(10_240, 32_768)


def reserved_ports(count: int) -> list[int]:
    """Return ports that nothing has, by TCP or UDP, and that no connection takes meanwhile.

    Which ones is chance, even where a test has set the seed: another process of tests asks at the same time.
    """
    with ExitStack() as held:
        found: list[int] = []
        while len(found) < count:
            port = secrets.choice(_RANGE)
            try:
                held.enter_context(socket.create_server((HOST, port)))
                held.enter_context(socket.socket(type=socket.SOCK_DGRAM)).bind((HOST, port))
            except OSError:
                continue
            found.append(port)
    return found

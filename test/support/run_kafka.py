"""`make kafka`: a real broker for a person, in the foreground."""

import os
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from support.kafka import HOST, Ports, brokers, free_ports
from support.kafka_files import LASTING, OPTIONS, REMEDY, available


def main() -> None:
    """Run one broker in the foreground, on Kafka's own port if that is free, until it is interrupted."""
    if not available():
        sys.exit(f"Kafka cannot be started here: {REMEDY}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.setdefault(OPTIONS, LASTING)  # it is worked with, and not only started
    ports = _usual_ports()
    with (
        suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="bookshelf-kafka-") as folder,
        brokers(Path(folder), ports=ports) as [broker],
    ):
        sys.stdout.write(f"Kafka answers at {broker.address}; Ctrl-C ends it and throws its records away\n")
        sys.stdout.flush()
        signal.pause()


def _usual_ports() -> Ports | None:
    try:
        with socket.create_server((HOST, 9092)):
            return [9092, *free_ports(2)]
    except OSError:
        return None


if __name__ == "__main__":
    main()

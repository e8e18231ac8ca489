"""Fetches what tests need and no package of Python has, and sees that it starts."""

import sys
import tempfile
from pathlib import Path

from support import consul, consul_program, kafka, kafka_files


def main() -> None:
    """Fetch and try Consul and Kafka; end with what to do where one of them cannot be had."""
    if consul_program.program() is None:
        sys.exit(f"Consul cannot be had: {consul_program.REMEDY}")
    with consul.running():
        pass
    if not kafka_files.available():
        sys.exit(f"Kafka cannot be had: {kafka_files.REMEDY}")
    with tempfile.TemporaryDirectory(prefix="bookshelf-kafka-") as folder, kafka.brokers(Path(folder)):
        pass


if __name__ == "__main__":
    main()

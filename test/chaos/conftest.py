"""What fault tests share on any log."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from support.kafka_proxy import BackgroundLoop


@pytest.fixture
def background_loop() -> Iterator[BackgroundLoop]:
    """An event loop in a thread, for clients that go on while a test waits."""
    with closing(BackgroundLoop()) as running:
        yield running

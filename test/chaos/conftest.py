"""What fault tests share on any log."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from support.wire import Backstage


@pytest.fixture
def backstage() -> Iterator[Backstage]:
    """An event loop in a thread, for clients that go on while a test waits."""
    with closing(Backstage()) as running:
        yield running

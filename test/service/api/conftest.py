from collections.abc import AsyncIterator

import pytest
from support.shelf import Shelf


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with Shelf() as shelf:
        yield shelf

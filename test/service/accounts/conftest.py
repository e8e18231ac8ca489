"""The service users for each test."""

from collections.abc import AsyncIterator

import pytest
from support.users import Users


@pytest.fixture
async def users() -> AsyncIterator[Users]:
    async with Users() as users:
        yield users

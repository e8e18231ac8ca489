"""Fixtures of storages that are opened at the address of the fixture `url`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

import pytest


class Closable(Protocol):
    """A storage, while it is open."""

    async def close(self) -> None:
        """Close it."""


_Kind = TypeVar("_Kind", bound=Closable)


def opened(open_storage: Callable[[str], Awaitable[_Kind]]) -> Callable[[str], AsyncIterator[_Kind]]:
    """Return a fixture: a storage that is open during a test."""

    @pytest.fixture
    async def storage(url: str) -> AsyncIterator[_Kind]:
        made = await open_storage(url)
        yield made
        await made.close()

    return storage

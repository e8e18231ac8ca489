from collections.abc import AsyncIterator

import pytest
from contract.read_contract import ReadContract
from contract.storage_contract import StorageContract

from bookshelf.storage.sqlite import MemoryStorage


@pytest.fixture
async def storage() -> AsyncIterator[MemoryStorage]:
    made = MemoryStorage()
    yield made
    await made.close()


class TestMemoryStorage(StorageContract):
    """Table sets that are gone with the process."""


class TestMemoryReads(ReadContract):
    """Many reads at once."""

import pytest
from contract.append_contract import AppendContract
from contract.group_contract import GroupContract
from contract.log_contract import PARTITIONS, LogContract, keys, write

from bookshelf.log.memory import MemoryLog


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(PARTITIONS)


class TestMemoryLog(LogContract):
    """Records, writers and tails."""


class TestMemoryAppends(AppendContract):
    """Replies, and what was consumed."""


class TestMemoryGroups(GroupContract):
    """Groups."""


async def test_another_system_may_open_the_same_log_after_a_close(log: MemoryLog) -> None:
    await write(log, "a")
    await log.close()
    assert await keys(log, 1) == ["a"]

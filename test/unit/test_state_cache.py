"""How much of a service's states is kept in memory."""

import pytest

from bookshelf.config import Settings


@pytest.mark.parametrize(("partitions", "share"), [(1, 20_000), (8, 2_500), (1000, 100)])
def test_partitions_share_the_cache(partitions: int, share: int) -> None:
    assert Settings(state_cache=20_000).cached(partitions) == share

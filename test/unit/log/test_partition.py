"""Keys go where Kafka's own clients put them: known answers from org.apache.kafka.common.utils.UtilsTest."""

from collections import Counter
from uuid import UUID, uuid5

import pytest

from bookshelf.log.port import murmur2, partition_of


@pytest.mark.parametrize(
    ("data", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_equals_kafka_s(data: bytes, signed: int) -> None:
    assert murmur2(data) == signed & 0xFFFFFFFF


def test_the_sign_bit_is_cleared_before_the_division() -> None:
    assert partition_of("21", 8) == (-973932308 & 0x7FFFFFFF) % 8
    assert partition_of("foobar", 5) == (-790332482 & 0x7FFFFFFF) % 5


@pytest.mark.parametrize("key", ["", "a", "ключ", "🦊" * 50])
def test_every_key_has_its_partition(key: str) -> None:
    assert partition_of(key, 1) == 0
    assert {partition_of(key, 8) for _ in range(3)} <= set(range(8))
    assert len({partition_of(key, 8) for _ in range(3)}) == 1


def test_ids_spread_evenly() -> None:
    spread = Counter(partition_of(str(uuid5(UUID(int=0), str(n))), 8) for n in range(8000))
    assert sorted(spread) == list(range(8))
    assert max(spread.values()) < 1.2 * min(spread.values())

"""New names: UUID version 7, newer ones later."""

from datetime import UTC, datetime
from uuid import RFC_4122, UUID

from bookshelf.runtime.clock import SystemClock, SystemIds


class Fixed:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    async def until(self, when: datetime) -> None:
        """Be there already."""


def test_a_name_is_a_uuid_of_version_7() -> None:
    name = SystemIds(SystemClock()).new()
    assert str(UUID(name)) == name
    assert (UUID(name).version, UUID(name).variant) == (7, RFC_4122)


def test_a_name_begins_with_its_millisecond() -> None:
    ids = SystemIds(Fixed())
    assert UUID(ids.new()).int >> 80 == int(Fixed().now().timestamp() * 1000)


def test_names_differ_far_beyond_what_is_fetched_at_once() -> None:
    ids = SystemIds(Fixed())
    assert len({ids.new() for _ in range(2000)}) == 2000


def test_the_same_randomness_gives_the_same_names() -> None:
    one, two = (SystemIds(Fixed(), lambda count: bytes(n % 256 for n in range(count))) for _ in range(2))
    assert [one.new() for _ in range(600)] == [two.new() for _ in range(600)]

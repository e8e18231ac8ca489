"""New names: UUID version 7, newer ones later."""

from datetime import UTC, datetime
from uuid import RFC_4122, UUID

from bookshelf.runtime.clock import SystemClock, SystemIds


class Fixed:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    async def until(self, when: datetime) -> None:
        """Be there already."""


def test_an_id_is_a_uuid_of_version_7() -> None:
    name = SystemIds(SystemClock()).new()
    assert str(UUID(name)) == name
    assert (UUID(name).version, UUID(name).variant) == (7, RFC_4122)


def test_an_id_begins_with_its_millisecond() -> None:
    ids = SystemIds(Fixed())
    assert UUID(ids.new()).int >> 80 == int(Fixed().now().timestamp() * 1000)


def test_ids_differ_beyond_one_block_of_randomness() -> None:
    ids = SystemIds(Fixed())
    assert len({ids.new() for _ in range(2000)}) == 2000


def test_the_same_randomness_gives_the_same_ids() -> None:
    one, two = (SystemIds(Fixed(), lambda count: bytes(n % 256 for n in range(count))) for _ in range(2))
    assert [one.new() for _ in range(600)] == [two.new() for _ in range(600)]


def test_a_command_id_is_unused_exactly_once() -> None:
    ids = SystemIds(Fixed())
    made = ids.new_command()
    assert [ids.is_first_use(made) for _ in range(3)] == [True, False, False]


def test_a_command_id_of_another_process_counts_as_used() -> None:
    ids, restarted = SystemIds(Fixed()), SystemIds(Fixed())
    assert not restarted.is_first_use(ids.new_command())
    assert not ids.is_first_use(ids.new())


def test_command_ids_that_are_never_used_are_forgotten_from_the_oldest_on() -> None:
    ids = SystemIds(Fixed())
    made = [ids.new_command() for _ in range(5000)]
    assert ids.is_first_use(made[-1])
    assert not ids.is_first_use(made[0])

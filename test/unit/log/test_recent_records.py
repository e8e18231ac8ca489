"""The recent records of a log are bounded in bytes and number, over all its partitions."""

from bookshelf.log.in_process import READ_BYTES, RecentRecords, Window
from bookshelf.log.port import Record

KIB = 1 << 10


def some(recent: RecentRecords, count: int, size: int) -> list[Record]:
    return [Record("shelf", 0, n, "a", b"x" * size) for n in range(recent.end, recent.end + count)]


def held(recent: RecentRecords) -> int:
    return next(recent.end - n for n in range(recent.end + 1) if recent.read(n, 1) is not None)


def test_the_oldest_records_leave_a_window_that_reached_its_bytes() -> None:
    window = Window(100 * KIB, 1000)
    quiet, busy = RecentRecords(0, window), RecentRecords(0, window)
    quiet.publish(some(quiet, 10, KIB))
    for _ in range(200):
        busy.publish(some(busy, 1, KIB))
    assert (held(quiet), quiet.end, busy.end) == (0, 10, 200)
    assert 50 < held(busy) < 100
    assert quiet.read(9, 1) is None
    assert quiet.read(10, 1) == []


def test_a_batch_larger_than_the_window_is_not_held() -> None:
    recent = RecentRecords(7, Window(10 * KIB, 1000))
    recent.publish(some(recent, 20, KIB))
    assert (recent.end, held(recent)) == (27, 0)
    recent.publish(some(recent, 1, KIB))
    assert [record.offset for record in recent.read(27, 5) or ()] == [27]


def test_small_records_are_bounded_by_number() -> None:
    recent = RecentRecords(0, Window(1 << 30, 100))
    for _ in range(1000):
        recent.publish(some(recent, 1, 0))
    assert 50 < held(recent) <= 100


def test_without_a_window_all_records_are_held() -> None:
    recent = RecentRecords()
    recent.publish(some(recent, 3000, 10))
    assert held(recent) == 3000


def test_a_read_ends_with_the_record_that_reaches_the_bound() -> None:
    recent = RecentRecords()
    recent.publish(some(recent, 10, READ_BYTES // 2))
    assert len(recent.read(0, 500) or ()) == 2
    recent.publish([Record("shelf", 0, 10, "a", b"x" * 2 * READ_BYTES)])
    assert len(recent.read(10, 500) or ()) == 1

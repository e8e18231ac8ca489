"""A reader's lag, in records and in seconds since the look that first saw what it has not read."""

from bookshelf.runtime.gauges import LagClock


def test_a_reader_at_the_end_has_no_lag() -> None:
    clock = LagClock()
    clock.look(0, 0.0)
    assert clock.lag(0, 100.0) == (0, 0.0)
    clock.look(5, 100.0)
    assert clock.lag(5, 200.0) == (0, 0.0)


def test_the_age_of_a_record_counts_from_the_first_poll_that_saw_it() -> None:
    clock = LagClock()
    for now, end in ((0.0, 10), (15.0, 12), (30.0, 12), (45.0, 20)):
        clock.look(end, now)
    assert clock.lag(10, 45.0) == (10, 30.0)
    assert clock.lag(12, 45.0) == (8, 0.0)
    assert clock.lag(11, 60.0) == (9, 45.0)


def test_the_lag_of_a_log_that_was_set_back_is_measured_again() -> None:
    clock = LagClock()
    clock.look(10, 0.0)
    clock.look(3, 15.0)
    assert clock.lag(2, 20.0) == (1, 5.0)
    assert clock.lag(10, 20.0) == (0, 0.0)

"""How long a view pauses after a batch: longer on a busy machine, and never while it is far behind."""

from bookshelf.runtime.view.generation import pause_s


def test_the_pause_is_four_times_as_long_as_the_batch_took_and_has_a_limit() -> None:
    assert [pause_s(1, 0.002), pause_s(100, 0.05), pause_s(499, 30)] == [0.008, 0.2, 0.25]


def test_a_full_batch_is_followed_by_the_next_one_at_once() -> None:
    assert pause_s(500, 1.0) == 0.0

"""Which measurements are made."""

from bench.measurement import Plan
from bench.run import MEASUREMENTS, chosen


def names(*wanted: str, everything: bool = False) -> list[str]:
    return [one.name for one in chosen(wanted, everything=everything)]


def test_without_a_name_all_but_the_large_measurements_run() -> None:
    assert names() == ["posts", "gets", "commands", "log", "visible", "start"]


def test_the_option_all_runs_all_measurements() -> None:
    assert names(everything=True) == [one.name for one in MEASUREMENTS]


def test_a_large_measurement_runs_by_its_name() -> None:
    assert names("memory", "posts") == ["posts", "memory"]


def test_a_measurement_has_its_own_number_of_books_unless_one_is_given() -> None:
    assert (Plan().count(1000), Plan(books=20).count(1000)) == (1000, 20)

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookshelf.shelf.library_files.dates import Span, is_ambiguous, month_of, order_proofs, read_dates
from bookshelf.shelf.library_files.format import Cell
from bookshelf.shelf.library_files.program_formats import GOODREADS
from bookshelf.shelf.library_files.setting import Options, Setting, Survey

DAYS = st.dates(min_value=date(1900, 1, 1), max_value=date(2068, 12, 31))


def ends(text: str, *, day_first: bool = False) -> list[str | None]:
    dates = read_dates(text, day_first=day_first)
    return [span.ended for span in dates.spans] if dates else []


@pytest.mark.parametrize(
    "text",
    [
        "2024/03/01",
        "2024-03-01",
        "2024-3-1",
        "2024.03.01",
        "2024-03-01T23:59:59+02:00",
        "2024-03-01T23:30:00-08:00",
        "2024-03-01 10:00",
        "2024-03-01T10:00:00.123",
        "Mar 01, 2024",
        "March 1st, 2024",
        "1 March 2024",
        "01-Mar-2024",
        "1. März 2024",
        "1 mars 2024",
        "1er mars 2024",
        "1 de marzo de 2024",
        "1 de març del 2024",
        "1 marca 2024",
        "1 марта 2024 г.",
        "1 मार्च 2024",
        "1 มีนาคม 2024",
        "1 במרץ 2024",
        "2024年3月1日",
        "2024년 3월 1일",
        "1 tháng 3, 2024",
        "٢٠٢٤-٠٣-٠١",
        "01.03.2024",
        "1. 3. 2024",
        "1.3.24",
        "20240301",
        "45352",
        "45352.75",
        "1709251200",
        "1709251200000",
        "Fri, 1 Mar 2024 10:00:00 +0000",
        "Fri Mar 01 10:00:00 CET 2024",
        "2024 March 1",
        "finished on 2024-03-01",
    ],
)
def test_a_day_is_understood_as_it_is_usually_written(text: str) -> None:
    assert ends(text) == ["2024-03-01"]


@pytest.mark.parametrize(
    ("text", "partial"),
    [
        ("2024", "2024"),
        ("2024-03", "2024-03"),
        ("2024/03", "2024-03"),
        ("03/2024", "2024-03"),
        ("March 2024", "2024-03"),
        ("Januar 2024", "2024-01"),
        ("Jul-18", "2018-07"),
        ("Feb '19", "2019-02"),
        ("2024年3月", "2024-03"),
        ("2024年", "2024"),
    ],
)
def test_a_month_and_a_year_are_kept_as_such(text: str, partial: str) -> None:
    assert ends(text) == [partial]


def test_more_text_beside_a_year_is_reported() -> None:
    dates = read_dates("summer 2016", day_first=True)
    assert dates
    assert (dates.spans, dates.loose) == ((Span(None, "2016"),), True)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("2022/10/29-2022/11/28, 2021/09/14", [("2022-10-29", "2022-11-28"), (None, "2021-09-14")]),
        ("2024-01-02 - 2024-01-05", [("2024-01-02", "2024-01-05")]),
        ("2024-01-02 to 2024-01-05", [("2024-01-02", "2024-01-05")]),
        ("2. Mai 2024 bis 5. Mai 2024", [("2024-05-02", "2024-05-05")]),
        ("2024-01-02/2024-01-05", [("2024-01-02", "2024-01-05")]),
        ("2024-01-02..", [("2024-01-02", None)]),
        ("2021-05/2021-06", [("2021-05", "2021-06")]),
        (
            "2019-01-02; 2023-04-05\n2020-06-07",
            [(None, "2019-01-02"), (None, "2023-04-05"), (None, "2020-06-07")],
        ),
    ],
)
def test_ranges_and_lists_in_one_cell_are_spans(
    text: str, spans: list[tuple[str | None, str | None]]
) -> None:
    dates = read_dates(text, day_first=True)
    assert dates
    assert [tuple(span) for span in dates.spans] == spans


@pytest.mark.parametrize(("day_first", "day"), [(True, "2024-03-01"), (False, "2024-01-03")])
def test_two_small_numbers_are_read_as_the_file_decides(*, day_first: bool, day: str) -> None:
    dates = read_dates("01/03/2024 0:00", day_first=day_first)
    assert dates
    assert (dates.spans[0].ended, dates.assumed) == (day, True)


@pytest.mark.parametrize("text", ["31/12/2024", "12/31/2024", "12-31-24"])
def test_a_number_past_twelve_is_the_day_whatever_the_file_decides(text: str) -> None:
    assert ends(text, day_first=True) == ends(text, day_first=False) == ["2024-12-31"]


@pytest.mark.parametrize(
    "text", ["last summer", "2024-02-30", "30/30/2024", "Foo 1, 2024", "########", "", "12", "2024-13-01"]
)
def test_text_without_a_date_of_the_calendar_has_none(text: str) -> None:
    assert read_dates(text, day_first=False) is None


@given(
    DAYS,
    st.sampled_from(
        ["%Y-%m-%d", "%d.%m.%Y", "%d %B %Y", "%B %d, %Y", "%Y%m%d", "%d-%b-%Y", "%a %b %d %H:%M:%S %Y"]
    ),
)
def test_every_day_is_read_from_each_spelling(day: date, spelling: str) -> None:
    assert ends(day.strftime(spelling)) == [day.isoformat()]


@given(st.dates(min_value=date(1954, 10, 3), max_value=date(2064, 4, 8)))
def test_a_day_number_of_a_spreadsheet_is_its_day(day: date) -> None:
    assert ends(str((day - date(1899, 12, 30)).days)) == [day.isoformat()]


@given(st.lists(st.tuples(DAYS, st.integers(0, 400)), min_size=1, max_size=4))
def test_ranges_come_back_as_they_were_written(ranges: list[tuple[date, int]]) -> None:
    spans = [(start, start + timedelta(days=days)) for start, days in ranges]
    text = ", ".join(f"{start:%Y/%m/%d}-{end:%Y/%m/%d}" for start, end in spans)
    dates = read_dates(text, day_first=True)
    assert dates
    assert [tuple(span) for span in dates.spans] == [(f"{start}", f"{end}") for start, end in spans]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("août", 8),
        ("aout", 8),
        ("MARS", 3),
        ("Dezember", 12),
        ("maja", 5),
        ("sierpnia", 8),
        ("svibnja", 5),
        ("syyskuuta", 9),
        ("lokakuu", 10),
        ("ağustos", 8),
        ("Οκτωβρίου", 10),
        ("жовтня", 10),
        ("listopad", 11),
        ("d'octubre", 10),
        ("de enero", 1),
        ("vendredi 1", None),
        ("summer", None),
    ],
)
def test_months_are_known_by_name_in_many_languages(name: str, number: int | None) -> None:
    assert month_of(name) == number


def surveyed(*texts: str, delimiter: str = ",", day_first: bool | None = None) -> Setting:
    survey = Survey(GOODREADS, {"Date Read": "finished"})
    for text in texts:
        survey.add({"finished": [Cell("Date Read", text)]})
    return survey.setting(Options(today=date(2024, 12, 31), day_first=day_first), delimiter)


def test_most_dates_of_a_file_decide_and_dots_do_not_count() -> None:
    found = surveyed("25/12/2023", "31.12.2023", "13/01/2024", "01/13/2024")
    assert (found.rows, found.day_first, found.sure) == (4, True, True)


def test_iso_dates_decide_nothing() -> None:
    found = surveyed("2023-12-25", "01/02/2024")
    assert (found.sure, found.asked, found.day_first) == (False, True, False)
    assert surveyed("01/02/2024", delimiter=";").day_first


def test_the_user_decides_before_the_file() -> None:
    found = surveyed("01/13/2024", "01/02/2024", day_first=True)
    assert (found.day_first, found.sure) == (True, True)


def test_only_two_small_numbers_are_ambiguous() -> None:
    assert [is_ambiguous(text) for text in ("01/02/2024", "2024-01-02", "01/13/2024", "02/02/2024")] == [
        True,
        False,
        False,
        False,
    ]
    assert list(order_proofs("01/13/2024, 13/01/2024, 01/02/2024")) == [False, True]

"""The cookie with which a browser reads what it wrote."""

import pytest
from multidict import CIMultiDict

from gateway import positions


def taken(*cookies: str) -> tuple[positions.Positions, list[str]]:
    headers = CIMultiDict([("Cookie", cookie) for cookie in cookies])
    found = positions.taken(headers)
    return found, headers.getall("Cookie", [])


def test_what_was_written_is_kept_for_a_minute_from_scripts_and_from_other_sites() -> None:
    assert positions.cookie("bookshelf/0@42", {}, "/bookshelf") == (
        "bookshelf-after=bookshelf/0@42; Path=/bookshelf; Max-Age=60; HttpOnly; SameSite=Lax"
    )


def test_several_positions_go_into_one_cookie_and_come_out_again() -> None:
    value = positions.cookie("a/0@1, b.c/12@3", {}, "/").partition(";")[0]
    assert taken(value) == ({"a/0": 1, "b.c/12": 3}, [])


def test_the_highest_offset_of_a_partition_wins() -> None:
    before = {"bookshelf/0": 50, "bookshelf/1": 2}
    value = positions.cookie("bookshelf/0@42,bookshelf/1@7", before, "/").partition(";")[0]
    assert taken(value)[0] == {"bookshelf/0": 50, "bookshelf/1": 7}


def test_other_cookies_are_passed_on_as_they_came() -> None:
    assert taken('a=1;b="x, y";  bookshelf-after=t/0@1; c=d==')[1] == ['a=1;b="x, y"; c=d==']
    assert taken("bookshelf-after=t/0@1; a=1")[1] == ["a=1"]
    assert taken("a=1", "bookshelf-after=t/0@1", "b=2")[1] == ["a=1", "b=2"]
    assert taken("a=bookshelf-after")[1] == ["a=bookshelf-after"]


def test_a_cookie_with_a_name_like_ours_is_not_ours() -> None:
    assert taken("not-bookshelf-after=t/0@1; bookshelf-after2=t/0@1") == (
        {},
        ["not-bookshelf-after=t/0@1; bookshelf-after2=t/0@1"],
    )


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "|||",
        "bookshelf/0",
        "bookshelf/0@-1",
        "bookshelf/0@1e9",
        "BOOK/0@1",
        "../0@1",
        "t/0@" + "9" * 19,
        "t/0@\u0663",
        "t/0@1,evil: 1",
        "t/0@1\tx",
        "a" * 9000 + "/0@1",
    ],
)
def test_a_value_that_is_no_position_says_nothing(value: str) -> None:
    assert taken(f"bookshelf-after={value}; a=1") == ({}, ["a=1"])


def test_what_is_right_beside_what_is_wrong_still_counts() -> None:
    assert taken("bookshelf-after=x|t/0@1|y; bookshelf-after=u/0@2")[0] == {"t/0": 1, "u/0": 2}


def test_there_are_sixteen_positions_at_the_most_and_the_newest_are_among_them() -> None:
    value = "|".join(f"t/{partition}@1" for partition in range(40))
    before = taken(f"bookshelf-after={value}")[0]
    assert len(before) == 16
    after = taken(positions.cookie("new/0@1", before, "/").partition(";")[0])[0]
    assert len(after) == 16
    assert after["new/0"] == 1


def test_a_query_waits_for_the_positions_unless_it_names_its_own() -> None:
    headers = CIMultiDict[str]()
    positions.ask(headers, {"t/0": 1, "u/3": 2})
    assert headers["Bookshelf-After"] == "t/0@1, u/3@2"
    positions.ask(headers, {"t/0": 9})
    assert headers["Bookshelf-After"] == "t/0@1, u/3@2"


def test_a_query_without_positions_waits_for_nothing() -> None:
    headers = CIMultiDict[str]()
    positions.ask(headers, {})
    assert "Bookshelf-After" not in headers

"""The cookies with which a browser reads what it wrote."""

import pytest
from multidict import CIMultiDict

from gateway import read_your_writes
from gateway.read_your_writes import Written


def taken(*cookies: str) -> tuple[read_your_writes.Positions, list[str]]:
    headers = CIMultiDict([("Cookie", cookie) for cookie in cookies])
    found = read_your_writes.taken(headers)
    return found, headers.getall("Cookie", [])


def test_position_cookies_last_a_minute_and_are_http_only_and_same_site() -> None:
    assert read_your_writes.cookies("bookshelf/0@42", {}, 1700000000) == [
        "bookshelf-after-bookshelf-0=42.1700000000; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"
    ]


def kept(jar: dict[str, str], answered: str, second: int) -> None:
    """Have a browser that sent its cookies keep those of the answer."""
    known = taken("; ".join(f"{name}={value}" for name, value in jar.items()))[0]
    for cookie in read_your_writes.cookies(answered, known, second):
        name, _, value = cookie.partition(";")[0].partition("=")
        if "Max-Age=0" in cookie:
            del jar[name]
        else:
            jar[name] = value


def sent(jar: dict[str, str]) -> dict[str, int]:
    found, _ = taken("; ".join(f"{name}={value}" for name, value in jar.items()))
    return {place: written.offset for place, written in found.items()}


def test_each_partition_has_its_own_cookie() -> None:
    jar: dict[str, str] = {}
    kept(jar, "a/0@1, b.c-d/12@3", 5)
    assert list(jar) == ["bookshelf-after-a-0", "bookshelf-after-b.c-d-12"]
    assert sent(jar) == {"a/0": 1, "b.c-d/12": 3}


def test_answers_of_parallel_requests_do_not_overwrite_each_other_s_positions() -> None:
    jar: dict[str, str] = {}
    for answered in ("t/0@7", "t/1@3", "u/0@9"):  # none of the requests carried a cookie
        for cookie in read_your_writes.cookies(answered, {}, 5):
            name, _, value = cookie.partition(";")[0].partition("=")
            jar[name] = value
    assert sent(jar) == {"t/0": 7, "t/1": 3, "u/0": 9}


def test_the_highest_offset_of_a_partition_wins() -> None:
    jar: dict[str, str] = {}
    for answered in ("t/0@50, t/1@2", "t/0@42,t/1@7"):
        kept(jar, answered, 5)
    assert sent(jar) == {"t/0": 50, "t/1": 7}


def test_the_oldest_beyond_32_are_dropped() -> None:
    jar: dict[str, str] = {}
    for partition in range(40):
        kept(jar, f"t/{partition}@1", 100 + partition)
    kept(jar, "t/8@2", 200)
    assert sorted(sent(jar), key=lambda place: int(place[2:])) == [f"t/{number}" for number in range(8, 40)]
    kept(jar, "u/0@1", 201)
    assert "t/9" not in sent(jar)
    assert sent(jar)["t/8"] == 2


def test_only_the_newest_32_cookie_positions_are_used() -> None:
    cookies = "; ".join(f"bookshelf-after-t-{number}=1.{number}" for number in range(500))
    headers = CIMultiDict[str]()
    read_your_writes.ask(headers, taken(cookies)[0])
    assert headers["Bookshelf-After"] == ", ".join(f"t/{number}@1" for number in range(499, 467, -1))


def test_a_response_sets_at_most_32_cookies() -> None:
    answered = ",".join(f"t/{number}@1" for number in range(100))
    assert len(read_your_writes.cookies(answered, {}, 5)) == 32


def test_the_single_cookie_of_a_former_version_is_still_read() -> None:
    found, rest = taken("a=1; bookshelf-after=t/0@1|u/3@2|nonsense; bookshelf-after-t-0=5.9")
    assert found == {"t/0": (5, 9), "u/3": (2, 0)}
    assert rest == ["a=1"]


def test_other_cookies_are_forwarded_unchanged() -> None:
    assert taken('a=1;b="x, y";  bookshelf-after=t/0@1; c=d==')[1] == ['a=1;b="x, y"; c=d==']
    assert taken("bookshelf-after=t/0@1; a=1")[1] == ["a=1"]
    assert taken("a=1", "bookshelf-after=t/0@1", "b=2")[1] == ["a=1", "b=2"]
    assert taken("a=bookshelf-after")[1] == ["a=bookshelf-after"]


def test_a_cookie_with_a_similar_name_is_ignored() -> None:
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
def test_an_invalid_position_is_ignored(value: str) -> None:
    assert taken(f"bookshelf-after={value}; a=1") == ({}, ["a=1"])


@pytest.mark.parametrize("value", ["", "x", "1", "1.", ".1", "-1.1", "1e9.1", "9" * 19 + ".1", "1.1,t/0@2"])
def test_a_cookie_with_an_invalid_offset_is_ignored(value: str) -> None:
    assert taken(f"bookshelf-after-t-0={value}; a=1") == ({}, ["a=1"])


def test_positions_of_the_request_and_of_its_cookies_are_merged() -> None:
    headers = CIMultiDict([("Bookshelf-After", "t/0@9,u/0@1"), ("bookshelf-after", "v/0@3")])
    read_your_writes.ask(headers, {"t/0": Written(7, 1), "u/0": Written(2, 2), "w/1": Written(4, 3)})
    assert headers.getall("Bookshelf-After") == ["t/0@9, u/0@2, v/0@3, w/1@4"]


@pytest.mark.parametrize("given", ["nonsense", ",", "t/0@1, x", ", ".join(f"t/{n}@1" for n in range(65))])
def test_an_invalid_bookshelf_after_header_is_forwarded_unchanged(given: str) -> None:
    headers = CIMultiDict([("Bookshelf-After", given)])
    read_your_writes.ask(headers, {"u/0": Written(1, 1)})
    assert headers.getall("Bookshelf-After") == [given]


def test_at_most_as_many_positions_as_a_service_accepts_are_sent() -> None:
    given = ", ".join(f"t/{number}@1" for number in range(63))
    headers = CIMultiDict([("Bookshelf-After", given)])
    read_your_writes.ask(headers, {f"u/{number}": Written(1, number) for number in range(9)})
    assert headers["Bookshelf-After"] == f"{given}, u/8@1"


def test_without_positions_no_header_is_added() -> None:
    headers = CIMultiDict[str]()
    read_your_writes.ask(headers, {})
    assert "Bookshelf-After" not in headers

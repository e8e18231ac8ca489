"""The pure parts of the frame: preferences, assets, filters, charts, the stream of changes."""

import asyncio
import gzip
import hashlib
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest

from bookshelf.http.message import Request, Response, request
from bookshelf.http.problem import Problem
from bookshelf.site.assets import Assets
from bookshelf.site.charts import LEVELS, bars, heat_map, line, nice_step
from bookshelf.site.error_pages import address_words
from bookshelf.site.live import LiveStreams, message, read_events
from bookshelf.site.page_request import safe_address
from bookshelf.site.preferences import (
    Choice,
    Notice,
    Preferences,
    accepted_language,
    read_notice,
    read_preferences,
)
from bookshelf.site.templates import FRAME, LOCALES, Formats, Templates, star_text

VIEW = {"view": Choice("View", (("covers", "Covers"), ("list", "List")))}


def test_preferences_survive_their_cookie() -> None:
    chosen = Preferences(theme="dark", language="de", zone="Europe/Berlin", keys="off", more={"view": "list"})
    value = chosen.cookie().partition(";")[0].partition("=")[2]
    assert read_preferences({"bookshelf-prefs": value}, VIEW) == chosen


@pytest.mark.parametrize(
    "value", ["theme=%22%3E&zone=../etc/passwd&language=xx&view=%00", "%%%", "theme", "=&="]
)
def test_a_value_that_is_not_allowed_becomes_the_default(value: str) -> None:
    assert read_preferences({"bookshelf-prefs": value}, VIEW) == Preferences(more={"view": "covers"})


@pytest.mark.parametrize(
    ("value", "notice"),
    [
        ("saved/c-1", Notice("saved", "c-1")),
        ("saved", Notice("saved")),
        ('saved/"><script>', Notice("saved")),
        ("other/c-1", None),
        ("", None),
    ],
)
def test_a_notice_is_checked(value: str, notice: Notice | None) -> None:
    assert read_notice({"bookshelf-notice": value}, {"saved": "Saved."}) == notice


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr, en;q=0.5, de;q=0.7", "de"),
        ("fr", "en"),
        ("de;q=x", "en"),
    ],
)
def test_the_language_is_the_first_of_ours_that_the_browser_accepts(header: str, language: str) -> None:
    assert accepted_language(header) == language


@pytest.mark.parametrize(
    "text", ["//evil.example", "https://evil.example", "/\\evil", "/a\nb", "", "/" + "a" * 3000]
)
def test_an_address_of_another_host_is_not_safe(text: str) -> None:
    assert safe_address(text) == ""


def test_an_own_address_is_safe() -> None:
    assert safe_address("/books?q=dune") == "/books?q=dune"


def test_a_file_is_served_under_its_digest_only() -> None:
    assets = Assets([FRAME], "/shop")
    digest, name = assets.address("icons.svg").removeprefix("/shop/static/").split("/")
    answer = assets.respond(request("GET", "/", Accept_Encoding="gzip"), digest, name)
    assert answer is not None
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert isinstance(answer.body, bytes)
    assert gzip.decompress(answer.body) == assets.content("icons.svg")
    assert assets.respond(request("GET", "/"), "0" * 12, name) is None
    assert assets.respond(request("GET", "/"), digest, "other.svg") is None


def test_a_style_sheet_names_fonts_by_their_digest() -> None:
    assets = Assets([FRAME])
    font = assets.address("literata-latin.woff2").removeprefix("/static/")
    assert f"url(../{font})" in assets.content("site.css").decode()


def test_a_colour_of_shadows_is_made_of_its_parts() -> None:
    styles = Assets([FRAME, "bookshelf.covers", "bookshelf.shelf.pages"]).content("site.css").decode()
    assert re.findall(r"(?<!rgb\()var\(--shade\)", styles) == []


def test_joined_files_have_no_spaces_that_separate_nothing() -> None:
    assets = Assets([FRAME])
    assert b"--r1:4px;--r2:10px" in assets.content("site.css")
    assert b"calc(100% + var(--s1))" in assets.content("site.css")
    script = assets.content("site.js").decode()
    assert "const one=(query,part=document)=>part.querySelector(query);const all=" in script
    assert 'names.split(" ")' in script
    assert "return location.assign(" in script


def test_the_vendored_script_is_the_published_one() -> None:
    content = (files(FRAME) / "static" / "vendor" / "htmx.min.js").read_bytes()
    assert (
        hashlib.sha256(content).hexdigest()
        == "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
    )


@pytest.mark.parametrize(
    ("name", "value", "english", "german"),
    [
        ("day", "2025-03-14", "14 March 2025", "14. März 2025"),
        ("day", "2025-03", "March 2025", "März 2025"),
        ("day", "2025", "2025", "2025"),
        ("day", None, "", ""),
        ("day", "some day", "some day", "some day"),
        ("short_day", date(2025, 3, 14), "14 Mar 2025", "14. März 2025"),
        ("weekday", date(2026, 11, 25), "Wednesday 25 November", "Mittwoch, 25. November"),
        ("number", 10_000, "10,000", "10.000"),
        ("percent", 0.51, "51\N{NO-BREAK SPACE}%", "51\N{NO-BREAK SPACE}%"),
        ("minutes", 190, "3 h 10 min", "3 h 10 min"),
        ("minutes", 120, "2 h", "2 h"),
        ("file_size", 1_400_000, "1.4 MB", "1,4 MB"),
        ("star_number", 4.5, "4½", "4½"),
        ("together", ["Ann", "Ben", "Cem"], "Ann, Ben and Cem", "Ann, Ben und Cem"),
    ],
)
def test_a_filter_shows_a_value_in_each_language(name: str, value: object, english: str, german: str) -> None:
    for language, text in (("en", english), ("de", german)):
        assert Formats(LOCALES[language], str).filters[name](value) == text


@pytest.mark.parametrize(
    ("value", "english", "german"),
    [
        (999_999, "999,999", "999.999"),
        (1_500_000, "1.5M", "1,5\N{NO-BREAK SPACE}Mio."),
        (2e9, "2B", "2\N{NO-BREAK SPACE}Mrd."),
    ],
)
def test_numbers_beside_charts_are_short(value: float, english: str, german: str) -> None:
    assert Formats(LOCALES["en"], str).filters["short_number"](value) == english
    assert Formats(LOCALES["de"], str).filters["short_number"](value) == german


def test_money_is_shown_from_minor_units() -> None:
    assert Formats(LOCALES["en"], str).filters["money"](1999, "GBP") == "£19.99"


def test_a_time_is_shown_in_the_zone_of_the_reader() -> None:
    templates = Templates((FRAME,), "en", {})
    templates.environment.globals["at"] = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    shown = templates.environment.from_string("{{ at|moment }}").render()
    assert shown == "1 Mar 2026, 23:30"
    assert templates.environment.from_string("{{ at|day }}").render() == "1 March 2026"


@pytest.mark.parametrize(("value", "text"), [(5, "★★★★★"), (4.5, "★★★★½"), (0.25, "¼"), (0, "")])
def test_stars_are_signs(value: float, text: str) -> None:
    assert star_text(value) == text


@pytest.mark.parametrize(
    ("highest", "step"),
    [(0, 1), (0.3, 1), (4, 1), (7, 2), (31, 10), (40, 10), (41, 20), (412, 200), (9871, 5000)],
)
def test_the_lines_of_a_grid_have_round_distances(highest: float, step: float) -> None:
    assert nice_step(highest) == step


def test_bars_fill_the_height_in_proportion() -> None:
    chart = bars([("a", 10), ("b", 5), ("c", 0)], width=300, height=100)
    assert [bar.height for bar in chart.bars] == [100 * 10 / 10, 50, 0]
    assert all(bar.y + bar.height == 100 for bar in chart.bars)
    assert bars([]).bars == ()


def test_a_line_ends_at_the_edges() -> None:
    chart = line([("a", 1), ("b", 2)], width=100, height=50)
    assert chart.line == "0,25 100,0"
    assert line([]).line == ""


def test_a_heat_map_has_a_column_for_each_week_and_more_is_stronger() -> None:
    first, last = date(2025, 1, 1), date(2025, 12, 31)
    chart = heat_map({date(2025, 1, 6): 1, date(2025, 1, 7): 500}, first, last)
    assert len(chart.days) == 365
    assert (chart.days[0].x, chart.days[0].y) == (0, 26)
    assert [chart.days[n].level for n in (4, 5, 6)] == [0, 2, LEVELS]
    assert chart.busy == 2


@pytest.mark.parametrize(
    ("address", "words"),
    [("/books/the-left-hand", "the left hand"), ("/books/D%C3%BCne?a=1", "Düne"), ("/", "")],
)
def test_the_words_of_an_address_are_offered_to_search(address: str, words: str) -> None:
    assert address_words(address) == words


def test_a_message_names_changes_once_and_nothing_else() -> None:
    assert message(["book:1", "book:1", "readings", "x\ndata: y"], "bookshelf/0@1") == (
        b"id: bookshelf/0@1\nevent: changed\ndata: book:1 readings\n\n"
    )


async def pieces(*texts: bytes) -> AsyncIterator[bytes]:
    for text in texts:
        yield text


async def test_a_stream_is_read_whatever_its_pieces() -> None:
    stream = pieces(
        b"retry: 1000\n\n:\n\nid: a/0@1\nda", b'ta: [{"subject": "1"}]\n', b"\nid: a/0@2\ndata: []\n\n"
    )
    assert [event async for event in read_events(stream)] == [
        ("a/0@1", '[{"subject": "1"}]'),
        ("a/0@2", "[]"),
    ]


class StreamingApi:
    """Answers with a stream of one event, then keeps it open until `done`."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.asked: list[Request] = []

    async def handle(self, request: Request) -> Response:
        self.asked.append(request)
        return Response(200, {}, self._stream())

    async def _stream(self) -> AsyncIterator[bytes]:
        yield b'id: a/0@1\ndata: [{"subject": "1"}]\n\n'
        await self.done.wait()


async def test_names_of_changes_are_passed_on_without_content() -> None:
    api = StreamingApi()
    live = LiveStreams("/changes/events", lambda event: (f"book:{event['subject']}",), most=1)
    response = await live.respond(request("GET", "/live", Last_Event_ID="a/0@0"), api)
    assert api.asked[0].target == "/bookshelf/changes/events"
    assert api.asked[0].headers["Last-Event-ID"] == "a/0@0"
    assert not isinstance(response.body, bytes)
    stream = response.body
    assert await anext(stream) == b"retry: 1000\n\n"
    assert await anext(stream) == b"id: a/0@1\nevent: changed\ndata: book:1\n\n"
    live.publish(None, "job:2")
    assert await anext(stream) == b"event: changed\ndata: job:2\n\n"
    with pytest.raises(Problem, match="too many pages"):
        await live.respond(request("GET", "/live"), api)
    api.done.set()
    assert [piece async for piece in stream] == []
    assert live.count == 0


async def test_each_message_of_the_stream_of_one_thing_has_its_name() -> None:
    api = StreamingApi()
    live = LiveStreams("/changes/events", lambda event: (f"book:{event['subject']}",))
    response = await live.respond(request("GET", "/live"), api, followed=("order:7", "/orders/7/events"))
    assert api.asked[0].target == "/bookshelf/orders/7/events"
    assert not isinstance(response.body, bytes)
    assert await anext(response.body) == b"retry: 1000\n\n"
    assert await anext(response.body) == b"id: a/0@1\nevent: changed\ndata: order:7\n\n"
    api.done.set()
    assert [piece async for piece in response.body] == []


async def test_a_stream_that_opens_after_a_job_has_ended_begins_with_its_name() -> None:
    live = LiveStreams(None, lambda _: ())
    live.publish(None, "job:1")
    response = await live.respond(request("GET", "/live"), StreamingApi())
    assert not isinstance(response.body, bytes)
    found = [await anext(response.body) for _ in range(2)]
    assert found == [b"retry: 1000\n\n", b"event: changed\ndata: job:1\n\n"]


async def test_the_stream_of_a_page_that_does_not_read_is_ended() -> None:
    live = LiveStreams(None, lambda _: ())
    response = await live.respond(request("GET", "/live"), StreamingApi())
    assert not isinstance(response.body, bytes)
    assert await anext(response.body) == b"retry: 1000\n\n"
    for number in range(1000):
        live.publish(None, f"job:{number}")
    rest = [piece async for piece in response.body]
    assert len(rest) <= 100
    assert live.count == 0


async def test_a_quiet_stream_sends_comments() -> None:
    response = await LiveStreams(None, lambda _: (), silence_s=0.01).respond(
        request("GET", "/live"), StreamingApi()
    )
    assert not isinstance(response.body, bytes)
    assert [await anext(response.body) for _ in range(2)] == [b"retry: 1000\n\n", b":\n\n"]


def test_a_zone_is_kept_by_its_name() -> None:
    assert (
        ZoneInfo("Europe/Berlin").key
        == read_preferences({"bookshelf-prefs": "zone=Europe%2FBerlin"}, {}).zone
    )

"""Invalid headers, queries and cursors: each is reported, and none causes a defect."""

import base64

import pytest
from support.shelf import DUNE, Shelf

from bookshelf.runtime.api.forwarding import COMMAND


@pytest.mark.parametrize(
    "query", ["q=%ff", "novalue", "&&&", "&".join(f"a{n}=1" for n in range(40)), "q=\udcff"]
)
async def test_an_invalid_query_string_is_reported(shelf: Shelf, query: str) -> None:
    answer = await shelf.send("GET", f"/books?{query}")
    assert (answer.status, answer.json["type"]) == (400, "urn:bookshelf:problem:malformed")


CURSORS = {
    "no base64": "?",
    "no JSON": "AAAA",
    "too short": base64.urlsafe_b64encode(b'["added"]').decode(),
    "another shape": base64.urlsafe_b64encode(b'["added", 1, 2]').decode(),
    "another sort": base64.urlsafe_b64encode(b'["title", "a", "b"]').decode(),
    "a bomb": base64.urlsafe_b64encode(b'["added","a","b",' + b"[" * 1400).decode(),
    "no UTF-8": base64.urlsafe_b64encode(b'["added","\xff","b"]').decode(),
}


@pytest.mark.parametrize("cursor", CURSORS)
async def test_an_invalid_cursor_is_reported(shelf: Shelf, cursor: str) -> None:
    answer = await shelf.send("GET", f"/books?after={CURSORS[cursor].replace('=', '%3D')}")
    assert answer.status == 422, answer.body
    assert answer.json["detail"].startswith("after ")


@pytest.mark.parametrize("key", ['"', "", "a\tb", "é", "x" * 256, 'a"b', "\udcff"])
async def test_an_invalid_key_is_reported(shelf: Shelf, key: str) -> None:
    answer = await shelf.send("POST", "/books", DUNE, Idempotency_Key=key)
    assert answer.status == 400
    [fault] = answer.json["errors"]
    assert fault["header"] == "Idempotency-Key"


@pytest.mark.parametrize(
    "after", ["bookshelf", "bookshelf/0", "bookshelf/x@1", "a/0@1 b/0@2", ",", "x" * 9000, "\udcff"]
)
async def test_an_invalid_position_is_reported(shelf: Shelf, after: str) -> None:
    answer = await shelf.send("GET", "/books", Bookshelf_After=after)
    assert answer.status == 400
    [fault] = answer.json["errors"]
    assert fault["header"] == "Bookshelf-After"


async def test_too_many_positions_are_refused(shelf: Shelf) -> None:
    few, many = ",".join(["bookshelf/0@1"] * 64), ",".join(["bookshelf/0@1"] * 65)
    assert (await shelf.send("GET", "/books", Bookshelf_After=many)).status == 400
    assert (await shelf.send("GET", "/books", Bookshelf_After=few.replace("shelf/", "shop/"))).status == 200


@pytest.mark.parametrize("tag", ['"' + "9" * 5000 + '"', '"x"', "x", "", 'W/"0"', '"\udcff"', '"-1"'])
async def test_an_entity_tag_without_a_version_matches_nothing(shelf: Shelf, tag: str) -> None:
    book = await shelf.add()
    answer = await shelf.send("PATCH", f"/books/{book['id']}", {"title": "x"}, If_Match=tag)
    assert answer.status == 412


@pytest.mark.parametrize(
    "name", ["traceparent", COMMAND.replace("-", "_"), "If_None_Match", "Accept", "Content_Encoding"]
)
@pytest.mark.parametrize("value", ["\udcff", "\x00", "é" * 3000, ""])
async def test_any_headers_are_answered_without_a_defect(shelf: Shelf, name: str, value: str) -> None:
    added = await shelf.send("POST", "/books", DUNE, **{name: value})
    assert added.status in {201, 400, 415}, added.body
    assert (await shelf.send("GET", "/books", **{name: value})).status in {200, 400}
    assert (await shelf.add())["title"] == "Dune"


@pytest.mark.parametrize("trace", ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"])
async def test_a_trace_is_stored_in_the_envelope(shelf: Shelf, trace: str) -> None:
    await shelf.send("POST", "/books", DUNE, traceparent=trace)
    tails = [await shelf.log.tail("bookshelf", p, 0) for p in range(2)]
    ends = [await shelf.log.end("bookshelf", p) for p in range(2)]
    [tail] = [tail for tail, end in zip(tails, ends, strict=True) if end]
    [record] = await tail.take(1)
    assert trace.encode() in record.value

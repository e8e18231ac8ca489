"""Whatever comes: an answer, never a defect. Hypothesis tries what no one would think of."""

import asyncio

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict
from support.shelf import DUNE, Shelf

from bookshelf.http.message import BytesBody, Request
from bookshelf.runtime.api.forwarding import COMMAND

HEADERS = [
    *("Content-Type", "Content-Encoding", "Idempotency-Key", "If-Match", "If-None-Match"),
    *("Bookshelf-After", "traceparent", "Accept", COMMAND, "X-Unknown"),
]
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Bytes as aiohttp hands them on: what is no UTF-8 stands there as surrogates.
raw = st.binary(max_size=60).map(lambda content: content.decode("utf-8", "surrogateescape"))
values = st.one_of(
    raw,
    st.sampled_from(["application/json", '"0"', "*", 'W/"1"', "bookshelf/0@0", "key", "identity", "9" * 400]),
)
headers = st.lists(st.tuples(st.sampled_from(HEADERS), values), max_size=4)
segments = st.one_of(st.sampled_from(["books", "last", "read", "finished", "history", "", "%zz", "%00"]), raw)
paths = st.lists(segments, max_size=4).map(lambda found: "/" + "/".join(found))
names = st.sampled_from(["limit", "after", "q", "state", "sort", "as-of", "colour"])
queries = st.lists(st.tuples(names, st.one_of(raw, st.sampled_from(["1", "title", "unread"]))), max_size=3)
targets = st.builds(
    lambda path, query: path + ("?" + "&".join(f"{a}={b}" for a, b in query) if query else ""), paths, queries
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
fields = st.sampled_from(
    [*DUNE, "published", "isbn", "pages", "tags", "notes", "finished", "rating", "review"]
)
books = st.dictionaries(fields, json_values, max_size=6).map(lambda said: msgspec.json.encode(DUNE | said))
bodies = st.one_of(st.binary(max_size=200), json_values.map(msgspec.json.encode), books)
methods = st.sampled_from(["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "BREW"])
requests = st.builds(
    lambda method, target, given, body: Request(method, target, CIMultiDict(given), BytesBody(body)),
    methods,
    targets,
    headers,
    bodies,
)


async def answered(requests_: list[Request]) -> None:
    async with Shelf() as shelf:
        book = await shelf.add()
        for one in requests_:
            one.target = one.target.replace("%zz", book["id"])
            for host in shelf.hosts.values():
                async with asyncio.timeout(30):
                    response = await host.edge.handle(one)
                assert 200 <= response.status < 500, (one, response)
                assert isinstance(response.body, bytes)
                if response.status >= 400:
                    assert (
                        one.method == "HEAD"
                        or msgspec.json.decode(response.body)["status"] == response.status
                    )
        assert (await shelf.add())["title"] == "Dune"


@QUICK
@given(st.lists(requests, min_size=1, max_size=8))
def test_any_request_is_answered(requests_: list[Request]) -> None:
    asyncio.run(answered(requests_))


@QUICK
@given(books | bodies, headers)
def test_any_body_of_a_new_book_is_accepted_or_refused_with_reasons(
    body: bytes, given_: list[tuple[str, str]]
) -> None:
    add = Request("POST", "/books", CIMultiDict(given_), BytesBody(body))
    finish = Request("POST", "/books/%zz/finished", CIMultiDict(given_), BytesBody(body))
    change = Request("PATCH", "/books/%zz", CIMultiDict(given_), BytesBody(body))
    asyncio.run(answered([add, finish, change]))

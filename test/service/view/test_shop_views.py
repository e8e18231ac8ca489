"""The views of the shop give the same answers on every storage, for the golden records and all questions."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from support.process import ROOT
from support.shop import SHOP
from support.views import Views, caught_up

from bookshelf.cqrs.envelope import decode_envelope
from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.route import QueryRoute
from bookshelf.http.message import request
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import NewRecord, partition_of
from bookshelf.runtime.api.queries import Viewer, read_parameters
from bookshelf.runtime.decoding import decoder_of
from bookshelf.runtime.view.host import ViewHost
from bookshelf.shop.events import TOPIC
from bookshelf.storage.port import Storage
from bookshelf.storage.sqlite import MemoryStorage

PARTITIONS = 2
LINES = (ROOT / "test/fixtures/golden/shop.jsonl").read_bytes().splitlines()
ROUTES = {
    route.path: route
    for service in SHOP
    for route in service.loaded().serves
    if isinstance(route, QueryRoute)
}
#: Questions beside the plain one.
MORE = {
    "/shop/products": "q=du available=true sort=-price limit=1 category=other units-below=99 supplier=x",
    "/shop/orders": "state=CANCELED customer=a-1 customer=me stalled=true from=2026-01-01 sort=placed "
    "limit=1 reason=out-of-stock to=2026-12-31",
    "/shop/orders/summary": "from=2026-01-01&to=2026-12-31 to=2020-01-01",
    "/shop/customers": "ids=a-1,a-2 limit=1",
    "/shop/invoices": "customer=a-1 customer=me limit=1",
    "/shop/revenue": "by=year by=month by=product from=2026-01-01&to=2026-12-31",
}
VIEWERS = (Viewer(owner="a-1"), Viewer(owner="a-1", sees_all=True))


async def golden_log() -> MemoryLog:
    log = MemoryLog(PARTITIONS)
    for line in LINES:
        key = decode_envelope(line).subject
        writer = await log.writer("tests", TOPIC, partition_of(key, PARTITIONS))
        await writer.append([NewRecord(key, line)])
    return log


@asynccontextmanager
async def hosts(log: MemoryLog, storage: Storage) -> AsyncIterator[Mapping[str, ViewHost]]:
    async with Views(log, storage) as views:
        needed = {route.view.name: route.view for route in ROUTES.values()}
        made = {name: await views.host(view) for name, view in needed.items()}
        for host in made.values():
            await caught_up(host, log)
        yield made


def targets(path: str) -> Iterator[tuple[dict[str, str], str]]:
    """Yield the values of a path and the query strings that a route is asked with."""
    kinds = {"/shop/products": "p", "/shop/categories": "c", "/shop/orders": "o", "/shop/customers": "a"}
    prefix = next((kind for start, kind in kinds.items() if path.startswith(start)), "")
    if "{" not in path:
        yield from (({}, query) for query in ("", *MORE.get(path, "").split()))
    elif "{number}" in path:
        yield from (({"number": f"2026-00000{number}"}, "") for number in range(1, 10))
    else:
        yield from (({"id": f"{prefix}-{number}"}, "") for number in range(1, 10))


async def answers(found: Mapping[str, ViewHost]) -> dict[tuple[Any, ...], Any]:
    """Return the answers to all questions."""
    made: dict[tuple[Any, ...], Any] = {}
    for path, route in ROUTES.items():
        for values, query in targets(path):
            for viewer in VIEWERS:
                asked = request("GET", f"/x?{query}" if query else "/x", b"")
                params = read_parameters(decoder_of(route.params), asked, values, viewer)
                shown = await answered(found[route.view.name], route, params)
                made[path, query, viewer, *values.values()] = shown
    return made


async def answered(host: ViewHost, route: QueryRoute, params: msgspec.Struct) -> tuple[Any, ...] | str:
    """Return an answer, or why there is none."""
    try:
        answer = await host.query(lambda db: route.query(db, params))
    except Refused as refused:
        return refused.detail
    return msgspec.json.encode(answer.body), answer.version, answer.count, answer.at_rest


async def test_every_question_has_the_same_answer_on_every_storage(storage: Storage) -> None:
    log = await golden_log()
    memory = MemoryStorage()
    async with hosts(log, memory) as expected, hosts(log, storage) as found:
        wanted = await answers(expected)
        assert await answers(found) == wanted
    await memory.close()
    for path in ROUTES:
        bodies = [shown[0] for key, shown in wanted.items() if key[0] == path and isinstance(shown, tuple)]
        assert any(body not in {b"[]", b"{}"} for body in bodies), path

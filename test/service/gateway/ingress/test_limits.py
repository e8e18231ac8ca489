"""How much one client, and all of them together, may ask of the gateway."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from support.gateway_sockets import GatewayOnSockets, asks, chunk, status
from support.upstream import Service, eventually, never, openapi_document

from bookshelf.http.client import HttpTransport
from bookshelf.http.message import Request, Response
from gateway.ingress.client_address import TrustedProxies
from gateway.ingress.middleware import ConcurrencyLimiter, IngressPolicy
from gateway.ingress.rate_limit import BadRate, ClientRateLimiter

BOOKS = openapi_document("books", ("books",), "GET /books", "POST /books")
GET = asks("GET", "/bookshelf/books")


def header(answer: bytes, name: bytes) -> bytes:
    head = answer.partition(b"\r\n\r\n")[0]
    return next(line[len(name) + 2 :] for line in head.split(b"\r\n") if line.lower().startswith(name + b":"))


async def test_a_client_over_its_rate_limit_gets_retry_after(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    service = Service(BOOKS)
    await network.service(service)
    house = IngressPolicy(
        rate_limiter=ClientRateLimiter("3/hour"), trusted_proxies=TrustedProxies(["127.0.0.0/8"])
    )
    await network.open(transport, house)
    answers = [await network.ask(GET) for _ in range(5)]
    assert [status(one) for one in answers] == [200, 200, 200, 429, 429]
    assert 1 <= int(header(answers[-1], b"retry-after")) <= 3600
    assert b"urn:bookshelf:problem:too-many" in answers[-1]
    assert len(service.asked) == 3
    other = asks("GET", "/bookshelf/books", "X-Forwarded-For: 192.0.2.1")
    assert status(await network.ask(other)) == 200


async def test_forged_addresses_do_not_evade_the_rate_limit(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    await network.service(Service(BOOKS))
    await network.open(transport, IngressPolicy(rate_limiter=ClientRateLimiter("3/hour")))
    answers = [
        await network.ask(asks("GET", "/bookshelf/books", f"X-Forwarded-For: 192.0.2.{n}")) for n in range(5)
    ]
    assert [status(one) for one in answers] == [200, 200, 200, 429, 429]


async def test_health_and_metrics_are_answered_whatever_the_limits_are(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    await network.service(Service(BOOKS, never))
    house = IngressPolicy(
        rate_limiter=ClientRateLimiter("2/hour"), concurrency=ConcurrencyLimiter(most=1, queue=0, wait_s=0.01)
    )
    await network.open(transport, house)
    async with network.connection() as (_, writer):
        writer.write(GET)
        await eventually(lambda: house.concurrency.under_way == 1)
        assert status(await network.ask(GET)) == 503
        assert status(await network.ask(GET)) == 429
        for path in ("/health/live", "/health/ready", "/metrics"):
            assert status(await network.ask(asks("GET", path))) == 200


@pytest.mark.parametrize(
    ("rate", "storage"), [("nonsense", "memory"), ("3/fortnight", "memory"), ("3/hour", "nowhere://x")]
)
def test_an_invalid_rate_is_reported(rate: str, storage: str) -> None:
    with pytest.raises(BadRate):
        ClientRateLimiter(rate, storage)


async def test_without_the_shared_rate_storage_all_requests_pass() -> None:
    rates = ClientRateLimiter("1/hour", "redis://127.0.0.1:1")
    for _ in range(3):
        await rates.enter("192.0.2.7")


async def test_requests_over_the_concurrency_limit_wait_and_those_over_the_queue_are_shed(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    let_go, begun = asyncio.Event(), asyncio.Semaphore(0)

    async def work(_request: Request) -> Response:
        begun.release()
        await let_go.wait()
        return Response(200, {}, b"done")

    crowd = ConcurrencyLimiter(2, 1, 30)
    await network.service(Service(BOOKS, work))
    await network.open(transport, IngressPolicy(concurrency=crowd))
    first = [asyncio.create_task(network.ask(GET)) for _ in range(2)]
    for _ in first:
        await begun.acquire()
    third = asyncio.create_task(network.ask(GET))
    while not crowd.waiting:  # noqa: ASYNC110 (there is no event for it)
        await asyncio.sleep(0.001)  # sleep: between two looks at the condition
    refused = await network.ask(GET)
    assert (status(refused), header(refused, b"retry-after")) == (503, b"1")
    let_go.set()
    assert [status(one) for one in await asyncio.gather(*first, third)] == [200] * 3
    assert (crowd.under_way, crowd.shed) == (0, 1)


async def test_a_request_that_times_out_or_is_cancelled_in_the_queue_takes_no_slot() -> None:
    crowd = ConcurrencyLimiter(1, 5, 0.01)
    await crowd.enter()
    with pytest.raises(Exception, match="under way"):
        await crowd.enter()
    leaver = asyncio.create_task(crowd.enter())
    await asyncio.sleep(0)  # sleep: one turn of the loop, in which it begins to wait
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)
    assert crowd.waiting == 0
    crowd.leave()
    assert crowd.under_way == 0
    await crowd.enter()


async def test_a_cancelled_request_frees_its_slot(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    crowd = ConcurrencyLimiter(1, 0, 1)
    service = Service(BOOKS, lambda _: never())
    await network.service(service)
    await network.open(transport, IngressPolicy(concurrency=crowd))
    async with network.connection() as (_, writer):
        writer.write(GET)
        while not service.asked:  # noqa: ASYNC110 (there is no event for it)
            await asyncio.sleep(0.001)  # sleep: between two looks at the condition
    while crowd.under_way:  # noqa: ASYNC110 (as above)
        await asyncio.sleep(0.001)  # sleep: between two looks at the condition


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_body_over_the_limit_is_refused_or_aborted(
    network: GatewayOnSockets,
    transport: HttpTransport,
    chunked: bool,  # noqa: FBT001
) -> None:
    service = Service(BOOKS)
    await network.service(service)
    await network.open(transport, IngressPolicy(body=100_000))
    big = b"x" * 100_001
    sent = asks("POST", "/bookshelf/books", body=big)
    if chunked:
        sent = asks("POST", "/bookshelf/books", "Transfer-Encoding: chunked") + chunk(big) + chunk(b"")
    assert status(await network.ask(sent)) == 413
    assert service.bodies == []
    assert status(await network.ask(asks("POST", "/bookshelf/books", body=big[1:]))) == 200


async def test_an_absurd_content_length_is_refused(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    await network.service(Service(BOOKS))
    await network.open(transport)
    for length, code in (("9" * 15, 413), ("9" * 40, 400), ("-1", 400), ("0x10", 400), ("1_0", 400)):
        assert (
            status(await network.ask(asks("POST", "/bookshelf/books", f"Content-Length: {length}"))) == code
        )


async def test_an_event_stream_is_forwarded_as_it_is_produced(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    more: asyncio.Queue[bytes] = asyncio.Queue()
    ended = asyncio.Event()

    async def events() -> AsyncIterator[bytes]:
        try:
            while True:
                yield await more.get()
        finally:
            ended.set()

    kind = {"Content-Type": "text/event-stream"}
    await network.service(Service(BOOKS, Response(200, kind, events())))
    await network.open(transport)
    async with network.connection() as (reader, writer):
        writer.write(asks("GET", "/bookshelf/books", "Accept-Encoding: gzip"))
        for n in range(3):
            more.put_nowait(b"data: %d\n\n" % n)
            assert (await reader.readuntil(b"data: %d\n\n" % n)).endswith(b"%d\n\n" % n)
    async with asyncio.timeout(30):
        while not ended.is_set():
            more.put_nowait(b"data: to no one\n\n")
            await asyncio.sleep(0.01)  # sleep: between two events that are not delivered

"""A gateway that a rollout pauses: requests wait, within limits; what a paused gate has admitted goes on."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from support.until import eventually
from support.upstream import FakeCluster, Service, openapi_document, whole

from bookshelf.discovery.local import LocalDiscovery
from bookshelf.http.client import LocalTransport, RemoteHandler
from bookshelf.http.message import Handler, Request, Response, request
from bookshelf.http.problem import Problem, problem_response
from bookshelf.http.server import HttpServer
from bookshelf.runtime.agent.gate import (
    Admissions,
    AdmittedApi,
    AdmittedTransport,
    NotDrained,
    admissions_now,
    carry_admission,
)
from bookshelf.runtime.agent.pause import Pause, ServiceGate
from bookshelf.runtime.agent.policy import PolicyGate
from bookshelf.runtime.api.header_fields import ADMITTED
from bookshelf.runtime.api.identity import LocalReader
from gateway.admission import GatewayGate
from gateway.app import Gateway
from gateway.ingress.middleware import ConcurrencyLimiter

ADMISSIONS = Admissions(b"key")
BOOKS = openapi_document("books", ("books",), "GET /books", "POST /books")
ROLLOUTS = openapi_document("rollouts", ("cluster", "rollouts"), "POST /cluster/rollouts")


class PausedEdge:
    """A gateway and two services behind it, with a gate of the gateway and one of the service `books`."""

    def __init__(self) -> None:
        self.discovery, self.transport = LocalDiscovery(), LocalTransport()
        self.gateway = Gateway(self.discovery, self.transport)
        self.limiter = ConcurrencyLimiter(8, 3, 30.0)
        self.gate = self.gateway.gate = GatewayGate(ADMISSIONS, self.limiter, most_bytes=10)
        self.books = ServiceGate("books", PolicyGate(LocalReader()), lambda _service: 0, ADMISSIONS)
        self.pause = Pause({"gateway": self.gate, "books": self.books})
        self.pause.admit()
        self.seen: list[Request] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def ask(
        self, method: str = "GET", path: str = "/books", body: bytes = b"", **named: str
    ) -> Response:
        target = f"/bookshelf{path}"
        return await self.gateway.handle(request(method, target, body, **named))

    def start(self, body: bytes = b"") -> "asyncio.Task[Response]":
        return asyncio.create_task(self.ask("POST", body=body))

    async def until_waiting(self, number: int) -> None:
        async def waits() -> bool:
            return self.gate.waits.now == number

        await eventually(waits, f"{number} requests wait")


@pytest.fixture
async def edge() -> AsyncIterator[PausedEdge]:
    made = PausedEdge()

    async def answer(sent: Request) -> Response:
        async def endpoint(_request: Request, _path: object) -> Response:
            made.seen.append(sent)
            await made.may_answer.wait()
            return Response(200, {}, b"[]")

        try:
            return await made.books.around(endpoint, "/books", sent, {})
        except Problem as refusal:
            return problem_response(refusal)

    cluster = FakeCluster(made.gateway, made.discovery, made.transport)
    await cluster.add(Service(BOOKS, answer))
    await cluster.add(Service(ROLLOUTS))
    await made.gateway.start()
    yield made
    made.pause.admit()
    made.may_answer.set()
    await made.gateway.stop()


async def test_requests_wait_while_the_gateway_is_paused_and_are_answered_after_it(edge: PausedEdge) -> None:
    edge.pause.refuse("r1")
    asked = [edge.start() for _ in range(2)]
    await edge.until_waiting(2)
    assert edge.seen == []
    await edge.pause.drain(0.1)  # what waits is not in progress
    edge.pause.admit()
    assert [(await one).status for one in asked] == [200, 200]


async def test_a_request_that_waits_too_long_is_refused_with_the_rollout(edge: PausedEdge) -> None:
    edge.limiter.wait_s = 0.01
    edge.pause.refuse("r1")
    answer = await edge.ask()
    assert (answer.status, answer.headers["Retry-After"], answer.headers["Bookshelf-Rollout"]) == (
        503,
        "1",
        "r1",
    )
    assert b"problem:reloading" in bytes(answer.body) if isinstance(answer.body, bytes) else False


async def test_more_requests_or_bytes_than_may_wait_are_refused_at_once(edge: PausedEdge) -> None:
    edge.pause.refuse("r1")
    waiting = [edge.start(b"123456")]
    await edge.until_waiting(1)
    assert (await edge.ask("POST", body=b"12345")).status == 503
    waiting += [edge.start(), edge.start()]
    await edge.until_waiting(3)
    assert (await edge.ask()).status == 503
    assert edge.gate.waits.refused == 2
    edge.pause.admit()
    assert [(await one).status for one in waiting] == [200, 200, 200]
    assert (edge.gate.waits.now, edge.gate.waiting_bytes) == (0, 0)


async def metrics(edge: PausedEdge) -> dict[str, float]:
    """Return the metrics of what waits while the gateway itself is paused, by name."""
    page = await whole(await edge.gateway.handle(request("GET", "/metrics")))
    lines = [line.split('{upstream="gateway"} ') for line in page.decode().splitlines()]
    return {line[0].removeprefix("bookshelf_gateway_"): float(line[1]) for line in lines if line[1:]}


async def test_metrics_count_what_waits(edge: PausedEdge) -> None:
    assert await metrics(edge) == dict.fromkeys(
        ("waiting", "waited_total", "waited_seconds_total", "waits_refused_total"), 0.0
    )
    edge.pause.refuse("r1")
    asked = [edge.start() for _ in range(3)]
    await edge.until_waiting(3)
    await edge.ask()
    counted = await metrics(edge)
    assert [counted[name] for name in ("waiting", "waited_total", "waits_refused_total")] == [3, 3, 1]
    edge.pause.admit()
    await asyncio.gather(*asked)
    counted = await metrics(edge)
    assert [counted[name] for name in ("waiting", "waited_total", "waits_refused_total")] == [0, 3, 1]
    assert counted["waited_seconds_total"] > 0


async def test_at_most_half_of_the_requests_under_way_may_wait(edge: PausedEdge) -> None:
    edge.limiter.queue, edge.limiter.most = 100, 4
    edge.pause.refuse("r1")
    waiting = [edge.start(), edge.start()]
    await edge.until_waiting(2)
    assert (await edge.ask()).status == 503
    edge.pause.admit()
    await asyncio.gather(*waiting)


async def test_the_services_of_the_domain_are_never_paused(edge: PausedEdge) -> None:
    edge.pause.refuse("r1")
    assert (await edge.ask("POST", "/cluster/rollouts")).status == 200


async def test_a_paused_service_answers_what_the_gateway_has_admitted_before(edge: PausedEdge) -> None:
    edge.may_answer.clear()
    slow = edge.start()
    await eventually(lambda: _has_seen(edge, 1), "the request is in progress")
    edge.pause.refuse("r1")
    with pytest.raises(NotDrained, match="gateway: POST /bookshelf/books"):
        await edge.pause.drain(0.01)
    late = request("GET", "/books", b"", Bookshelf_Admitted=edge.seen[0].headers[ADMITTED])
    [endpoint] = [
        one.instance for one in edge.gateway.directory.pools.instances() if one.instance.service == "books"
    ]
    nested = asyncio.create_task(edge.transport.send(endpoint.address, endpoint.port, late))
    await eventually(lambda: _has_seen(edge, 2), "what it leads to is in progress too")
    direct = await edge.transport.send(endpoint.address, endpoint.port, request("GET", "/books"))
    assert direct.status == 503
    edge.may_answer.set()
    assert [(await one).status for one in (slow, nested)] == [200, 200]
    await edge.pause.drain(1.0)


async def _has_seen(edge: PausedEdge, number: int) -> bool:
    return len(edge.seen) == number


async def test_a_nested_request_passes_the_paused_gateway(edge: PausedEdge) -> None:
    edge.pause.refuse("r1")
    inner = ADMISSIONS.add("", "booklist")
    answer = await edge.ask(Bookshelf_Admitted=inner)
    assert answer.status == 200
    assert ADMISSIONS.names(edge.seen[0].headers[ADMITTED]) == {"booklist", "gateway"}
    assert not admissions_now()


async def test_an_admission_that_a_client_invents_is_not_passed_on(edge: PausedEdge) -> None:
    forged = Admissions(b"another key").add("", "gateway")
    await edge.ask(Bookshelf_Admitted=forged)
    assert ADMISSIONS.names(edge.seen[0].headers[ADMITTED]) == {"gateway"}
    assert forged not in edge.seen[0].headers[ADMITTED]
    edge.limiter.wait_s = 0.01
    edge.pause.refuse("r1")
    assert (await edge.ask(Bookshelf_Admitted=forged)).status == 503


async def test_once_all_gates_are_drained_nothing_more_is_admitted(edge: PausedEdge) -> None:
    edge.limiter.wait_s = 0.01
    edge.pause.refuse("r1")
    edge.pause.close()
    assert (await edge.ask(Bookshelf_Admitted=ADMISSIONS.add("", "booklist"))).status == 503


async def test_a_policy_pauses_its_service_and_no_gateway(edge: PausedEdge) -> None:
    edge.pause.refuse("r1", {"books"})
    assert edge.gate.paused is None
    chain = ADMISSIONS.add("", "gateway")
    assert (edge.books.admits(chain), edge.books.admits(ADMISSIONS.add(chain, "books"))) == (False, True)


@pytest.mark.parametrize("carries", [True, False])
async def test_a_page_in_another_process_is_completed_while_all_is_paused(
    edge: PausedEdge, *, carries: bool
) -> None:
    edge.limiter.wait_s = 0.05
    server = HttpServer(edge.gateway, "127.0.0.1", 0)
    await server.start()
    remote = RemoteHandler(f"http://127.0.0.1:{server.port}")
    api: Handler = AdmittedApi(remote) if carries else remote
    site = ServiceGate("site", PolicyGate(LocalReader()), lambda _service: 0, ADMISSIONS)
    site.resume()
    edge.pause.add(site)

    async def page(_request: Request, _path: object) -> Response:
        edge.pause.refuse("r1")  # it begins while the page is made
        return await api.handle(request("GET", "/bookshelf/books"))

    try:
        answer = await site.around(page, "/", request("GET", "/"), {})
        assert answer.status == (200 if carries else 503)
    finally:
        await remote.close()
        await server.stop()


async def test_the_process_of_a_service_group_carries_what_its_node_has_admitted(edge: PausedEdge) -> None:
    edge.pause.refuse("r1")
    [books] = edge.discovery.snapshot().having(["books"])

    async def endpoint(_request: Request, _path: object) -> Response:
        transport = AdmittedTransport(edge.transport)
        return await transport.send(books.address, books.port, request("GET", "/books"))

    asked = request("GET", "/", b"", Bookshelf_Admitted=ADMISSIONS.add("", "counters"))
    assert (await carry_admission(endpoint, "/", asked, {})).status == 200
    assert (await carry_admission(endpoint, "/", request("GET", "/"), {})).status == 503

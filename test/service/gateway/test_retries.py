"""Services that are away, slow, moving or cut off; and what is tried again."""

from collections.abc import AsyncIterator

import pytest
from support.upstream import FakeCluster, Service, eventually, json_of, never, openapi_document, pieces, whole

from bookshelf.http.client import NoResponse, Unreachable
from bookshelf.http.message import BrokenBody, Request, Response, request

BOOKS = openapi_document("books", ("books",), "GET /books", "POST /books", "DELETE /books/{id}")
KEYED = openapi_document("books", ("books",), "POST /books")
KEYED["paths"]["/books"]["parameters"] = [{"name": "Idempotency-Key", "in": "header"}]
MOVING = Response(503, {"Retry-After": "1"}, b"moving")
DONE = Response(200, {}, b"done")
GONE = Unreachable("refused")
LOST = NoResponse("cut")
ONWARD = Response(504, {"Content-Type": "application/problem+json"}, b"{}")


async def ask(cluster: FakeCluster, method: str, *services: Service, key: str = "") -> Response:
    for service in services:
        await cluster.add(service)
    await cluster.gateway.start()
    headers = {"Idempotency_Key": key} if key else {}
    return await cluster.gateway.handle(
        request(method, "/bookshelf/books", b"{}" if method == "POST" else b"", **headers)
    )


def problem(answer: Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status, json_of(answer)["type"].rpartition(":")[2]


def asked(*services: Service) -> list[int]:
    return [len(service.asked) for service in services]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_after_a_refused_connection_another_instance_is_called(
    cluster: FakeCluster, method: str
) -> None:
    away, there = Service(BOOKS, GONE), Service(BOOKS, DONE)
    answers = [await ask(cluster, method, *new) for new in ([away, there], [])]
    assert [answer.status for answer in answers] == [200, 200]
    assert asked(there) == [2]


async def test_when_all_connections_are_refused_the_response_is_a_bad_gateway(cluster: FakeCluster) -> None:
    assert problem(await ask(cluster, "POST", Service(BOOKS, GONE), Service(BOOKS, GONE))) == (
        502,
        "bad-gateway",
    )


async def test_at_most_four_instances_are_tried(cluster: FakeCluster) -> None:
    services = [Service(BOOKS, GONE) for _ in range(6)]
    assert problem(await ask(cluster, "GET", *services)) == (502, "bad-gateway")
    assert sum(asked(*services)) == 4


async def test_a_service_without_instances_is_unavailable_and_not_unknown(cluster: FakeCluster) -> None:
    await cluster.add(Service(BOOKS))
    await cluster.gateway.start()
    await cluster.discovery.deregister(cluster.instances[0].id)
    cluster.leave(cluster.instances[0])
    await eventually(lambda: not cluster.gateway.directory.find("GET", "/books")[0].pool.endpoints)
    answer = await cluster.gateway.handle(request("GET", "/bookshelf/books"))
    assert problem(answer) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "1"


async def test_a_query_without_a_response_is_sent_to_one_other_instance(cluster: FakeCluster) -> None:
    services = [Service(BOOKS, LOST), Service(BOOKS, DONE), Service(BOOKS, DONE)]
    for _ in range(100):
        assert (await ask(cluster, "GET", *(services if not cluster.instances else []))).status == 200
    assert asked(services[0]) == [5]  # then its breaker is open


async def test_a_query_without_a_response_is_not_sent_to_a_third_instance(cluster: FakeCluster) -> None:
    services = [Service(BOOKS, LOST) for _ in range(4)]
    assert problem(await ask(cluster, "GET", *services)) == (504, "gateway-timeout")
    assert sum(asked(*services)) == 2


@pytest.mark.parametrize("key", ["", "k"])
async def test_a_command_without_a_response_is_not_retried(cluster: FakeCluster, key: str) -> None:
    services = [Service(BOOKS, LOST), Service(BOOKS, LOST)]
    answer = await ask(cluster, "POST", *services, key=key)
    assert problem(answer) == (504, "gateway-timeout")
    assert "whether this was done is not known" in json_of(answer)["detail"]
    assert sum(asked(*services)) == 1


def keys(*services: Service) -> list[str | None]:
    return [request.headers.get("Idempotency-Key") for service in services for request in service.asked]


@pytest.mark.parametrize("given", ["", "k"])
async def test_a_command_without_a_response_is_retried_if_the_service_deduplicates_it(
    cluster: FakeCluster, given: str
) -> None:
    services = [Service(KEYED, LOST), Service(KEYED, LOST)]
    await ask(cluster, "POST", *services, key=given)
    assert asked(*services) == [1, 1]
    [one] = set(keys(*services))
    assert one == given if given else one


AFTER_A_LOST_ATTEMPT = [
    MOVING,
    Response(503, {}),
    Response(429, {"Retry-After": "1"}),
    Response(502, {}),
    Response(504, {}),
    GONE,
    LOST,
]


def named_key(answer: Response) -> str:
    """Return the key that an answer of 504 names in its header, its body and its detail."""
    key, body = answer.headers["Idempotency-Key"], json_of(answer)
    assert body["idempotency-key"] == key
    assert f"Idempotency-Key: {key}" in body["detail"]
    return key


@pytest.mark.parametrize("later", AFTER_A_LOST_ATTEMPT)
@pytest.mark.parametrize("given", ["", "k 1"])
async def test_after_a_lost_attempt_a_503_of_another_instance_is_not_forwarded(
    cluster: FakeCluster, later: Response | Exception, given: str
) -> None:
    # whichever is asked first loses the answer, and the other one gives its own first answer
    first = True

    async def lost_once(_request: Request) -> Response:
        nonlocal first
        if first:
            first = False
            raise LOST
        if isinstance(later, Exception):
            raise later
        return later

    services = [Service(KEYED, lost_once), Service(KEYED, lost_once)]
    answer = await ask(cluster, "POST", *services, key=given)
    assert problem(answer) == (504, "gateway-timeout")
    assert {named_key(answer)} == set(keys(*services))
    assert not given or named_key(answer) == given


async def test_after_a_lost_attempt_a_success_of_another_instance_is_forwarded(cluster: FakeCluster) -> None:
    service = Service(KEYED, LOST, MOVING, MOVING, DONE)
    assert (await ask(cluster, "POST", service)).body == b"done"
    assert len(set(keys(service))) == 1


async def test_a_service_that_does_not_know_the_outcome_is_answered_with_the_key(
    cluster: FakeCluster,
) -> None:
    service = Service(KEYED, ONWARD)
    answer = await ask(cluster, "POST", service)
    assert {named_key(answer)} == set(keys(service))
    assert len(service.asked) == 2


async def test_a_command_whose_owner_was_lost_is_sent_again(cluster: FakeCluster) -> None:
    service = Service(KEYED, ONWARD, DONE)
    assert (await ask(cluster, "POST", service)).body == b"done"
    assert len(set(keys(service))) == 1


async def test_after_a_lost_owner_a_refusal_proves_nothing(cluster: FakeCluster) -> None:
    answer = await ask(cluster, "POST", Service(KEYED, ONWARD, Response(503, {}), DONE))
    assert problem(answer) == (504, "gateway-timeout")


async def test_a_command_that_may_be_done_twice_is_not_sent_again(cluster: FakeCluster) -> None:
    service = Service(BOOKS, ONWARD, DONE)
    assert (await ask(cluster, "POST", service)).status == 504
    assert len(service.asked) == 1


async def test_a_query_that_was_too_slow_is_not_sent_again(cluster: FakeCluster) -> None:
    service = Service(BOOKS, ONWARD, DONE)
    assert (await ask(cluster, "GET", service)).status == 504
    assert len(service.asked) == 1


async def test_without_a_lost_attempt_a_503_is_forwarded(cluster: FakeCluster) -> None:
    answer = await ask(cluster, "POST", Service(KEYED, MOVING))
    assert (answer.status, answer.body) == (503, b"moving")


async def test_a_broken_connection_is_retried_on_the_only_instance(
    cluster: FakeCluster,
) -> None:
    service = Service(KEYED, LOST, DONE)
    assert (await ask(cluster, "POST", service)).body == b"done"
    assert len(set(keys(service))) == 1
    assert [one.headers.get("Bookshelf-Try") for one in service.asked] == ["1", "2"]


async def test_the_bookshelf_try_header_of_a_client_is_removed(cluster: FakeCluster) -> None:
    service = Service(KEYED)
    await cluster.add(service)
    await cluster.gateway.start()
    sent = request("POST", "/bookshelf/books", b"", Idempotency_Key="k", Bookshelf_Try="1")
    await cluster.gateway.handle(sent)
    assert "Bookshelf-Try" not in service.asked[0].headers


async def test_an_attempt_past_its_time_limit_has_no_response(cluster: FakeCluster) -> None:
    assert problem(await ask(cluster, "POST", Service(BOOKS, never))) == (504, "gateway-timeout")


async def test_a_query_is_retried_while_a_partition_moves(cluster: FakeCluster, paused: list[float]) -> None:
    service = Service(BOOKS, MOVING, MOVING, DONE)
    assert (await ask(cluster, "GET", service)).body == b"done"
    assert (asked(service), paused) == ([3], [0.1, 0.2])


async def test_a_command_with_a_key_is_retried_with_the_same_body(
    cluster: FakeCluster, paused: list[float]
) -> None:
    service = Service(BOOKS, MOVING, DONE)
    assert (await ask(cluster, "POST", service, key="k")).body == b"done"
    assert (service.bodies, paused) == ([b"{}", b"{}"], [0.1])


async def test_a_command_without_a_key_is_not_retried(cluster: FakeCluster, paused: list[float]) -> None:
    answer = await ask(cluster, "POST", Service(BOOKS, MOVING, DONE))
    assert (answer.status, answer.body, answer.headers["Retry-After"], paused) == (503, b"moving", "1", [])


async def test_a_503_is_forwarded_when_a_move_takes_too_long(cluster: FakeCluster) -> None:
    service = Service(BOOKS, MOVING)
    answer = await ask(cluster, "GET", service)
    assert (answer.status, answer.headers["Retry-After"], asked(service)) == (503, "1", [6])


async def test_a_503_without_retry_after_is_not_retried(cluster: FakeCluster) -> None:
    service = Service(BOOKS, Response(503, {}), DONE)
    assert (await ask(cluster, "GET", service)).status == 503


async def test_a_discarded_response_is_drained(cluster: FakeCluster) -> None:
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        async for piece in pieces(b"a", b"b"):
            read.append(piece)
            yield piece

    service = Service(BOOKS, Response(503, {"Retry-After": "1"}, body()), DONE)
    assert (await ask(cluster, "GET", service)).body == b"done"
    assert read == [b"a", b"b"]


async def test_a_response_that_stops_is_aborted(cluster: FakeCluster) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        await never()

    answer = await ask(cluster, "GET", Service(BOOKS, Response(200, {}, body())))
    with pytest.raises(BrokenBody):
        await whole(answer)

"""What the gateway knows of services: from the first moment, and while they come and go."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from support.upstream import FakeCluster, Service, eventually, json_of, openapi_document

from bookshelf.discovery.local import LocalDiscovery
from bookshelf.discovery.port import Snapshot
from bookshelf.http.client import LocalTransport
from bookshelf.http.message import Response, request
from gateway.app import Gateway

OLD = openapi_document("books", ("books",), "GET /books")


async def status(cluster: FakeCluster, target: str) -> int:
    return (await cluster.gateway.handle(request("GET", target))).status


async def test_until_anything_is_known_everything_may_come(cluster: FakeCluster) -> None:
    for target in ("/bookshelf/books", "/bookshelf/nonsense", "/health/ready"):
        answer = await cluster.gateway.handle(request("GET", target))
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert json_of(answer)["detail"] == "discovery has not answered yet"
    await cluster.gateway.start()
    answer = await cluster.gateway.handle(request("GET", "/bookshelf/books"))
    assert (answer.status, json_of(answer)["detail"]) == (503, "no service is ready yet")


async def test_it_is_ready_once_a_service_is_known(cluster: FakeCluster) -> None:
    await cluster.gateway.start()
    assert await status(cluster, "/health/ready") == 503
    await cluster.add(Service(OLD))
    await cluster.gateway.directory.settled()
    await eventually(lambda: cluster.gateway.directory.can_route)
    assert await status(cluster, "/health/ready") == 200
    assert await status(cluster, "/bookshelf/books") == 200


async def test_a_start_returns_when_all_ready_services_are_known(cluster: FakeCluster) -> None:
    for name in "abc":
        await cluster.add(Service(openapi_document(name, (name,), f"GET /{name}")))
    await cluster.gateway.start()
    assert [await status(cluster, f"/bookshelf/{name}") for name in "abcd"] == [200, 200, 200, 404]


async def test_the_document_of_a_version_is_loaded_once(cluster: FakeCluster) -> None:
    services = [Service(OLD) for _ in range(4)]
    for service in services:
        await cluster.add(service)
    await cluster.gateway.start()
    await cluster.discovery.deregister(cluster.instances[0].id)
    await cluster.add(services[0])
    assert sum(service.documents for service in services) == 1


async def test_no_404_is_answered_while_a_service_is_not_loaded(cluster: FakeCluster) -> None:
    await cluster.add(Service(OLD))
    await cluster.gateway.start()
    assert await status(cluster, "/bookshelf/other") == 404
    other = Service(openapi_document("other", ("other",), "GET /other"))
    instance = await cluster.add(other, there=False)
    await eventually(lambda: cluster.gateway.directory.missing() is not None)
    answer = await cluster.gateway.handle(request("GET", "/bookshelf/other"))
    assert (answer.status, json_of(answer)["detail"]) == (
        503,
        "what these services serve is not known yet: other",
    )
    assert await status(cluster, "/bookshelf/books") == 200
    cluster.transport.attach(instance.address, instance.port, other)
    await eventually(lambda: cluster.gateway.directory.missing() is None)
    assert await status(cluster, "/bookshelf/other") == 200


@pytest.mark.parametrize(
    "wrong",
    [
        Response(404, {}, b"{}"),
        Response(200, {}, b"<html>"),
        Response(200, {}, b'{"x-bookshelf":{"service":"another","tags":["t"]}}'),
    ],
)
async def test_an_invalid_document_is_loaded_again(cluster: FakeCluster, wrong: Response) -> None:
    service = Service(OLD)
    service.documents_first = [wrong]
    await cluster.add(service)
    await cluster.gateway.start()
    assert await status(cluster, "/bookshelf/books") == 200
    assert service.documents == 2


async def test_a_document_is_loaded_from_another_instance_if_one_fails(cluster: FakeCluster) -> None:
    await cluster.add(Service(OLD), there=False)
    await cluster.add(Service(OLD))
    await cluster.gateway.start()
    assert await status(cluster, "/bookshelf/books") == 200


async def test_routes_are_added_with_a_new_version_and_removed_with_the_last_old_instance(
    cluster: FakeCluster,
) -> None:
    old = await cluster.add(Service(openapi_document("books", ("books",), "GET /old")), "1")
    await cluster.gateway.start()
    await cluster.add(Service(openapi_document("books", ("books",), "GET /new")), "2")
    await eventually(lambda: "/new" in paths(cluster))
    assert paths(cluster) == {"/old", "/new"}
    await cluster.discovery.deregister(old.id)
    await eventually(lambda: paths(cluster) == {"/new"})
    assert await status(cluster, "/bookshelf/old") == 404


async def test_the_document_of_a_foreign_service_is_loaded_again_at_another_address(
    cluster: FakeCluster,
) -> None:
    guest = Service(openapi_document("guest", ("guest",), "GET /old"))
    made = await cluster.add(guest)
    await cluster.discovery.register(msgspec.structs.replace(made, foreign=True))
    await cluster.gateway.start()
    guest.document = openapi_document("guest", ("guest",), "GET /new")
    cluster.transport.attach(made.address, 7, guest)
    await cluster.discovery.register(msgspec.structs.replace(made, foreign=True, port=7))
    await eventually(lambda: paths(cluster) == {"/new"})
    assert await status(cluster, "/bookshelf/new") == 200


async def test_a_document_that_breaks_its_reader_delays_no_other_service(
    cluster: FakeCluster,
) -> None:
    evil = Service(OLD)
    evil.documents_first = [Response(200, {}, "no bytes")] * 20  # type: ignore[arg-type]  # a defect
    await cluster.add(evil)
    await cluster.add(Service(openapi_document("late", ("late",), "GET /late")))
    await cluster.gateway.start()
    assert await status(cluster, "/bookshelf/late") == 200


def paths(cluster: FakeCluster) -> set[str]:
    return set(msgspec.json.decode(cluster.gateway.directory.document)["paths"])


class Stumbling(LocalDiscovery):
    """Fails its first watcher, and leaves its second after one snapshot."""

    def __init__(self) -> None:
        super().__init__()
        self.watchers = 0

    async def watch(self) -> AsyncIterator[Snapshot]:
        self.watchers += 1
        if self.watchers == 1:
            raise OSError("the registry is away")
        async for snapshot in super().watch():
            yield snapshot
            if self.watchers == 2:
                return


async def test_a_failed_watch_of_discovery_is_restarted() -> None:
    discovery, transport = Stumbling(), LocalTransport()
    gateway = Gateway(discovery, transport)
    cluster = FakeCluster(gateway, discovery, transport)
    await cluster.add(Service(OLD))
    await gateway.start()
    assert await status(cluster, "/bookshelf/books") == 200
    await cluster.add(Service(openapi_document("late", ("late",), "GET /late")))
    await eventually(lambda: "/late" in paths(cluster))
    await gateway.stop()


async def test_a_gateway_that_never_started_can_be_stopped_and_one_that_did_twice() -> None:
    gateway = Gateway(LocalDiscovery(), LocalTransport())
    await gateway.stop()
    await gateway.start()
    await gateway.stop()
    await gateway.stop()


async def test_no_405_is_answered_while_a_service_is_not_loaded(
    cluster: FakeCluster,
) -> None:
    await cluster.add(Service(OLD))
    await cluster.gateway.start()
    other = Service(openapi_document("other", ("other",), "POST /books"))
    instance = await cluster.add(other, there=False)
    await eventually(lambda: cluster.gateway.directory.missing() is not None)
    answer = await cluster.gateway.handle(request("POST", "/bookshelf/books"))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    cluster.transport.attach(instance.address, instance.port, other)
    await eventually(lambda: cluster.gateway.directory.missing() is None)
    assert (await cluster.gateway.handle(request("POST", "/bookshelf/books"))).status == 200
    answer = await cluster.gateway.handle(request("DELETE", "/bookshelf/books"))
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")

"""What the gateway knows of services: from the first moment, and while they come and go."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from support.upstream import Service, Town, described, eventually, said

from bookshelf.discovery.local import LocalDiscovery
from bookshelf.discovery.port import Snapshot
from bookshelf.http.client.transport import LocalTransport
from bookshelf.http.message import Response, request
from gateway.app import Gateway

OLD = described("books", ("books",), "GET /books")


async def status(town: Town, target: str) -> int:
    return (await town.gateway.handle(request("GET", target))).status


async def test_until_anything_is_known_everything_may_come(town: Town) -> None:
    for target in ("/bookshelf/books", "/bookshelf/nonsense", "/health/ready"):
        answer = await town.gateway.handle(request("GET", target))
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert said(answer)["detail"] == "discovery has not answered yet"
    await town.gateway.start()
    answer = await town.gateway.handle(request("GET", "/bookshelf/books"))
    assert (answer.status, said(answer)["detail"]) == (503, "no service is ready yet")


async def test_it_is_ready_once_a_service_is_known(town: Town) -> None:
    await town.gateway.start()
    assert await status(town, "/health/ready") == 503
    await town.add(Service(OLD))
    await town.gateway.directory.settled()
    await eventually(lambda: town.gateway.directory.can_route)
    assert await status(town, "/health/ready") == 200
    assert await status(town, "/bookshelf/books") == 200


async def test_a_start_returns_when_all_who_are_ready_are_known(town: Town) -> None:
    for name in "abc":
        await town.add(Service(described(name, (name,), f"GET /{name}")))
    await town.gateway.start()
    assert [await status(town, f"/bookshelf/{name}") for name in "abcd"] == [200, 200, 200, 404]


async def test_each_edition_is_asked_once_however_many_instances_run(town: Town) -> None:
    services = [Service(OLD) for _ in range(4)]
    for service in services:
        await town.add(service)
    await town.gateway.start()
    await town.discovery.deregister(town.instances[0].id)
    await town.add(services[0])
    assert sum(service.documents for service in services) == 1


async def test_as_long_as_a_service_is_not_known_nothing_is_said_not_to_exist(town: Town) -> None:
    await town.add(Service(OLD))
    await town.gateway.start()
    assert await status(town, "/bookshelf/other") == 404
    other = Service(described("other", ("other",), "GET /other"))
    instance = await town.add(other, there=False)
    await eventually(lambda: town.gateway.directory.missing() is not None)
    answer = await town.gateway.handle(request("GET", "/bookshelf/other"))
    assert (answer.status, said(answer)["detail"]) == (
        503,
        "what these services serve is not known yet: other",
    )
    assert await status(town, "/bookshelf/books") == 200
    town.transport.attach(instance.address, instance.port, other)
    await eventually(lambda: town.gateway.directory.missing() is None)
    assert await status(town, "/bookshelf/other") == 200


@pytest.mark.parametrize(
    "wrong",
    [
        Response(404, {}, b"{}"),
        Response(200, {}, b"<html>"),
        Response(200, {}, b'{"x-bookshelf":{"service":"another","tags":["t"]}}'),
    ],
)
async def test_what_is_no_document_of_that_service_is_asked_for_again(town: Town, wrong: Response) -> None:
    service = Service(OLD)
    service.documents_first = [wrong]
    await town.add(service)
    await town.gateway.start()
    assert await status(town, "/bookshelf/books") == 200
    assert service.documents == 2


async def test_another_instance_is_asked_when_one_does_not_say(town: Town) -> None:
    await town.add(Service(OLD), there=False)
    await town.add(Service(OLD))
    await town.gateway.start()
    assert await status(town, "/bookshelf/books") == 200


async def test_a_new_edition_brings_its_routes_and_the_last_of_the_old_takes_its_own_away(town: Town) -> None:
    old = await town.add(Service(described("books", ("books",), "GET /old")), "1")
    await town.gateway.start()
    await town.add(Service(described("books", ("books",), "GET /new")), "2")
    await eventually(lambda: "/new" in paths(town))
    assert paths(town) == {"/old", "/new"}
    await town.discovery.deregister(old.id)
    await eventually(lambda: paths(town) == {"/new"})
    assert await status(town, "/bookshelf/old") == 404


async def test_a_stranger_that_changes_is_asked_again_when_it_comes_to_another_place(town: Town) -> None:
    guest = Service(described("guest", ("guest",), "GET /old"))
    made = await town.add(guest)
    await town.discovery.register(msgspec.structs.replace(made, stranger=True))
    await town.gateway.start()
    guest.document = described("guest", ("guest",), "GET /new")
    town.transport.attach(made.address, 7, guest)
    await town.discovery.register(msgspec.structs.replace(made, stranger=True, port=7))
    await eventually(lambda: paths(town) == {"/new"})
    assert await status(town, "/bookshelf/new") == 200


async def test_a_service_that_breaks_what_reads_it_keeps_no_other_from_being_served(town: Town) -> None:
    evil = Service(OLD)
    evil.documents_first = [Response(200, {}, "no bytes")] * 20  # type: ignore[arg-type]  # a defect
    await town.add(evil)
    await town.add(Service(described("late", ("late",), "GET /late")))
    await town.gateway.start()
    assert await status(town, "/bookshelf/late") == 200


def paths(town: Town) -> set[str]:
    return set(msgspec.json.decode(town.gateway.directory.document)["paths"])


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


async def test_a_discovery_that_fails_or_ends_is_followed_again() -> None:
    discovery, transport = Stumbling(), LocalTransport()
    gateway = Gateway(discovery, transport)
    town = Town(gateway, discovery, transport)
    await town.add(Service(OLD))
    await gateway.start()
    assert await status(town, "/bookshelf/books") == 200
    await town.add(Service(described("late", ("late",), "GET /late")))
    await eventually(lambda: "/late" in paths(town))
    await gateway.stop()


async def test_a_gateway_that_never_started_can_be_stopped_and_one_that_did_twice() -> None:
    gateway = Gateway(LocalDiscovery(), LocalTransport())
    await gateway.stop()
    await gateway.start()
    await gateway.stop()
    await gateway.stop()


async def test_no_method_is_said_not_to_be_taken_as_long_as_a_service_may_take_it(town: Town) -> None:
    await town.add(Service(OLD))
    await town.gateway.start()
    other = Service(described("other", ("other",), "POST /books"))
    instance = await town.add(other, there=False)
    await eventually(lambda: town.gateway.directory.missing() is not None)
    answer = await town.gateway.handle(request("POST", "/bookshelf/books"))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    town.transport.attach(instance.address, instance.port, other)
    await eventually(lambda: town.gateway.directory.missing() is None)
    assert (await town.gateway.handle(request("POST", "/bookshelf/books"))).status == 200
    answer = await town.gateway.handle(request("DELETE", "/bookshelf/books"))
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")

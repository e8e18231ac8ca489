"""Services behind a gateway in tests, with given responses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec

from bookshelf.discovery.local import LocalDiscovery
from bookshelf.discovery.port import Instance
from bookshelf.http.client import LocalTransport
from bookshelf.http.message import Request, Response
from gateway.app import Gateway

HOST = "127.0.0.1"
#: Seconds after which a test has waited for too long.
DEADLINE_S = 30.0

Answer = Callable[[Request], Awaitable[Response]]


Json = dict[str, Any]


def openapi_document(service: str, tags: Iterable[str], *routes: str) -> Json:
    """Return the OpenAPI document of a service with such routes: "GET /books"."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        method, path = route.split(" ")
        paths.setdefault(path, {})[method.lower()] = {"summary": service}
    return {"x-bookshelf": {"service": service, "tags": list(tags)}, "paths": paths}


async def whole(response: Response) -> bytes:
    """Return an answer's body."""
    if isinstance(response.body, bytes):
        return response.body
    return b"".join([piece async for piece in response.body])


def json_of(response: Response) -> Json:
    """Return the JSON object of an answer that is here already."""
    assert isinstance(response.body, bytes)
    return msgspec.json.decode(response.body, type=Json)


class Service:
    """One instance of a service. It keeps each request, and its body; `answers` are given in turn, the last
    repeatedly: a response, a fault, or a function of the request."""

    def __init__(self, document: Mapping[str, Any], *answers: Response | Exception | Answer) -> None:
        self.document = document
        self.answers = list(answers) or [Response(200, {})]
        self.asked: list[Request] = []
        self.bodies: list[bytes] = []
        self.documents = 0
        #: Answers in place of the document, the first times.
        self.documents_first: list[Response] = []

    async def handle(self, request: Request) -> Response:
        """Answer."""
        if request.target == "/openapi.json":
            self.documents += 1
            if self.documents_first:
                return self.documents_first.pop()
            return Response(200, {"Content-Type": "application/json"}, msgspec.json.encode(self.document))
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Response):
            self.bodies.append(await request.body.read(1 << 30))
            return Response(answer.status, answer.headers, answer.body)
        return await answer(request)


class FakeCluster:
    """Services within reach of one gateway."""

    def __init__(self, gateway: Gateway, discovery: LocalDiscovery, transport: LocalTransport) -> None:
        self.gateway = gateway
        self.discovery = discovery
        self.transport = transport
        self.instances: list[Instance] = []

    async def add(self, service: Service, version: str = "1", *, there: bool = True, **meta: str) -> Instance:
        """Register a ready instance; one that is not `there` is registered and unreachable."""
        origin = service.document["x-bookshelf"]
        made = Instance(
            id=f"{origin['service']}-{len(self.instances)}",
            service=origin["service"],
            tags=tuple(origin["tags"]),
            address=HOST,
            port=1000 + len(self.instances),
            meta={"version": version, "openapi": "/openapi.json", **meta},
        )
        self.instances.append(made)
        if there:
            self.transport.attach(made.address, made.port, service)
        await self.discovery.register(made)
        return made

    def leave(self, instance: Instance) -> None:
        """Make an instance unreachable; discovery still lists it."""
        self.transport.detach(instance.address, instance.port)


async def eventually(true: Callable[[], bool]) -> None:
    """Wait for a condition that other tasks bring about."""
    async with asyncio.timeout(DEADLINE_S):
        while not true():  # noqa: ASYNC110 (what brings it about has no event for it)
            await asyncio.sleep(0.001)  # sleep: between two looks at the condition


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    """Yield the parts one by one."""
    for part in parts:
        yield part


async def never(_request: Request | None = None) -> Response:
    """Wait until cancelled."""
    await asyncio.Event().wait()
    raise AssertionError("an event that is never set")

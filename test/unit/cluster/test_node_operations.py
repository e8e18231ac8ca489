"""The requests of operators at the admin API of a node: where they go."""

import msgspec
import pytest

from bookshelf.cli.node_operations import DomainOperations
from bookshelf.discovery.local import LocalDiscovery
from bookshelf.discovery.port import Instance
from bookshelf.http.client import HttpTransport, LocalTransport
from bookshelf.http.message import Request, Response, request
from bookshelf.runtime.api.identity import SignedCallers

CALLERS = SignedCallers(b"a secret of this test")


class NotedRequests:
    """A service that notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def handle(self, asked: Request) -> Response:
        """Answer a request."""
        self.asked.append(f"{CALLERS.of(asked).actor} {asked.target}")
        return Response(200, {"Location": "/cluster/rollouts/r1"}, b"{}")


async def test_requests_of_operators_go_to_our_own_instances_only() -> None:
    discovery, transport = LocalDiscovery(), LocalTransport(HttpTransport())
    ours, stranger = NotedRequests(), NotedRequests()
    transport.attach("ours", 1, ours)
    transport.attach("stranger", 1, stranger)
    operations = DomainOperations(discovery, transport, CALLERS)
    tags = ("cluster", "rollouts")
    foreign = Instance(id="a", service="rollouts", tags=tags, address="stranger", port=1, foreign=True)
    await discovery.register(foreign)
    assert (await operations.handle(request("GET", "/bookshelf/cluster/status"))).status == 503
    await discovery.register(msgspec.structs.replace(foreign, id="b", address="ours", foreign=False))
    assert (await operations.handle(request("GET", "/bookshelf/cluster/status"))).status == 200
    assert (ours.asked, stranger.asked) == (["operator /cluster/status"], [])


@pytest.mark.parametrize(
    ("method", "target", "service"),
    [
        ("GET", "/cluster/locks", "locks"),
        ("GET", "/cluster/sessions?service=carts", "sessions"),
        ("DELETE", "/cluster/sessions/0123456789abcdefghijkl", "sessions"),
        ("GET", "/cluster/members", "rollouts"),
        ("POST", "/cluster/rollouts/r1/commit", "rollouts"),
        ("POST", "/cluster/agents/commands", None),
        ("POST", "/cluster/locks/nightly/acquire", None),
        ("GET", "/cluster/locks/events", None),
        ("POST", "/cluster/sessions/0123456789abcdefghijkl/commands", None),
    ],
)
async def test_each_request_goes_to_the_service_that_answers_it(
    method: str, target: str, service: str | None
) -> None:
    discovery, transport = LocalDiscovery(), LocalTransport(HttpTransport())
    noted = {name: NotedRequests() for name in ("locks", "sessions", "rollouts")}
    for name, asked in noted.items():
        transport.attach(name, 1, asked)
        one = Instance(id=name, service=name, tags=("cluster", name), address=name, port=1)
        await discovery.register(one)
    operations = DomainOperations(discovery, transport, CALLERS)
    answer = await operations.handle(request(method, f"/bookshelf{target}", b""))
    assert answer.status == (404 if service is None else 200)
    assert answer.headers.get("Location") == (None if service is None else "/bookshelf/cluster/rollouts/r1")
    expected = {} if service is None else {service: [f"operator {target}"]}
    assert {name: asked.asked for name, asked in noted.items() if asked.asked} == expected

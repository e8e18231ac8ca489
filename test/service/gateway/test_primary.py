"""The rule `primary`: requests of a group go to its primary only, and to the next one when that is lost."""

import asyncio
from typing import Any

import pytest
from support.fake_locks import FakeLocks
from support.until import eventually as until_true
from support.upstream import (
    FakeCluster,
    Service,
    eventually,
    json_of,
    never,
    openapi_document,
    pieces,
    whole,
)

from bookshelf.http.client import NoResponse, Unreachable
from bookshelf.http.message import Response, request
from gateway.routing.rules import BadRules

COUNTERS = openapi_document("counters", ("counters",), "GET /counters", "POST /counters")
KEYED = openapi_document("counters", ("counters",), "POST /counters")
KEYED["paths"]["/counters"]["parameters"] = [{"name": "Idempotency-Key", "in": "header"}]
TOKEN = "Bookshelf-Fencing-Token"  # noqa: S105 (no secret)
DONE = Response(200, {}, b"done")
LOST, GONE = NoResponse("cut"), Unreachable("refused")


def put_rules(cluster: FakeCluster, **given: Any) -> None:  # noqa: ANN401 (tables of rules)
    """Put rules into force, as the rules file does."""
    cluster.gateway.rules.set_own(cluster.gateway.rules.take(given))


class Group:
    """A gateway with a rule, the service `locks`, and two instances of the group counters."""

    def __init__(self, cluster: FakeCluster, *instances: Service) -> None:
        self.cluster = cluster
        self.locks = FakeLocks()
        self.nodes = instances
        self.registered: list[Any] = []

    async def start(self, wait_s: float = 60.0) -> "Group":
        await self.cluster.add(self.locks)
        for number, service in enumerate(self.nodes, 1):
            self.registered.append(await self.cluster.add(service, group="counters", holder=f"node{number}"))
        put_rules(self.cluster, primary=[{"group": "counters", "wait_s": wait_s}])
        await self.cluster.gateway.start()
        return self

    async def ask(self, method: str = "GET", **headers: str) -> Response:
        content = b"{}" if method == "POST" else b""
        return await self.cluster.gateway.handle(request(method, "/bookshelf/counters", content, **headers))

    @property
    def asked(self) -> list[int]:
        return [len(service.asked) for service in self.nodes]


async def test_requests_go_to_the_primary_with_its_token_and_the_backup_gets_none(
    cluster: FakeCluster,
) -> None:
    group = await Group(cluster, Service(COUNTERS, DONE), Service(COUNTERS, DONE)).start()
    group.locks.hold("counters", "node2", 7)
    for _ in range(10):
        assert (await group.ask(**{TOKEN: "99"})).status == 200
    assert group.asked == [0, 10]
    assert {asked.headers[TOKEN] for asked in group.nodes[1].asked} == {"7"}


async def test_requests_wait_for_a_primary(cluster: FakeCluster) -> None:
    group = await Group(cluster, Service(COUNTERS, DONE), Service(COUNTERS, DONE)).start()
    asking = [asyncio.create_task(group.ask()) for _ in range(5)]
    await eventually(lambda: group.locks.opened > 0)
    assert group.asked == [0, 0]
    group.locks.hold("counters", "node1", 7)
    assert [answer.status for answer in await asyncio.gather(*asking)] == [200] * 5
    assert group.asked == [5, 0]


async def waits_of(cluster: FakeCluster) -> list[float]:
    """Return the metrics of what waits for the service: now, all together, and what was refused."""
    page = (await whole(await cluster.gateway.handle(request("GET", "/metrics")))).decode()
    names = ("waiting", "waited_total", "waits_refused_total")
    lines = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    return [float(lines[f'bookshelf_gateway_{name}{{upstream="counters"}}']) for name in names]


async def test_metrics_count_what_waits_for_a_primary(cluster: FakeCluster) -> None:
    group = await Group(cluster, Service(COUNTERS, DONE)).start()
    asking = [asyncio.create_task(group.ask()) for _ in range(3)]
    await eventually(lambda: group.locks.opened > 0)

    async def wait() -> bool:
        return await waits_of(cluster) == [3, 3, 0]

    await until_true(wait, "three wait")
    group.locks.hold("counters", "node1", 7)
    await asyncio.gather(*asking)
    assert (await group.ask()).status == 200  # there is a primary: it does not wait
    assert await waits_of(cluster) == [0, 3, 0]
    group.locks.free("counters")
    put_rules(cluster, primary=[{"group": "counters", "wait_s": 0.0}])

    async def refused() -> bool:
        return (await group.ask()).status == 503

    await until_true(refused, "the gateway has read that the lock is free")
    assert (await waits_of(cluster))[2] >= 1


async def test_without_a_primary_in_time_the_answer_asks_to_try_again(cluster: FakeCluster) -> None:
    group = await Group(cluster, Service(COUNTERS, DONE)).start(wait_s=0.01)
    answer = await group.ask("POST")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert "no primary" in json_of(answer)["detail"]
    assert group.asked == [0]


async def test_a_holder_that_is_not_ready_is_waited_for(cluster: FakeCluster) -> None:
    """A primary that stops is no longer registered, and holds the lock until its last answer."""
    group = await Group(cluster, Service(COUNTERS, DONE), Service(COUNTERS, DONE)).start()
    group.locks.hold("counters", "node1", 7)
    assert (await group.ask()).status == 200
    await cluster.discovery.deregister(group.registered[0].id)
    asking = asyncio.create_task(group.ask())
    await asyncio.sleep(0)  # sleep: lets the request begin to wait
    group.locks.hold("counters", "node2", 9)
    assert (await asking).status == 200
    assert group.asked == [1, 1]


@pytest.mark.parametrize("fault", [GONE, LOST], ids=["refuses connections", "breaks off"])
async def test_a_keyed_command_follows_when_the_primary_is_killed(
    cluster: FakeCluster, fault: Exception
) -> None:
    group = await Group(cluster, Service(KEYED, fault), Service(KEYED, DONE)).start()
    group.locks.hold("counters", "node1", 7)
    asking = asyncio.create_task(group.ask("POST"))
    await eventually(lambda: group.asked[0] > 0)
    group.locks.free("counters")
    group.locks.hold("counters", "node2", 9)
    assert (await asking).status == 200
    first, second = group.nodes[0].asked[0], group.nodes[1].asked[0]
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert second.headers[TOKEN] == "9"


async def test_a_command_without_a_key_that_may_have_been_carried_out_is_not_sent_again(
    cluster: FakeCluster,
) -> None:
    group = await Group(cluster, Service(COUNTERS, LOST), Service(COUNTERS, DONE)).start()
    group.locks.hold("counters", "node1", 7)
    asking = asyncio.create_task(group.ask("POST"))
    await eventually(lambda: group.asked[0] > 0)
    group.locks.hold("counters", "node2", 9)
    assert (await asking).status == 504
    assert group.asked[1] == 0


async def test_a_request_at_a_primary_that_was_stopped_is_sent_to_the_next_one(cluster: FakeCluster) -> None:
    group = await Group(cluster, Service(COUNTERS, never), Service(COUNTERS, DONE)).start()
    group.locks.hold("counters", "node1", 7)
    asking = asyncio.create_task(group.ask())
    await eventually(lambda: group.asked[0] > 0)
    group.locks.hold("counters", "node2", 9)
    assert (await asking).status == 200
    assert group.asked == [1, 1]


async def test_the_same_holder_with_another_lease_has_another_token(cluster: FakeCluster) -> None:
    group = await Group(cluster, Service(COUNTERS, DONE)).start()
    for token in (7, 9):
        group.locks.hold("counters", "node1", token)

        async def is_known(token: int = token) -> bool:
            await group.ask()
            return group.nodes[0].asked[-1].headers[TOKEN] == str(token)

        await until_true(is_known, "the token is known")


async def test_a_stream_of_the_primary_is_passed_on(cluster: FakeCluster) -> None:
    async def streamed(_request: object) -> Response:
        return Response(200, {}, pieces(b"a", b"b"))

    group = await Group(cluster, Service(COUNTERS, streamed)).start()
    group.locks.hold("counters", "node1", 7)
    assert await whole(await group.ask()) == b"ab"


async def test_without_a_rule_every_instance_is_called_and_the_locks_are_not_followed(
    cluster: FakeCluster,
) -> None:
    group = await Group(cluster, Service(COUNTERS, DONE), Service(COUNTERS, DONE)).start()
    group.locks.hold("counters", "node1", 7)
    put_rules(cluster)
    for _ in range(50):
        await group.ask(**{TOKEN: "5"})
    assert min(group.asked) > 0
    assert {asked.headers[TOKEN] for node in group.nodes for asked in node.asked} == {"5"}


async def test_locks_that_cannot_be_followed_leave_the_last_primary_in_use(cluster: FakeCluster) -> None:
    group = await Group(cluster, Service(COUNTERS, DONE), Service(COUNTERS, DONE)).start()
    group.locks.hold("counters", "node1", 7)
    assert (await group.ask()).status == 200
    await cluster.discovery.deregister(cluster.instances[0].id)
    assert (await group.ask()).status == 200
    assert group.asked == [2, 0]


@pytest.mark.parametrize(
    ("rules", "match"),
    [
        ([{"group": ""}], "group"),
        ([{"group": "a b"}], "group"),
        ([{"wait_s": 1}], "group"),
        ([{"group": "a", "wait_s": -1}], "wait_s"),
        ([{"group": "a", "waits": 1}], "waits"),
        ([{"group": "a"}, {"group": "a"}], "two rules"),
        ({"group": "a"}, "primary"),
    ],
)
def test_a_wrong_rule_is_refused(cluster: FakeCluster, rules: object, match: str) -> None:
    with pytest.raises(BadRules, match=match):
        put_rules(cluster, primary=rules)

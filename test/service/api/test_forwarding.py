"""A command at the wrong instance is forwarded to the owner of its partition."""

from collections.abc import Mapping

import pytest

from bookshelf.discovery.local import LocalDiscovery
from bookshelf.discovery.port import Instance
from bookshelf.http.client import NoResponse, Unreachable
from bookshelf.http.message import Request, Response, request
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.forwarding import COMMAND, OwnerForwarder
from bookshelf.runtime.api.ownership import owns

MOVING, DONE = Response(503, {"Retry-After": "1"}), Response(201, {})


class FakeInstances:
    """Answers by port; other ports are unreachable."""

    def __init__(self, answers: Mapping[int, Response | Exception]) -> None:
        self._answers = answers
        self.asked: list[tuple[int, str]] = []

    async def send(self, _address: str, port: int, sent: Request) -> Response:
        self.asked.append((port, sent.headers[COMMAND]))
        answer = self._answers.get(port, Unreachable("refused"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        """Hold nothing."""


async def forwarded(
    instances: FakeInstances, *claims: tuple[int, frozenset[int]], sent: Request | None = None
) -> Response | None:
    discovery = LocalDiscovery()
    for port, partitions in claims:
        meta = owns("newbook", partitions, 32)
        made = Instance(
            id=f"newbook-{port}", service="newbook", tags=("new",), address="here", port=port, meta=meta
        )
        await discovery.register(made)
    sent = sent or request("POST", "/books", b"{}")
    return await OwnerForwarder("newbook", discovery, instances).send(sent, b"{}", "c1", 3)


def status(answer: Response | None) -> int | None:
    return None if answer is None else answer.status


async def test_a_command_is_forwarded_to_the_owner_with_its_id() -> None:
    instances = FakeInstances({1: MOVING, 2: DONE})
    assert status(await forwarded(instances, (1, frozenset({0, 1, 30})), (2, frozenset({2, 3})))) == 201
    assert instances.asked == [(2, "c1")]


async def test_an_unreachable_instance_that_claims_the_partition_is_skipped() -> None:
    instances = FakeInstances({2: DONE})
    assert status(await forwarded(instances, (1, frozenset({3})), (2, frozenset({3})))) == 201


async def test_a_former_owner_is_skipped() -> None:
    instances = FakeInstances({1: MOVING, 2: DONE})
    assert status(await forwarded(instances, (1, frozenset({3})), (2, frozenset({3})))) == 201
    assert [port for port, _ in instances.asked] == [1, 2]


async def test_a_forwarded_command_without_a_response_is_not_sent_again() -> None:
    instances = FakeInstances({1: NoResponse("cut"), 2: DONE})
    with pytest.raises(Problem, match="whether this was done is not known"):
        await forwarded(instances, (1, frozenset({3})), (2, frozenset({3})))
    assert [port for port, _ in instances.asked] == [1]


@pytest.mark.parametrize(("given", "named"), [({}, "c1"), ({"Idempotency_Key": '"k"'}, "k")])
async def test_a_lost_forwarded_command_names_its_key(given: dict[str, str], named: str) -> None:
    with pytest.raises(Problem) as fault:
        await forwarded(
            FakeInstances({1: NoResponse("cut")}),
            (1, frozenset({3})),
            sent=request("POST", "/books", b"{}", **given),
        )
    assert f"Idempotency-Key: {named}" in fault.value.detail
    assert fault.value.headers == {"Idempotency-Key": named}
    assert fault.value.members == {"idempotency-key": named}


async def test_a_moving_partition_is_answered_503() -> None:
    instances = FakeInstances({1: MOVING, 2: MOVING})
    assert status(await forwarded(instances, (1, frozenset({3})), (2, frozenset({3})))) == 503


@pytest.mark.parametrize("claims", [[], [(1, frozenset[int]())], [(1, frozenset({3}))]])
async def test_a_partition_without_a_reachable_owner_gets_no_answer(
    claims: list[tuple[int, frozenset[int]]],
) -> None:
    assert await forwarded(FakeInstances({}), *claims) is None


async def test_a_command_is_forwarded_at_most_once() -> None:
    instances = FakeInstances({1: DONE})
    hopped = request("POST", "/books", b"{}", Bookshelf_Command="c0")
    assert await forwarded(instances, (1, frozenset({3})), sent=hopped) is None
    assert instances.asked == []

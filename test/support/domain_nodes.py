"""Nodes of a domain in this process: agents on one log, with a kind of item that notes what is applied."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import Any, Self, cast

import msgspec
from support.shelf import DEADLINE_S, Answered, Shelf
from support.until import eventually

from bookshelf.cluster.domain import RolloutLimits, domain_aggregate
from bookshelf.cluster.handlers import AGENT_COMMANDS, rollout_routes
from bookshelf.cluster.node import DomainNode
from bookshelf.cqrs.item import ItemChange, ItemProblem
from bookshelf.cqrs.message import Command
from bookshelf.cqrs.service import Service
from bookshelf.http.message import Request, Response, request
from bookshelf.log.port import Log, LogFault, Record, Tail
from bookshelf.runtime.agent.agent import NodeAgent
from bookshelf.runtime.agent.domain_client import DomainClient
from bookshelf.runtime.agent.gate import Admissions
from bookshelf.runtime.agent.item import AppliedItem, ItemRefused, Undo
from bookshelf.runtime.agent.pause import Pause, ServiceGate
from bookshelf.runtime.agent.policy import PolicyGate

DOMAIN = domain_aggregate(RolloutLimits())

ROLLOUTS = Service(
    name="rollouts",
    summary="Rollouts",
    tags=("cluster", "rollouts"),
    port=8130,
    runs=(DOMAIN,),
    serves=rollout_routes(DOMAIN, "blue", lambda _change: ()),
)
SETTING = {"kind": "settings", "content": "log_level = 'debug'\n"}


class NotedKind:
    """Settings that are noted. A node can refuse to load, to deploy or to undo the next ones."""

    def __init__(self) -> None:
        self.content = ""
        self.refuses: str | None = None
        self.breaks = False
        #: Its next deployment cannot be undone.
        self.stays = False
        self.may_load = asyncio.Event()
        self.may_load.set()

    def check(self, _change: ItemChange) -> tuple[ItemProblem, ...]:
        return ()

    def concerns(self, _change: ItemChange) -> Collection[str] | None:
        return None

    async def load(self, change: ItemChange) -> AppliedItem:
        await self.may_load.wait()
        if self.refuses is not None:
            raise ItemRefused(self.refuses)
        return AppliedItem(lambda: self._apply(change.content))

    def _apply(self, content: str) -> Undo:
        if self.breaks:
            msg = "it breaks"
            raise OSError(msg)
        former, self.content = self.content, content

        def undo() -> None:
            if self.stays:
                self.stays = False
                msg = "it cannot be undone"
                raise OSError(msg)
            self.content = former

        return undo


class CutLog:
    """A log that can be cut off: it then answers nothing and delivers nothing."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.is_cut = False
        #: How often its end was asked for.
        self.asked = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (what the log has)
        return getattr(self._log, name)

    async def end(self, topic: str, partition: int) -> int:
        self.asked += 1
        self.check()
        return await self._log.end(topic, partition)

    async def tail(self, topic: str, partition: int, offset: int) -> "CutTail":
        self.check()
        return CutTail(self, await self._log.tail(topic, partition, offset))

    def replace(self, log: Log) -> None:
        """Go on with another log; tails of the former one end with their next record."""
        self._log = log

    def is_current(self) -> Callable[[], bool]:
        """Return a function that returns True until the log is replaced."""
        log = self._log
        return lambda: self._log is log

    def check(self) -> None:
        if self.is_cut:
            msg = "it is cut off"
            raise LogFault(msg)


class CutTail:
    """A reader of a log that can be cut off."""

    def __init__(self, log: CutLog, tail: Tail) -> None:
        self._log = log
        self._tail = tail
        self._is_current = log.is_current()

    @property
    def position(self) -> int:
        return self._tail.position

    async def take(self, most: int) -> Sequence[Record]:
        records = await self._tail.take(most)
        self._log.check()
        if not self._is_current():
            msg = "it is the tail of another log"
            raise LogFault(msg)
        return records

    async def close(self) -> None:
        await self._tail.close()


def _client_of(shelf: Shelf, members: Callable[[], int]) -> DomainClient:
    ports = shelf.infrastructure
    return DomainClient(
        ports.discovery, ports.transport, ports.callers, ROLLOUTS.tags, AGENT_COMMANDS, members
    )


class TestedNode:
    """One node, with one service."""

    __test__ = False

    def __init__(self, name: str, shelf: Shelf) -> None:
        stands_on = shelf.infrastructure
        self.name = name
        self.kind = NotedKind()
        self.log = CutLog(shelf.log)
        self.machine = DomainNode(name, stands_on.ids.new(), f"http://{name}:1", ["counter"], "1")
        policy = PolicyGate(stands_on.callers)
        self.gate = ServiceGate("counter", policy, self.machine.revision_of, Admissions(b"key"))
        self.client = _client_of(shelf, lambda: len(self.machine.domain.members))
        self.is_silent = False
        self.agent = NodeAgent(
            "blue",
            self.machine,
            cast("Log", self.log),
            {"settings": self.kind},
            Pause({"counter": self.gate}),
            self._send,
            shelf.clock.now,
            drain_s=5.0,
            contact_s=0.2,
            silence_s=0.1,
        )
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def follow(self, shelf: Shelf) -> None:
        """Go on with the log and the services of another shelf."""
        self.log.replace(shelf.log)
        self.client = _client_of(shelf, lambda: len(self.machine.domain.members))

    async def _send(self, command_id: str, command: Command) -> None:
        if self.is_silent:
            raise OSError(self.name)
        await self.client.send(command_id, command)

    async def ask(self, **headers: str) -> Response:
        """Send a request to its service. Raises `Problem`."""

        async def answer(_request: Request, _path: Any) -> Response:  # noqa: ANN401 (a path's values)
            await self.may_answer.wait()
            return Response(200, {}, self.kind.content.encode())

        return await self.gate.around(answer, "/counter", request("GET", "/counter", b"", **headers), {})

    async def start(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.agent.start()
            await self.agent.joined()

    def serves(self, revision: int, content: str) -> bool:
        return (self.machine.domain.revision, self.kind.content, self.gate.paused) == (
            revision,
            content,
            None,
        )


class TestedDomain:
    """The service rollouts, and three nodes."""

    __test__ = False

    def __init__(self, *names: str) -> None:
        self.shelf = Shelf(services=(ROLLOUTS,))
        self.nodes = {name: TestedNode(name, self.shelf) for name in names or "abc"}

    async def __aenter__(self) -> Self:
        await self.shelf.__aenter__()
        await asyncio.gather(*(node.start() for node in self.nodes.values()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes.values():
            node.is_silent = True
            await node.agent.stop()
        await self.shelf.__aexit__(kind, fault, trace)

    async def send(self, method: str, target: str, body: object = None, **headers: str) -> Answered:
        """Send a request of an administrator."""
        content = b"" if body is None else msgspec.json.encode(body)
        headers["Content_Type"] = "application/json"
        made = request(method, target, content, **headers)
        async with asyncio.timeout(DEADLINE_S):
            return Answered(await self.shelf.hosts["rollouts"].api.handle(made))

    async def propose(self, content: str = SETTING["content"], **fields: object) -> Answered:
        change = {"kind": "settings", "content": content}
        return await self.send("POST", "/cluster/rollouts", {"changes": [change], **fields})

    async def until_all_serve(self, revision: int, content: str) -> None:
        async def served() -> bool:
            return all(node.serves(revision, content) for node in self.nodes.values())

        await eventually(served, f"all serve revision {revision}")

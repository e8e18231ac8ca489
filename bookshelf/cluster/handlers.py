"""The requests that open, commit and end rollouts, and the commands of the nodes' agents."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bookshelf.cluster.domain import RolloutLimits, domain_aggregate
from bookshelf.cluster.domain_commands import CommitRollout, ProposeChanges, RecordVote, RollBack
from bookshelf.cluster.domain_state import Domain, RolloutResult
from bookshelf.cluster.events import Barrier
from bookshelf.cluster.items import check_settings
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.config import load
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.handler import INTERNAL, HandlerPorts, HandlerRoute, RequestContext
from bookshelf.cqrs.item import CONTENT_BYTES, ItemChange, ItemProblem, Kind, digest_of
from bookshelf.cqrs.service import Service
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Fault, Problem
from bookshelf.runtime.agent.gathering import Gathering
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.bodies import json_answer
from bookshelf.runtime.decoding import Decoder

PROPOSE, COMMIT = ("cluster:propose",), ("cluster:commit",)
#: The path of the commands of agents. No gateway routes to it.
AGENT_COMMANDS = "/cluster/agents/commands"
#: The most bytes of a proposal.
_MOST_BYTES = 16 << 20
#: Seconds that an answer waits for the nodes, unless the request has another time.
_WAIT_S = 20.0
#: Seconds for which votes of a phase wait for the others. All events of one append reach a node at once.
_GATHER_S = 0.05
_OK, _ACCEPTED, _CONFLICT = 200, 202, 409
#: Returns what is wrong with an item, as far as that is known without a node.
CheckItem = Callable[[ItemChange], tuple[ItemProblem, ...]]


class ProposedChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An item with its new content; of a package its digest."""

    kind: Kind
    name: Annotated[str, Meta(max_length=100)] = ""
    action: Literal["put", "remove"] = "put"
    content: Annotated[str, Meta(max_length=CONTENT_BYTES)] = ""
    digest: Annotated[str, Meta(max_length=100)] = ""


class Proposal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to change on all nodes. `rollout` extends an open one; `wait`: seconds until a 202."""

    changes: Annotated[tuple[ProposedChange, ...], Meta(min_length=1, max_length=200)]
    barrier: Barrier = "commit"
    commit: bool = False
    rollout: Annotated[str, Meta(max_length=100)] | None = None
    wait: Annotated[float, Meta(ge=0, le=60)] = _WAIT_S


class CommitOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The number of changes that the administrator has seen; `wait`: seconds until a 202."""

    changes: int
    wait: Annotated[float, Meta(ge=0, le=60)] = _WAIT_S


class RollbackOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seconds until a 202."""

    wait: Annotated[float, Meta(ge=0, le=60)] = _WAIT_S


class RolloutState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a rollout is: a phase, `unchanged`, `committed`, `aborted` or `rolled-back`.

    `node` and `reason`: what has ended it. `nodes`: those that take part. `waiting`: those of them whose vote
    of the present phase is awaited. `domain`: in the answer to `GET /cluster/status` alone.
    """

    rollout: str
    state: str
    changes: int = 0
    revision: int
    nodes: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    node: str = ""
    reason: str = ""
    domain: str = ""


class AgentCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command of an agent on the domain, with its id."""

    type: str
    id: str
    data: msgspec.Raw


_PROPOSAL, _COMMIT, _ROLLBACK = Decoder(Proposal), Decoder(CommitOrder), Decoder(RollbackOrder)
_AGENT = Decoder(AgentCommand)


class RolloutHandlers:
    """Answers the requests for one domain."""

    def __init__(self, aggregate: Aggregate[Domain], domain: str, check: CheckItem) -> None:
        self._aggregate = aggregate
        self._domain = domain
        self._check = check
        self._commands = {command.TYPE: command for command in aggregate.takes}
        self._votes = Gathering(_GATHER_S)

    async def propose(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Open or extend a rollout; answer when its first phase is complete. Raises `Problem`, `Refused`."""
        asked: Proposal = _PROPOSAL.body(await request.body.read(_MOST_BYTES))
        changes = tuple(map(_change, asked.changes))
        self._check_all(changes)
        rollout, key = ports.new_id(), header_fields.key(request.headers)
        command = ProposeChanges(
            id=rollout,
            actor=context.caller.actor,
            changes=changes,
            barrier=asked.barrier,
            rollout=asked.rollout,
            at=context.at,
        )
        result = await self._ask(ports, context, command, key)
        domain: Domain = result.state
        if domain.rollout is None:
            return _state_answer(domain, rollout)  # nothing changes, or there is no node
        number, rollout = len(domain.rollout.changes), domain.rollout.id
        ready = await self._until(ports, lambda now: _is_prepared(now, rollout, number), asked.wait)
        if asked.commit and ready.rollout is not None and _is_prepared(ready, rollout, number):
            order = CommitRollout(rollout=rollout, changes=number, actor=context.caller.actor, at=ports.now())
            await self._ask(ports, context, order, None)
            return await self._answer(ports, rollout, asked.wait)
        return _state_answer(ready, rollout)

    async def commit(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Commit a prepared rollout; answer when it has ended. Raises `Problem`, `Refused`."""
        asked: CommitOrder = _COMMIT.body(await request.body.read(_MOST_BYTES))
        rollout, actor = context.path["id"], context.caller.actor
        order = CommitRollout(rollout=rollout, changes=asked.changes, actor=actor, at=context.at)
        await self._ask(ports, context, order, None)
        return await self._answer(ports, rollout, asked.wait)

    async def roll_back(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """End a rollout without its changes; answer when it has ended. Raises `Problem`, `Refused`."""
        asked: RollbackOrder = _ROLLBACK.body(await request.body.read(_MOST_BYTES) or b"{}")
        rollout = context.path["id"]
        await self._ask(
            ports, context, RollBack(rollout=rollout, actor=context.caller.actor, at=context.at), None
        )
        ended = await self._until(ports, lambda now: now.result(rollout) is not None, asked.wait)
        return _state_answer(ended, rollout, refused=())

    async def status(self, _request: Request, _context: RequestContext, ports: HandlerPorts) -> Response:
        """Answer with the revision of the domain, its nodes, and the open rollout."""
        domain: Domain = await ports.state(self._aggregate, self._domain)
        state = _state_of(domain, domain.rollout.id if domain.rollout else "")
        return json_answer(_OK, msgspec.structs.replace(state, domain=self._domain))

    async def agent_command(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Carry out a command of an agent. Raises `Problem`, `Refused`."""
        asked: AgentCommand = _AGENT.body(await request.body.read(_MOST_BYTES))
        kind = self._commands.get(asked.type)
        if kind is None:
            raise Problem("malformed", "there is no such command")
        try:
            command = msgspec.json.decode(asked.data, type=kind)
        except msgspec.ValidationError as fault:
            raise Problem("malformed", str(fault)) from None
        if isinstance(command, RecordVote):
            await self._gather(command, request.headers.get(header_fields.MEMBERS, ""))
        await ports.ask(
            self._aggregate, self._domain, command, actor=context.caller.actor, command_id=asked.id
        )
        return Response(204, {"Cache-Control": "no-store"})

    async def _gather(self, vote: RecordVote, members: str) -> None:
        """Wait a moment for the votes of the other members, so that all of them are one append."""
        if members.isascii() and members.isdigit():
            phase = (vote.rollout, vote.phase, vote.changes)
            await self._votes.join(phase, vote.node, int(members[:9]), decides=not vote.accepted)

    def _check_all(self, changes: tuple[ItemChange, ...]) -> None:
        """Raise `Problem` invalid with each file, position, field and nearest name that is wrong."""
        faults = [
            Fault(str(problem), pointer=f"/changes/{number}")
            for number, change in enumerate(changes)
            for problem in self._check(change)
        ]
        if faults:
            raise Problem("invalid", "; ".join(fault.detail for fault in faults), *faults)

    async def _ask(self, ports: HandlerPorts, context: RequestContext, command: Any, key: str | None) -> Any:  # noqa: ANN401
        actor = context.caller.actor
        command_id = None if key is None else f"{actor}/{key}"
        return await ports.ask(self._aggregate, self._domain, command, actor=actor, command_id=command_id)

    async def _until(self, ports: HandlerPorts, done: Callable[[Domain], bool], wait_s: float) -> Domain:
        state: Domain = await ports.state(self._aggregate, self._domain, done, wait_s)
        return state

    async def _answer(self, ports: HandlerPorts, rollout: str, wait_s: float) -> Response:
        """Answer with the result of a rollout, once it has ended, or with where it is."""
        return _state_answer(
            await self._until(ports, lambda now: now.result(rollout) is not None, wait_s), rollout
        )


def _change(proposed: ProposedChange) -> ItemChange:
    digest = proposed.digest
    if proposed.kind != "package":
        digest = digest_of(proposed.content.encode()) if proposed.action == "put" else ""
    content = proposed.content if proposed.action == "put" else ""
    return ItemChange(proposed.kind, proposed.name, proposed.action, digest, content)


def _is_prepared(domain: Domain, rollout: str, changes: int) -> bool:
    """Return True if the first phase of these changes is complete, or the rollout has ended."""
    now = domain.rollout
    if now is None or now.id != rollout:
        return True
    return now.phase not in {"load", "pause"} or now.committed or len(now.changes) > changes


def _state_of(domain: Domain, rollout: str) -> RolloutState:
    nodes = tuple(member.node for member in domain.members)
    result: RolloutResult | None = domain.result(rollout)
    if result is not None:
        return RolloutState(
            rollout=rollout,
            state=result.result,
            revision=result.revision,
            nodes=nodes,
            node=result.node,
            reason=result.reason,
        )
    now = domain.rollout
    if now is None or now.id != rollout:
        return RolloutState(rollout=rollout, state="unchanged", revision=domain.revision, nodes=nodes)
    return RolloutState(
        rollout=rollout,
        state=now.phase,
        changes=len(now.changes),
        revision=domain.revision,
        nodes=nodes,
        waiting=() if now.phase == "prepared" else tuple(node for node in nodes if node not in now.voted),
        reason=now.reason,
    )


def _state_answer(
    domain: Domain, rollout: str, refused: tuple[str, ...] = ("aborted", "rolled-back")
) -> Response:
    state = _state_of(domain, rollout)
    if state.state in refused:
        return json_answer(_CONFLICT, _problem(state))
    waiting = state.state not in {"prepared", "unchanged", "committed", "aborted", "rolled-back"}
    headers = {"Location": f"/cluster/rollouts/{rollout}"} if waiting else {}
    return json_answer(_ACCEPTED if waiting else _OK, state, headers)


def _problem(state: RolloutState) -> dict[str, Any]:
    """Return the problem of a rollout that has ended without its changes."""
    detail = f"rollout {state.rollout} was {state.state.replace('-', ' ')}: {state.reason}"
    return {
        "type": "urn:bookshelf:problem:conflict",
        "title": "Conflict",
        "status": _CONFLICT,
        "detail": detail,
        **msgspec.to_builtins(state),
    }


def check_settings_only(change: ItemChange) -> tuple[ItemProblem, ...]:
    """Return what is wrong with settings; other items are checked by each node when it loads them."""
    return check_settings(change.content) if (change.kind, change.action) == ("settings", "put") else ()


def with_rollouts(service: Service, check: CheckItem = check_settings_only) -> Service:
    """Return the service rollouts as a process runs it: with the domain and the limits of its settings.

    `check` returns what is wrong with an item that is proposed.
    """
    settings = load(ClusterSettings, os.environ)
    limits = RolloutLimits(
        notification_wait_s=settings.cluster_notification_wait_ms / 1000,
        load_s=settings.cluster_load_s,
        drain_s=settings.cluster_drain_s,
        commit_timeout_s=settings.cluster_commit_timeout_ms / 1000,
    )
    aggregate = domain_aggregate(limits)
    others = tuple(part for part in service.runs if part.name != aggregate.name)
    routes = rollout_routes(aggregate, settings.cluster_domain, check)
    return replace(service, load=None, runs=(aggregate, *others), serves=(*routes, *service.serves))


def rollout_routes(aggregate: Aggregate[Domain], domain: str, check: CheckItem) -> tuple[HandlerRoute, ...]:
    """Return the routes that change rollouts of a domain. Without a domain they are answered 404."""
    handlers = RolloutHandlers(aggregate, domain, check)
    if not domain:
        return tuple(_absent(route) for route in _routes(handlers))
    return _routes(handlers)


def _absent(route: HandlerRoute) -> HandlerRoute:
    async def refuse(_request: Request, _context: RequestContext, _ports: HandlerPorts) -> Response:
        raise NotFound("there is no domain here: the setting cluster_domain is empty")

    return HandlerRoute(
        method=route.method, path=route.path, summary=route.summary, handler=refuse, requires=route.requires
    )


def _routes(handlers: RolloutHandlers) -> tuple[HandlerRoute, ...]:
    status = HandlerRoute(
        path="/cluster/status",
        summary="The revision of the domain, its nodes, and the open rollout",
        handler=handlers.status,
        requires=("cluster:read",),
        returns=RolloutState,
    )
    commands = HandlerRoute(
        method="POST",
        path=AGENT_COMMANDS,
        summary="Carry out a command of an agent",
        handler=handlers.agent_command,
        requires=INTERNAL,
        body=AgentCommand,
        status=204,
    )
    return (*_changing_routes(handlers), status, commands)


def _changing_routes(handlers: RolloutHandlers) -> tuple[HandlerRoute, ...]:
    ended = ((_ACCEPTED, RolloutState), (_CONFLICT, None))
    propose = HandlerRoute(
        method="POST",
        path="/cluster/rollouts",
        summary="Propose changes to all nodes of the domain",
        handler=handlers.propose,
        body_bytes=_MOST_BYTES,
        deadline_s=130.0,
        requires=PROPOSE,
        body=Proposal,
        returns=RolloutState,
        also=ended,
    )
    commit = HandlerRoute(
        method="POST",
        path="/cluster/rollouts/{id}/commit",
        summary="Commit a prepared rollout",
        handler=handlers.commit,
        deadline_s=70.0,
        requires=COMMIT,
        body=CommitOrder,
        returns=RolloutState,
        also=ended,
    )
    roll_back = HandlerRoute(
        method="POST",
        path="/cluster/rollouts/{id}/rollback",
        summary="End a rollout without its changes",
        handler=handlers.roll_back,
        deadline_s=70.0,
        requires=COMMIT,
        body=RollbackOrder,
        returns=RolloutState,
        also=ended,
    )
    return propose, commit, roll_back

"""What can happen next in a situation of an exploration, and what each decision leads to."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import reduce
from typing import Any, NamedTuple

from support.alike import ALL, Alike, Reductions
from support.cluster_rules import EXPECTED, Rules
from support.node_steps import NodeSteps, Order
from support.situations import COST, NAMES, Bounds, NodeFacts, Situation, seen_by, simplified

from bookshelf.cluster.domain_commands import (
    CommitRollout,
    EvictNode,
    JoinDomain,
    LeaveDomain,
    ProposeChanges,
    RecordVote,
    RollBack,
)
from bookshelf.cluster.domain_state import Domain, evolve, next_items, revision_digest
from bookshelf.cluster.events import RevisionCommitted, RolloutAborted, RolloutOpened, RolloutRolledBack
from bookshelf.cluster.member import NodeState
from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.item import ItemChange
from bookshelf.cqrs.message import Command, Event

AT = datetime(2031, 1, 1, tzinfo=UTC)
ENDS = (RevisionCommitted, RolloutAborted, RolloutRolledBack)


class Violated(Exception):
    """An invariant does not hold; the message has its name, and the steps that lead there."""


class Decision(NamedTuple):
    """What a command leads to: the next domain, what each node then has to read, and if a rollout ends."""

    domain: int
    unread: tuple[tuple[int, ...], ...]
    boundary: bool
    committed: bool


class Move(NamedTuple):
    """A step of one node, or of none: what it is called, its cost, the node after it, and the decision.

    `is_progress`: it is no fault, and no administrator's. `is_absence`: see `Order`.
    """

    label: str
    is_progress: bool
    cost: int
    node: int
    decision: Decision | None
    is_absence: bool = False


class Follower(NamedTuple):
    """A situation that follows, and what led there."""

    label: str
    is_progress: bool
    cost: int
    situation: Situation


class SituationSteps:
    """The steps from one situation to the next ones, of these rules within these bounds.

    What a node does depends on it and on the domain, what the domain does on itself and the command alone:
    each is computed once.
    """

    def __init__(self, bounds: Bounds, rules: Rules | None = None, reductions: Reductions = ALL) -> None:
        self.bounds, self.rules, self.reductions = bounds, rules or Rules(), reductions
        self.alike = Alike(reductions)
        self.domains, self.nodes = self.alike.domains, self.alike.nodes
        self.steps = NodeSteps(bounds, self.rules, self.alike)
        self.counts = Counter[str]()
        self._decisions: dict[tuple[Any, ...], Decision | None] = {}
        self._moves: dict[tuple[int, int, int], tuple[Move, ...]] = {}
        self._by_domain: dict[tuple[int, int], tuple[Move, ...]] = {}
        self._appended: dict[tuple[int, tuple[int, ...], bool], int] = {}

    def following(self, now: Situation) -> Iterator[Follower]:
        """Yield what can happen next."""
        if self.reductions.eager:
            for i, node in enumerate(now.nodes):
                if self.steps.is_unseen(node):
                    # its order against all else makes no difference: see `is_unseen`
                    for move in self._moves_of(now, i):
                        if " reads " in move.label:
                            yield self._after(now, i, move)
                    return
        for move in self._moves_of_domain(now):
            yield self._after(now, None, move)
        has_reader = self.has_reader(now)
        for i in range(len(NAMES)):
            for move in self._moves_of(now, i):
                if has_reader or not move.is_absence:
                    yield self._after(now, i, move)

    def has_reader(self, now: Situation) -> bool:
        """Return True if a node reads the log, and so can note the absence of others."""
        return any(facts.state and not facts.cut for facts in map(self.nodes.__getitem__, now.nodes))

    def _after(self, now: Situation, i: int | None, move: Move) -> Follower:
        nodes, decision = now.nodes, move.decision
        if i is not None:
            nodes = (*nodes[:i], move.node, *nodes[i + 1 :])
        if decision is None:
            return Follower(move.label, move.is_progress, move.cost, Situation(now.domain, nodes, now.served))
        if decision.committed:
            self._check_deployed(decision.domain, nodes)
        appended = tuple(
            self._append(node, more, boundary=decision.boundary)
            for node, more in zip(nodes, decision.unread, strict=True)
        )
        following = Situation(decision.domain, appended, now.served)
        return Follower(move.label, move.is_progress, move.cost, following)

    def _append(self, node: int, more: tuple[int, ...], *, boundary: bool) -> int:
        if not more and not boundary:
            return node
        key = (node, more, boundary)
        known = self._appended.get(key)
        if known is None:
            facts = self.nodes[node]
            after = facts._replace(
                unread=facts.unread + more if facts.state else (), deployed=0 if boundary else facts.deployed
            )
            known = self._appended[key] = self.nodes.number(after)
        return known

    # moves

    def _moves_of(self, now: Situation, i: int) -> tuple[Move, ...]:
        key = (now.domain, i, now.nodes[i])
        moves = self._moves.get(key)
        if moves is None:
            moves = self._moves[key] = tuple(self._by_node(now.domain, i, now.nodes[i]))
        return moves

    def _by_node(self, domain: int, i: int, number: int) -> Iterator[Move]:
        node = self.nodes[number]
        for step in self.steps.local(number):
            yield Move(f"{NAMES[i]} {step.label}", step.is_progress, step.cost, step.node, None)
        if not node.state:
            yield from self._by_absent_node(domain, i, node)
        elif node.cut and not self.alike.states[node.state].epoch:
            # a process that is no member is not the one that was
            yield from self._evicted(domain, i, node)
        for order in self.steps.orders(number):
            decision = self._ordered(domain, i, order)
            if decision is not None:
                yield Move(
                    f"{NAMES[i]} {order.label}",
                    order.is_progress,
                    order.cost,
                    order.node,
                    decision,
                    order.is_absence,
                )
            elif order.anyway:
                yield Move(f"{NAMES[i]} {order.label}", order.is_progress, order.cost, order.node, None)

    def _by_absent_node(self, number: int, i: int, node: NodeFacts) -> Iterator[Move]:
        yield from self._evicted(number, i, node)
        domain = self.domains[number]
        state = self.rules.started(NodeState(node="self", instance=str(node.instance + 1)), domain)
        up = node._replace(state=self.alike.states.number(state), instance=node.instance + 1)
        yield Move(f"{NAMES[i]} starts", False, COST.nothing, self.nodes.number(up), None)  # noqa: FBT003 (no progress)

    def _evicted(self, number: int, i: int, node: NodeFacts) -> Iterator[Move]:
        """Yield the end of the membership of a process that is not there any more."""
        member = self.domains[number].member(NAMES[i])
        if member is not None:
            order = Order("", self.nodes.number(node), ("evict", member.epoch))
            gone = self._ordered(number, i, order)
            # the absence of one that may be there is noted by a node that reads the log
            yield Move(f"{NAMES[i]} is evicted", True, COST.nothing, order.node, gone, node.cut)  # noqa: FBT003

    def _moves_of_domain(self, now: Situation) -> tuple[Move, ...]:
        bits = 0
        for node in now.nodes:
            bits |= self.alike.rollouts(node)
        # a new rollout has a number that is known nowhere
        key = (now.domain, bits.bit_length() + 1)
        moves = self._by_domain.get(key)
        if moves is None:
            named = self._commands(self.domains[now.domain], key[1])
            decided = [(move, self._decide(now.domain, command)) for move, command in named]
            moves = self._by_domain[key] = tuple(
                move._replace(decision=decision) for move, decision in decided if decision is not None
            )
        return moves

    def _commands(self, domain: Domain, number: int) -> Iterator[tuple[Move, Command]]:
        rollout = domain.rollout
        if rollout is None:
            yield Move("propose", False, COST.rollout, 0, None), self._proposal(domain, number)  # noqa: FBT003
            return
        due = self.rules.due(domain)
        if due is not None:
            yield Move(f"{rollout.phase} expires", True, COST.nothing, 0, None), due[1]  # noqa: FBT003
        if rollout.phase == "prepared":
            commit = CommitRollout(rollout=rollout.id, changes=len(rollout.changes), actor="ann", at=AT)
            yield Move("commit", False, COST.nothing, 0, None), commit  # noqa: FBT003
        back = RollBack(rollout=rollout.id, actor="ann", at=AT)
        yield Move("roll back", False, COST.nothing, 0, None), back  # noqa: FBT003
        if not rollout.committed and rollout.phase != "rollback":
            more = ItemChange("policy", "x", "put", "p1")
            extend = ProposeChanges(
                id="-", actor="bob", changes=(more,), rollout=rollout.id, barrier=rollout.barrier, at=AT
            )
            yield Move("another administrator adds a change", False, COST.extension, 0, None), extend  # noqa: FBT003

    def _proposal(self, domain: Domain, number: int) -> ProposeChanges:
        """Return a proposal of the first content that the domain has not: after an abort it is the same."""
        has = {item.digest for item in domain.items}
        digest = next(name for name in ("d1", "d2", "d3", "d4") if name not in has)
        change = ItemChange("settings", "", "put", digest)
        return ProposeChanges(
            id=f"r{number}", actor="ann", changes=(change,), barrier=self.bounds.barrier, at=AT
        )

    # commands of nodes

    def _ordered(self, domain: int, i: int, order: Order) -> Decision | None:
        key = (domain, i, order.what)
        if key not in self._decisions:
            command = self._command(self.domains[domain], NAMES[i], *order.what)
            self._decisions[key] = self._decide(domain, command)
        return self._decisions[key]

    def _command(self, domain: Domain, node: str, what: str, number: int) -> Command:
        match what:
            case "leave":
                return LeaveDomain(node=node, epoch=number, at=AT)
            case "evict":
                return EvictNode(node=node, epoch=number, at=AT)
            case "join":
                return JoinDomain(
                    node=node,
                    instance=str(number),
                    address="",
                    services=(),
                    version="",
                    revision=domain.revision,
                    at=AT,
                )
        ballot, epoch = self.alike.votes[number]
        expected = revision_digest(next_items(domain))
        return RecordVote(
            rollout=ballot.rollout,
            phase=ballot.phase,
            changes=ballot.changes,
            node=node,
            epoch=epoch,
            accepted=ballot.accepted,
            digest=expected if ballot.digest == EXPECTED else ballot.digest,
            at=AT,
        )

    def _decide(self, number: int, command: Command) -> Decision | None:
        """Return what a command leads to; None if it is refused or has no event. Raises `Violated`."""
        domain = self.domains[number]
        try:
            events = self.rules.decide(domain, command)
        except Refused:
            return None
        if not events:
            return None
        self.counts.update(type(event).__name__ for event in events)
        after = reduce(evolve, events, domain)
        self._check_ends(domain, events, after)
        unread = tuple(
            tuple(
                self.alike.events.number(seen)
                for event in events
                if (seen := seen_by(name, event)) is not None
            )
            for name in NAMES
        )
        return Decision(
            self.domains.number(simplified(after)),
            unread,
            boundary=any(isinstance(event, (*ENDS, RolloutOpened)) for event in events),
            committed=any(isinstance(event, RevisionCommitted) for event in events),
        )

    def _check_ends(self, before: Domain, events: list[Event], after: Domain) -> None:
        """J1: what ends is the one open rollout, or one that these events open, and it is open no more."""
        ended = [event.rollout for event in events if isinstance(event, ENDS)]
        opened = [event.rollout for event in events if isinstance(event, RolloutOpened)]
        if before.rollout is not None:
            opened.append(before.rollout.id)
        if len(opened) > 1 or (ended and (ended != opened or after.rollout is not None)):
            raise Violated(f"J1: {ended} has ended, and open was {opened}")

    def _check_deployed(self, committed: int, nodes: tuple[int, ...]) -> None:
        """Check what a commit requires of the members that are left. Raises `Violated`."""
        raise NotImplementedError

"""What can happen next in a situation of an exploration, and what each decision leads to."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from typing import Any, NamedTuple

from support.cluster_rules import EXPECTED, Rules
from support.situations import (
    NAMES,
    Bounds,
    Interned,
    NodeFacts,
    Situation,
    seen_by,
    simplified,
)

from bookshelf.cluster.domain_commands import (
    CommitRollout,
    EvictNode,
    JoinDomain,
    LeaveDomain,
    ProposeChanges,
    RecordVote,
    RollBack,
)
from bookshelf.cluster.domain_state import (
    Domain,
    evolve,
    next_items,
    revision_digest,
)
from bookshelf.cluster.events import (
    RevisionCommitted,
    RolloutAborted,
    RolloutOpened,
    RolloutRolledBack,
)
from bookshelf.cluster.member import Ballot, LocalResult, NodeState, Step, Transition
from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.item import ItemChange
from bookshelf.cqrs.message import Command, Event

AT = datetime(2031, 1, 1, tzinfo=UTC)
#: What a node does at its phases; each can fail.
WORK = {"load", "drain", "deploy", "restore"}
ENDS = (RevisionCommitted, RolloutAborted, RolloutRolledBack)


class Violated(Exception):
    """An invariant does not hold; the message has its name, and the steps that lead there."""


class Decision(NamedTuple):
    """What a command leads to: the next domain, what each node then has to read, and if a rollout ends."""

    domain: int
    unread: tuple[tuple[int, ...], ...]
    boundary: bool
    committed: bool


@dataclass
class SituationSteps:
    """The steps from one situation to the next ones, of these rules within these bounds."""

    bounds: Bounds
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        self.domains, self.states = Interned[Domain](), Interned[NodeState]()
        self.events, self.votes = Interned[Event](), Interned[tuple[Ballot, int]]()
        self.counts = Counter[str]()
        self._decisions: dict[tuple[Any, ...], Decision | None] = {}

    # what can happen next: a label, whether it is progress (no fault and no administrator), the situation

    def _following(self, now: Situation) -> Iterator[tuple[str, bool, Situation]]:
        yield from self._by_domain(now)
        for i, node in enumerate(now.nodes):
            if node.leaving:
                leave = LeaveDomain(node=NAMES[i], epoch=node.leaving, at=AT)
                yield f"{NAMES[i]} leaves", True, self._with(self._decide(now, leave) or now, i, leaving=0)
            if node.delayed:
                gone = self._with(now, i, delayed=0)
                yield f"{NAMES[i]}: a late vote", True, self._vote(gone, i, node.delayed) or gone
            if node.state:
                yield from self._by_node(now, i, node)
            else:
                yield from self._by_absent_node(now, i)

    def _by_domain(self, now: Situation) -> Iterator[tuple[str, bool, Situation]]:
        domain = self.domains[now.domain]
        rollout = domain.rollout
        if rollout is None:
            if now.left[0]:
                proposed = self._decide(self._spend(now, 0), self._proposal(domain, now.left[0]))
                assert proposed is not None
                yield "propose", False, proposed
            return
        due = self.rules.due(domain)
        if due is not None and (expired := self._decide(now, due[1])) is not None:
            yield f"{rollout.phase} expires", True, expired
        if rollout.phase == "prepared":
            commit = CommitRollout(rollout=rollout.id, changes=len(rollout.changes), actor="ann", at=AT)
            if (committed := self._decide(now, commit)) is not None:
                yield "commit", False, committed
        back = RollBack(rollout=rollout.id, actor="ann", at=AT)
        if (undone := self._decide(now, back)) is not None:
            yield "roll back", False, undone
        if now.left[1] and not rollout.committed and rollout.phase != "rollback":
            more = ItemChange("policy", "x", "put", "p1")
            extend = ProposeChanges(
                id="-", actor="bob", changes=(more,), rollout=rollout.id, barrier=rollout.barrier, at=AT
            )
            if (extended := self._decide(self._spend(now, 1), extend)) is not None:
                yield "another administrator adds a change", False, extended

    def _proposal(self, domain: Domain, left: int) -> ProposeChanges:
        """Return a proposal of the first content that the domain has not: after an abort it is the same."""
        has = {item.digest for item in domain.items}
        digest = next(name for name in ("d1", "d2", "d3", "d4") if name not in has)
        number = self.bounds.rollouts - left + 1
        return ProposeChanges(
            id=f"r{number}",
            actor="ann",
            changes=(ItemChange("settings", "", "put", digest),),
            barrier=self.bounds.barrier,
            at=AT,
        )

    def _by_node(self, now: Situation, i: int, node: NodeFacts) -> Iterator[tuple[str, bool, Situation]]:
        state, name = self.states[node.state], NAMES[i]
        if node.cut:
            yield f"{name} is connected", False, self._with(now, i, cut=False)
            yield from self._by_cut_node(now, i, state)
        else:
            if node.unread:
                yield from self._read(now, i, node)
            if state.ballot is not None:
                yield from self._by_voter(now, i, node, state)
            if state.epoch == 0 and (joined := self._join(now, i, state)) is not None:
                yield f"{name} joins", True, joined
            if now.left[3] and now.left[9]:
                yield f"{name} is cut off", False, self._with(self._spend(now, 3, 9), i, cut=True)
            if now.left[5] and now.left[9] and state.epoch:
                gone = self._down(self._spend(now, 5, 9), i, leaving=state.epoch)
                yield f"{name} departs", False, gone
        if now.left[2] and now.left[9]:
            yield f"{name} crashes", False, self._down(self._spend(now, 2, 9), i)

    def _by_voter(
        self, now: Situation, i: int, node: NodeFacts, state: NodeState
    ) -> Iterator[tuple[str, bool, Situation]]:
        assert state.ballot is not None
        vote = self.votes.number((state.ballot, state.epoch))
        if (voted := self._vote(now, i, vote)) is not None:
            yield f"{NAMES[i]} votes {state.ballot.phase}", True, voted
        if now.left[6] and now.left[9] and not node.delayed:
            late = self._with(self._spend(now, 6, 9), i, delayed=vote)
            yield f"{NAMES[i]}: a copy of its {state.ballot.phase} vote is late", False, late

    def _by_cut_node(self, now: Situation, i: int, state: NodeState) -> Iterator[tuple[str, bool, Situation]]:
        lost = self.rules.lose_contact(state).state
        if lost != state:
            yield f"{NAMES[i]} decides alone", True, self._with(now, i, state=self.states.number(lost))
        if now.left[4] and now.left[9]:
            evict = EvictNode(node=NAMES[i], epoch=state.epoch, at=AT)
            if (gone := self._decide(self._spend(now, 4, 9), evict)) is not None:
                yield f"{NAMES[i]} is evicted", False, gone

    def _by_absent_node(self, now: Situation, i: int) -> Iterator[tuple[str, bool, Situation]]:
        domain, node = self.domains[now.domain], now.nodes[i]
        member = domain.member(NAMES[i])
        if member is not None:
            evict = EvictNode(node=NAMES[i], epoch=member.epoch, at=AT)
            if (gone := self._decide(now, evict)) is not None:
                yield f"{NAMES[i]} is evicted", True, gone
        state = self.rules.started(NodeState(node="self", instance=str(node.instance + 1)), domain)
        up = self._with(now, i, state=self.states.number(state), instance=node.instance + 1)
        yield f"{NAMES[i]} starts", False, up

    def _join(self, now: Situation, i: int, state: NodeState) -> Situation | None:
        domain = self.domains[now.domain]
        join = JoinDomain(
            node=NAMES[i],
            instance=state.instance,
            address="",
            services=(),
            version="",
            revision=domain.revision,
            at=AT,
        )
        return self._decide(now, join)

    def _vote(self, now: Situation, i: int, vote: int) -> Situation | None:
        ballot, epoch = self.votes[vote]
        expected = revision_digest(next_items(self.domains[now.domain]))
        command = RecordVote(
            rollout=ballot.rollout,
            phase=ballot.phase,
            changes=ballot.changes,
            node=NAMES[i],
            epoch=epoch,
            accepted=ballot.accepted,
            digest=expected if ballot.digest == EXPECTED else ballot.digest,
            at=AT,
        )
        return self._decide(now, command, ("vote", i, vote))

    # reading

    def _read(self, now: Situation, i: int, node: NodeFacts) -> Iterator[tuple[str, bool, Situation]]:
        """Yield what follows when a node reads up to the next event with an effect, and works on that."""
        number, at = node.state, 0
        steps: tuple[Step, ...] = ()
        while at < len(node.unread) and not steps:
            reached = self.rules.read_event(self.states[number], self.events[node.unread[at]])
            at += 1
            number, steps = self.states.number(reached.state), reached.steps
        state, unread = self.states[number], node.unread[at:]
        what = type(self.events[node.unread[at - 1]]).__name__
        label = f"{NAMES[i]} reads {what} {state.phase or ''}"
        work = WORK.intersection(steps)
        if not work:
            settled = {"settle", "synchronise", "discard", "join"}.intersection(steps)
            bad = node.bad and "settle" in steps if settled else node.bad
            yield label, True, self._with(now, i, state=number, unread=unread, bad=bad)
            return
        for more, cost, result in self._results(now, state, node):
            after: Transition = self.rules.end_step(state, result)
            bad = result.digest == "bad" if work == {"deploy"} else node.bad and "restore" not in work
            deployed = state.epoch if after.state.deployed and work == {"deploy"} else node.deployed
            facts = {"state": self.states.number(after.state), "unread": unread, "bad": bad}
            spent = now if cost is None else self._spend(now, cost, 9)
            yield label + more, True, self._with(spent, i, deployed=deployed, **facts)

    def _results(
        self, now: Situation, state: NodeState, node: NodeFacts
    ) -> Iterator[tuple[str, int | None, LocalResult]]:
        assert state.phase is not None
        fields: dict[str, Any] = {"rollout": state.rollout, "phase": state.phase, "changes": state.changes}
        yield "", None, LocalResult(**fields, digest="bad" if node.bad else EXPECTED)
        if now.left[7] and now.left[9] and state.phase != "rollback":
            yield " and fails", 7, LocalResult(**fields, reason="x")
        if now.left[8] and now.left[9] and state.phase in {"load", "deploy"}:
            yield " with another content", 8, LocalResult(**fields, digest="bad")

    # commands

    def _decide(self, now: Situation, command: Command, name: tuple[Any, ...] = ()) -> Situation | None:
        """Return the situation after a command; None if it is refused or has no event."""
        key = (now.domain, *(name or (command,)))
        if key not in self._decisions:
            self._decisions[key] = self._decided(self.domains[now.domain], command)
        decision = self._decisions[key]
        if decision is None:
            return None
        if decision.committed:
            self._check_deployed(now, decision.domain)
        nodes = tuple(
            node._replace(
                unread=node.unread + more if node.state else (),
                deployed=0 if decision.boundary else node.deployed,
            )
            for node, more in zip(now.nodes, decision.unread, strict=True)
        )
        return now._replace(domain=decision.domain, nodes=nodes)

    def _decided(self, domain: Domain, command: Command) -> Decision | None:
        try:
            events = self.rules.decide(domain, command)
        except Refused:
            return None
        if not events:
            return None
        for event in events:
            self.counts[type(event).__name__] += 1
        ended = [event.rollout for event in events if isinstance(event, ENDS)]
        if ended and (len(ended) > 1 or domain.result(ended[0]) is not None):
            raise Violated(f"J1: {ended} has ended twice")
        after = reduce(evolve, events, domain)
        unread = tuple(
            tuple(self.events.number(seen) for event in events if (seen := seen_by(name, event)) is not None)
            for name in NAMES
        )
        return Decision(
            self.domains.number(simplified(after)),
            unread,
            boundary=any(isinstance(event, (*ENDS, RolloutOpened)) for event in events),
            committed=any(isinstance(event, RevisionCommitted) for event in events),
        )

    # small things

    def _spend(self, now: Situation, *what: int) -> Situation:
        left = list(now.left)
        for index in what:
            left[index] -= 1
        return now._replace(left=tuple(left))

    def _with(self, now: Situation, i: int, **facts: Any) -> Situation:  # noqa: ANN401 (facts of a node)
        nodes = list(now.nodes)
        nodes[i] = nodes[i]._replace(**facts)
        return now._replace(nodes=tuple(nodes))

    def _down(self, now: Situation, i: int, leaving: int = 0) -> Situation:
        return self._with(now, i, state=0, unread=(), cut=False, bad=False, leaving=leaving)

    def _check_deployed(self, now: Situation, after: int) -> None:
        """Check what a commit requires. Raises `Violated`."""
        raise NotImplementedError

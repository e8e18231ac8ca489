"""What one node can do by itself in an exploration, and which commands it can send."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from support.alike import Alike
from support.cluster_rules import EXPECTED, Rules
from support.situations import COST, Bounds, NodeFacts

from bookshelf.cluster.member import LocalResult, NodeState, Step, Transition

#: What a node does at its phases; each can fail.
WORK = {"load", "drain", "deploy", "restore"}
#: What puts a node onto the revision that the domain has, with its content.
ONTO_REVISION = {"synchronise", "discard", "join"}
PHASE_WORK: dict[str, Step] = {"load": "load", "pause": "drain", "deploy": "deploy", "rollback": "restore"}


class Local(NamedTuple):
    """A step that concerns the node alone."""

    label: str
    is_progress: bool
    cost: int
    node: int


class Order(NamedTuple):
    """A command about the node, and the node when it is sent.

    `anyway`: also if nothing is decided. `is_absence`: if a node that reads the log notes that this one is
    not in discovery.
    """

    label: str
    node: int
    what: tuple[str, int]
    is_progress: bool = True
    cost: int = COST.nothing
    anyway: bool = False
    is_absence: bool = False


class NodeSteps:
    """The steps of nodes, of these rules within these bounds; those of equal nodes are computed once."""

    def __init__(self, bounds: Bounds, rules: Rules, alike: Alike) -> None:
        self.bounds, self.rules, self.alike = bounds, rules, alike
        self.nodes, self.states, self.events = alike.nodes, alike.states, alike.events
        self._local: dict[int, tuple[Local, ...]] = {}
        self._orders: dict[int, tuple[Order, ...]] = {}
        self._unseen: dict[int, bool] = {}

    def local(self, number: int) -> tuple[Local, ...]:
        steps = self._local.get(number)
        if steps is None:
            steps = self._local[number] = tuple(self._steps(self.nodes[number]))
        return steps

    def orders(self, number: int) -> tuple[Order, ...]:
        orders = self._orders.get(number)
        if orders is None:
            orders = self._orders[number] = tuple(self._commands(self.nodes[number]))
        return orders

    def is_unseen(self, number: int) -> bool:
        """Return True if what the node reads next can as well be read before all else.

        Others only add to what it has not read, which commutes with reading from the front. Of its own steps,
        a crash or a departure leads to the same node before and after. A cut before it reads is as one before
        that was written; while it is cut off it can do nothing but lose contact, which is without effect
        before and after. It has no vote to send before. What the invariants are about is the same before and
        after: admission, revision, content, deployment and epoch. Reading shortens what is unread: there is
        no cycle of it.
        """
        known = self._unseen.get(number)
        if known is None:
            known = self._unseen[number] = self._is_unseen(number)
        return known

    def _is_unseen(self, number: int) -> bool:
        node = self.nodes[number]
        if not node.state or node.cut or node.busy or not node.unread or self.bounds.slow:
            return False
        before = self.states[node.state]
        if before.ballot is not None or self.rules.lose_contact(before).state != before:
            return False
        for step in self.local(number):
            if not step.label.startswith("reads"):
                continue
            after = self.nodes[step.node]
            state = self.states[after.state]
            same = (before.admits, before.revision, before.deployed, before.epoch, node.bad, node.deployed)
            now = (state.admits, state.revision, state.deployed, state.epoch, after.bad, after.deployed)
            if same != now or self.rules.lose_contact(state).state != state:
                return False
        return True

    # steps

    def _steps(self, node: NodeFacts) -> Iterator[Local]:
        if not node.state:
            return
        state = self.states[node.state]
        if node.busy:
            yield from self._ends_work(node, state)
        if node.cut:
            yield self._step("is connected", COST.nothing, node, cut=False)
            lost = self.rules.lose_contact(state).state
            if lost != state:
                yield self._step("decides alone", None, node, state=self.states.number(lost))
        else:
            if node.unread:
                yield from self._read(node)
            yield self._step("is cut off", COST.cut, node, cut=True)
            if state.epoch:
                yield self._step("departs", COST.departure, self._down(node), leaving=state.epoch)
        if not node.cut and state.ballot is not None and not node.delayed:
            late = self.alike.votes.number((state.ballot, state.epoch))
            label = f"has a copy of its {state.ballot.phase} vote late"
            yield self._step(label, COST.delay, node, delayed=late)
        yield self._step("crashes", COST.crash, self._down(node))

    def _step(self, label: str, cost: int | None, node: NodeFacts, **facts: Any) -> Local:  # noqa: ANN401
        """Return a step; without a cost it is progress."""
        after = self.nodes.number(node._replace(**facts))
        return Local(label, cost is None, COST.nothing if cost is None else cost, after)

    def _down(self, node: NodeFacts) -> NodeFacts:
        return node._replace(state=0, unread=(), cut=False, bad=False, leaving=0, busy=False)

    def _commands(self, node: NodeFacts) -> Iterator[Order]:
        here = self.nodes.number(node)
        if node.leaving:
            gone = self.nodes.number(node._replace(leaving=0))
            yield Order("leaves", gone, ("leave", node.leaving), anyway=True)
        if node.delayed:
            gone = self.nodes.number(node._replace(delayed=0))
            yield Order("has a late vote", gone, ("vote", node.delayed), anyway=True)
        if not node.state:
            return
        state = self.states[node.state]
        if state.epoch:
            # it may be there: it has stopped for a time, or is cut off from discovery alone
            yield Order("is evicted", here, ("evict", state.epoch), is_progress=False, cost=COST.eviction)
        if node.cut:
            if state.epoch and state.rollout:
                # in a rollout that it knows of, a node without the log leaves discovery
                yield Order("is evicted as absent", here, ("evict", state.epoch), is_absence=True)
            return
        if state.ballot is not None:
            vote = self.alike.votes.number((state.ballot, state.epoch))
            yield Order(f"votes {state.ballot.phase}", here, ("vote", vote))
        if not state.epoch:
            yield Order("joins", here, ("join", int(state.instance)))

    # reading

    def _read(self, node: NodeFacts) -> Iterator[Local]:
        """Yield what follows when a node reads up to the next event with an effect, and works on that.

        An event without steps to carry out is read together with the next one: nothing but the node's own
        state changes by it, and nothing of that which another can see.
        """
        number, at = node.state, 0
        steps: tuple[Step, ...] = ()
        while at < len(node.unread) and not steps:
            reached = self.rules.read_event(self.states[number], self.events[node.unread[at]])
            at += 1
            number, steps = self.states.number(reached.state), reached.steps
            if not self.alike.reductions.batches:
                break
        before, state = self.states[node.state], self.states[number]
        what = type(self.events[node.unread[at - 1]]).__name__
        label = f"reads {what} {state.phase or ''}"
        after = node._replace(state=number, unread=node.unread[at:])
        if (before.rollout, before.phase, before.changes) != (state.rollout, state.phase, state.changes):
            after = after._replace(busy=False)  # what it was at is interrupted, or its end is of no effect
        if not WORK.intersection(steps):
            if ONTO_REVISION.intersection(steps):
                after = after._replace(bad=False)
            yield self._step(label, None, after)
        elif self.bounds.slow:
            yield self._step(label, None, after, busy=True)
        else:
            yield from self._results(label, after, state)

    def _ends_work(self, node: NodeFacts, state: NodeState) -> Iterator[Local]:
        yield from self._results(f"ends {state.phase}", node._replace(busy=False), state)

    def _results(self, label: str, node: NodeFacts, state: NodeState) -> Iterator[Local]:
        assert state.phase is not None
        fields: dict[str, Any] = {"rollout": state.rollout, "phase": state.phase, "changes": state.changes}
        work = PHASE_WORK[state.phase]
        good = LocalResult(**fields, digest="bad" if node.bad else EXPECTED)
        yield self._ended(label, None, node, state, good)
        if work != "restore":
            failed = LocalResult(**fields, reason="x")
            yield self._ended(f"{label} and fails", COST.failure, node, state, failed)
        if work in {"load", "deploy"}:
            bad = LocalResult(**fields, digest="bad")
            yield self._ended(f"{label} with another content", COST.other_content, node, state, bad)

    def _ended(
        self, label: str, cost: int | None, node: NodeFacts, state: NodeState, result: LocalResult
    ) -> Local:
        after: Transition = self.rules.end_step(state, result)
        bad, deployed = node.bad, node.deployed
        if state.phase == "deploy":
            # once it has tried, and as in the former revision before it is restored
            bad, deployed = result.digest == "bad", state.epoch if after.state.deployed else deployed
        elif state.phase == "rollback":
            bad = False
        facts = {"state": self.states.number(after.state), "bad": bad, "deployed": deployed}
        return self._step(label, cost, node, **facts)

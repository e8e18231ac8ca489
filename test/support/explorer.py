"""Explores every interleaving of the pure `domain` and `member` with three nodes, and checks J1 to J4.

A situation is the state of the domain, and for each node its own state, the events that it has not read yet,
and whether it is down or cut off. Equal states have one number each, so a situation is a few numbers,
compared exactly; and the outcome of each step of the domain and of a node is computed once. What is left out,
and why, is in `Reductions`, `Alike`, `Budgets` and `NodeSteps`.
"""

from array import array
from typing import NamedTuple

from support.alike import ALL, Reductions
from support.budgets import Budgets
from support.cluster_rules import Rules
from support.endings import Endings
from support.exploration_steps import SituationSteps, Violated
from support.situations import NAMES, Bounds, NodeFacts, Situation

from bookshelf.cluster.domain_state import Domain, DomainMember
from bookshelf.cluster.member import NodeState


class Served(NamedTuple):
    """What a node answers requests from: a revision, or -1; in which epoch; and if the content is another."""

    revision: int
    epoch: int
    bad: bool


class Explorer(SituationSteps):
    """One exploration, of these rules within these bounds."""

    def __init__(self, bounds: Bounds, rules: Rules | None = None, reductions: Reductions = ALL) -> None:
        super().__init__(bounds, rules, reductions)
        self.budgets = Budgets(bounds, reductions)
        self.rests, self.visits = set[Situation](), 0
        self._served: dict[int, Served] = {}
        self._places: dict[Situation, int] = {}
        self._known = array("L")
        self._came: dict[tuple[Situation, int], tuple[Situation, int, str]] | None = None
        self._at = (Situation(0, (), 0), 0)
        self._endings = Endings()

    # the run

    def run(self) -> int:
        """Visit every situation; return their number. Raises `Violated`, with the steps that lead there."""
        try:
            self._run()
        except Violated as fault:
            if self._came is not None:
                raise Violated(f"{fault}; {self._path(*self._at)}") from None
        else:
            return len(self._places)
        # once more, and with notes on the way
        again = Explorer(self.bounds, self.rules, self.reductions)
        again._came = {}
        return again.run()

    def _run(self) -> None:
        start = self.alike.canonical(self._start())
        self._reach(start, self.budgets.start)
        waiting: dict[int, list[tuple[Situation, int]]] = {0: [(start, self.budgets.start)]}
        while waiting:
            # with the fewest faults first: what is known with more left is then known before
            spent = min(waiting)
            level = waiting[spent]
            while level:
                ahead = list[tuple[Situation, int]]()
                for situation, left in level:
                    for reached in self._expand(situation, left):
                        if self.budgets.spent(reached[1]) == spent:
                            ahead.append(reached)
                        else:
                            waiting.setdefault(self.budgets.spent(reached[1]), []).append(reached)
                level = ahead
            del waiting[spent]
        self._check_progress()

    def _expand(self, situation: Situation, left: int) -> list[tuple[Situation, int]]:
        """Return what is new after a situation, and check it."""
        self._at = (situation, left)
        place = self._places[situation]
        if not self.budgets.is_best(self._known[place], left):
            return []
        new, progress = list[tuple[Situation, int]](), list[int]()
        for label, is_progress, cost, following in self.following(situation):
            after = left if cost < 0 else self.budgets.pay(left, cost)
            if after < 0:
                continue
            reached, before = self._canonical(following), len(self._places)
            if self._reach(reached, after):
                new.append((reached, after))
                if self._came is not None:
                    self._came[reached, after] = (situation, left, label)
                if len(self._places) > before:
                    self._at = (reached, after)
                    self._check_served(reached)
                    self._at = (situation, left)
            if is_progress:
                progress.append(self._places[reached])
        self._endings.note(place, progress)
        if not progress:
            self._check_rest(situation)
        return new

    def _reach(self, situation: Situation, left: int) -> bool:
        """Note a situation with what is left; return True if that is new."""
        place = self._places.get(situation)
        if place is None:
            self._places[situation] = len(self._known)
            self._known.append(self.budgets.add(0, left))
            self.visits += 1
            return True
        known = self.budgets.add(self._known[place], left)
        if known >= 0:
            self._known[place] = known
            self.visits += 1
        return known >= 0

    def _start(self) -> Situation:
        members = tuple(DomainMember(node=name, instance="1", epoch=1) for name in NAMES)
        state = NodeState(node="self", instance="1", epoch=1, admits=True)
        node = self.nodes.number(NodeFacts(self.alike.states.number(state), 1))
        domain = self.domains.number(Domain(members=members, joined=1))
        return Situation(domain, (node,) * len(NAMES), 0)

    # invariants

    def _check_deployed(self, committed: int, nodes: tuple[int, ...]) -> None:
        """J1: committed only after every member has deployed."""
        for member in self.domains[committed].members:
            if self.nodes[nodes[NAMES.index(member.node)]].deployed != member.epoch:
                raise Violated(f"J1: committed, and {member.node} has not deployed")

    def _serving(self, node: int) -> Served:
        served = self._served.get(node)
        if served is None:
            facts, served = self.nodes[node], Served(-1, 0, bad=False)
            if facts.state and (state := self.alike.states[facts.state]).admits:
                served = Served(state.revision + state.deployed, state.epoch, facts.bad)
            self._served[node] = served
        return served

    def _canonical(self, now: Situation) -> Situation:
        served = max(now.served, *(self._serving(node).revision for node in now.nodes))
        return self.alike.canonical(Situation(now.domain, now.nodes, served))

    def _check_served(self, now: Situation) -> None:
        """J2: none is older than the newest that was served; J3, J4: contents, and an end for each phase."""
        domain = self.domains[now.domain]
        members = self.alike.facts(now.domain).members
        for i, node in enumerate(now.nodes):
            revision, epoch, bad = self._serving(node)
            if bad and revision > 0:
                raise Violated(f"J3: {NAMES[i]} serves another content")
            # the exception: evicted, and it has not read that in the log yet
            if -1 < revision < now.served and epoch in {0, members[i][0]}:
                raise Violated(f"J2: {NAMES[i]} serves {revision} after {now.served}")
        rollout = domain.rollout
        if rollout is not None and rollout.phase != "rollback" and self.rules.due(domain) is None:
            raise Violated(f"J4: phase {rollout.phase} has no time limit")

    def _check_rest(self, now: Situation) -> None:
        """J3, J4: where nothing is left to do, no rollout is open, and connected nodes serve the revision.

        The log is away for all nodes, or all are down: then a rollback waits for one that reads it.
        """
        domain = self.domains[now.domain]
        nodes = [self.nodes[node] for node in now.nodes]
        if domain.rollout is not None:
            if domain.rollout.phase == "rollback" and not self.has_reader(now):
                return
            raise Violated(f"J4: {domain.rollout.phase} never ends")
        self.counts["at rest"] += 1
        self.rests.add(now)
        for name, node in zip(NAMES, nodes, strict=True):
            if not node.state or node.cut:
                continue
            state = self.alike.states[node.state]
            if not state.admits or state.revision != domain.revision or state.deployed:
                raise Violated(f"J3: {name} does not serve {domain.revision}: {state}")

    def _check_progress(self) -> None:
        """J4: without faults and administrators each situation comes to rest, whatever the order of steps."""
        endless = self._endings.endless(len(self._places))
        if endless:
            found = next(each for each, place in self._places.items() if place in endless)
            self._at = (
                next(at for at in self._came or [self._at] if at[0] == found) if self._came else self._at
            )
            raise Violated(f"J4: steps without end from {len(endless)} situations")

    def _path(self, situation: Situation, left: int) -> str:
        """Return the steps to a situation. Names are those of the situation before each step."""
        assert self._came is not None
        steps, at = list[str](), (situation, left)
        while at in self._came:
            before, had, label = self._came[at]
            steps.append(label)
            at = (before, had)
        return " > ".join(["start", *reversed(steps)])

    def results(self) -> set[str]:
        """Return what the situations at rest are, in texts that are the same whatever was reduced.

        Of a node that is cut off they have only that: how far it had read is what reductions are about.
        """
        self.alike.reductions = ALL
        return {self._text(self.alike.canonical(now)) for now in self.rests}

    def _text(self, now: Situation) -> str:
        domain, (members, voted, _) = self.domains[now.domain], self.alike.facts(now.domain)
        nodes = list[str]()
        for number, member, has_voted in zip(now.nodes, members, voted, strict=True):
            facts = self.nodes[number]
            state = self.alike.states[facts.state] if facts.state else None
            known = "cut off" if facts.cut else str((state, facts._replace(state=0)))
            nodes.append(str((known, member, has_voted)))
        return str((sorted(nodes), domain.revision, domain.items, domain.rollout is None, now.served))

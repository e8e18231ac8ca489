"""Explores every interleaving of the pure `domain` and `member` with three nodes, and checks J1 to J4.

A situation is the state of the domain, and for each node its own state, the events that it has not read yet,
and whether it is down or cut off. Equal states have one number each, and the outcome of each step of the
domain and of a node is computed once. Situations that differ only in the names of nodes are one, and a node
reads in one step what has no effect until the next event that has one.
"""

from support.exploration_steps import SituationSteps, Violated
from support.situations import NAMES, NodeFacts, Situation, facts_of, rename

from bookshelf.cluster.domain_state import Domain, DomainMember
from bookshelf.cluster.member import NodeState


class Explorer(SituationSteps):
    """One exploration, of these rules within these bounds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._renamed: dict[tuple[int, tuple[int, ...]], int] = {}
        self._facts: dict[int, tuple[tuple[int, int, bool], ...]] = {}
        self._came: dict[Situation, tuple[Situation | None, str]] = {}

    # the run

    def run(self, most: int = 0) -> int:
        """Visit every situation, at most `most` if that is not 0; return their number. Raises `Violated`."""
        start = self._start()
        self._came[start] = (None, "start")
        waiting, ahead = [start], list[Situation]()
        while waiting:
            for situation in waiting:
                moved = False
                for label, is_progress, following in self._following(situation):
                    moved = moved or is_progress
                    checked = self._canonical(self._checked(situation, label, following))
                    if checked not in self._came:
                        self._came[checked] = (situation, label)
                        ahead.append(checked)
                if not moved:
                    self._check_rest(situation)
                if most and len(self._came) > most:
                    return len(self._came)
            waiting, ahead = ahead, []
        return len(self._came)

    def _start(self) -> Situation:
        members = tuple(DomainMember(node=name, instance="1", epoch=1) for name in NAMES)
        state = NodeState(node="self", instance="1", epoch=1, admits=True)
        node = NodeFacts(self.states.number(state), 1, (), False, 0, False, 0, 0)  # noqa: FBT003
        domain = self.domains.number(Domain(members=members, joined=1))
        b = self.bounds
        left = (
            *(b.rollouts, b.extensions, b.crashes, b.cuts, b.evictions, b.departures, b.delays, b.failures),
            *(b.other_contents, b.total),
        )
        return Situation(domain, (node,) * len(NAMES), 0, left)

    # invariants

    def _check_deployed(self, now: Situation, after: int) -> None:
        """J1: committed only after every member has deployed."""
        for member in self.domains[after].members:
            if now.nodes[NAMES.index(member.node)].deployed != member.epoch:
                raise Violated(f"J1: committed, and {member.node} has not deployed; {self._path(now)}")

    def _checked(self, before: Situation, label: str, now: Situation) -> Situation:
        """J2: return the situation with the newest revision served. Raises `Violated` for an older one."""
        served = now.served
        domain = self.domains[now.domain]
        serving = list[tuple[int, int]]()
        for i, node in enumerate(now.nodes):
            if not node.state:
                continue
            state = self.states[node.state]
            if state.admits:
                revision = state.revision + state.deployed
                served = max(served, revision)
                member = domain.member(NAMES[i])
                current = member is not None and member.epoch == state.epoch
                # the exception: evicted, and cut off from the log in which it would read that
                if current or not state.epoch:
                    serving.append((i, revision))
                if node.bad and revision > 0:
                    raise Violated(f"J3: {NAMES[i]} serves another content; {label}; {self._path(before)}")
        for i, revision in serving:
            if revision < served:
                raise Violated(
                    f"J2: {NAMES[i]} serves {revision} after {served}; {label}; {self._path(before)}"
                )
        rollout = domain.rollout
        if rollout is not None and rollout.phase != "rollback" and self.rules.due(domain) is None:
            raise Violated(f"J4: phase {rollout.phase} has no time limit; {label}; {self._path(before)}")
        return now if served == now.served else now._replace(served=served)

    def _check_rest(self, now: Situation) -> None:
        """J3, J4: where nothing is left to do, no rollout is open, and connected nodes serve the revision."""
        domain = self.domains[now.domain]
        if domain.rollout is not None:
            absent = [node for node in now.nodes if node.cut]
            if domain.rollout.phase == "rollback" and absent:
                return
            raise Violated(f"J4: {domain.rollout.phase} never ends; {self._path(now)}")
        self.counts["at rest"] += 1
        for name, node in zip(NAMES, now.nodes, strict=True):
            if not node.state or node.cut:
                continue
            state = self.states[node.state]
            if not state.admits or state.revision != domain.revision or state.deployed:
                raise Violated(f"J3: {name} does not serve {domain.revision}: {state}; {self._path(now)}")

    def _path(self, situation: Situation) -> str:
        """Return the steps to a situation. Names are those of the situation before each step."""
        steps = list[str]()
        at: Situation | None = self._came_by(situation)
        while at is not None:
            at, label = self._came[at]
            steps.append(label)
        return " > ".join(reversed(steps))

    def _came_by(self, situation: Situation) -> Situation | None:
        known = self._canonical(situation)
        return known if known in self._came else None

    def _canonical(self, now: Situation) -> Situation:
        """Return the situation with its nodes in one order: one for all that differ in names alone."""
        facts = self._facts.get(now.domain)
        if facts is None:
            facts = self._facts[now.domain] = facts_of(self.domains[now.domain])
        order = tuple(sorted(range(len(NAMES)), key=lambda i: (now.nodes[i], facts[i])))
        if order == (0, 1, 2):
            return now
        key = (now.domain, order)
        if key not in self._renamed:
            renamed = rename(self.domains[now.domain], order)
            self._renamed[key] = self.domains.number(renamed)
        return now._replace(domain=self._renamed[key], nodes=tuple(now.nodes[i] for i in order))

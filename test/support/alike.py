"""Which situations of an exploration are one, though the names in them differ.

Names are those of nodes, and the numbers of epochs, of processes and of rollouts. No rule does more with them
than to compare them, epochs and processes only with those of the same node: `member` and `domain` commute
with every renaming of each. So two situations of which a renaming leads from one to the other have the same
successors, but for that renaming, and the invariants are about no name either.
"""

from typing import NamedTuple

from msgspec.structs import replace
from support.situations import NAMES, Interned, NodeFacts, Situation

from bookshelf.cluster.domain_state import Domain
from bookshelf.cluster.events import NodeJoined, NodeLeft, VoteRecorded
from bookshelf.cluster.member import Ballot, NodeState
from bookshelf.cqrs.message import Event

Renaming = dict[int, int]


class Reductions(NamedTuple):
    """What an exploration leaves out. Each can be switched off, to see that it changes no result.

    `symmetry`: situations that differ only in the names of nodes are one. `numbers`: nor in the numbers of
    epochs, processes and rollouts. `batches`: a node reads in one step what has no effect until the next
    event that has one. `eager`: what a node reads, and no other can see, is read before all else. `budgets`:
    a situation that is known with more faults left is not explored again with less.
    """

    symmetry: bool = True
    numbers: bool = True
    batches: bool = True
    eager: bool = True
    budgets: bool = True


ALL = Reductions()


class DomainFacts(NamedTuple):
    """Of each node its epoch and instance in the domain, and if it has voted; the open rollout as a bit."""

    members: tuple[tuple[int, int], ...]
    voted: tuple[bool, ...]
    rollout: int


class Renamed(NamedTuple):
    """A node whose epochs and processes are numbered from 1 on, in their order; the greatest epoch."""

    node: int
    member: tuple[int, int]
    epochs: int


class Alike:
    """Gives situations that differ in names alone one form. All tables are of interned values."""

    def __init__(self, reductions: Reductions) -> None:
        self.reductions = reductions
        self.domains, self.nodes = Interned[Domain](), Interned[NodeFacts]()
        self.states, self.events = Interned[NodeState](), Interned[Event]()
        self.votes = Interned[tuple[Ballot, int]]()
        self._facts: dict[int, DomainFacts] = {}
        self._ids: dict[int, int] = {}
        self._renamed: dict[tuple[int, tuple[int, int]], Renamed] = {}
        self._domains: dict[tuple[int, tuple[int, ...], tuple[tuple[int, int], ...], int | None], int] = {}
        self._by_ids: dict[tuple[int, int, bool], int] = {}

    def facts(self, domain: int) -> DomainFacts:
        facts = self._facts.get(domain)
        if facts is None:
            facts = self._facts[domain] = _facts_of(self.domains[domain])
        return facts

    def rollouts(self, node: int) -> int:
        """Return the rollouts that a node knows of, as bits."""
        bits = self._ids.get(node)
        if bits is None:
            facts, bits = self.nodes[node], 0
            known = [getattr(self.events[each], "rollout", "") for each in facts.unread]
            if facts.state:
                state = self.states[facts.state]
                known += [state.rollout, state.ballot.rollout if state.ballot is not None else ""]
            if facts.delayed:
                known.append(self.votes[facts.delayed][0].rollout)
            for rollout in known:
                bits |= _bit(rollout)
            self._ids[node] = bits
        return bits

    def canonical(self, now: Situation) -> Situation:
        """Return the one situation for all that differ from this one in names alone."""
        domain, nodes, served = now
        if self.reductions.numbers:
            bits = self.facts(domain).rollout
            for node in nodes:
                bits |= self.rollouts(node)
            if bits & (bits + 1):
                domain = self._renumbered(domain, bits, is_domain=True)
                nodes = tuple(self._renumbered(node, bits, is_domain=False) for node in nodes)
        facts = self.facts(domain)
        members = facts.members
        order: tuple[int, ...] = (0, 1, 2)
        epochs: int | None = None
        if self.reductions.numbers:
            renamed = [self._numbered(*both) for both in zip(nodes, members, strict=True)]
            nodes = tuple(each.node for each in renamed)
            members = tuple(each.member for each in renamed)
            epochs = max(each.epochs for each in renamed)
        if self.reductions.symmetry:
            voted = facts.voted
            order = tuple(sorted(order, key=lambda i: (nodes[i], members[i], voted[i])))
            nodes = tuple(nodes[i] for i in order)
        return Situation(self._domain(domain, order, members, epochs), nodes, served)

    def _domain(
        self, domain: int, order: tuple[int, ...], members: tuple[tuple[int, int], ...], epochs: int | None
    ) -> int:
        key = (domain, order, members, epochs)
        known = self._domains.get(key)
        if known is None:
            named = _with_members(self.domains[domain], members, epochs)
            known = self._domains[key] = self.domains.number(rename(named, order))
        return known

    def _numbered(self, node: int, member: tuple[int, int]) -> Renamed:
        key = (node, member)
        known = self._renamed.get(key)
        if known is None:
            known = self._renamed[key] = self._number(self.nodes[node], member)
        return known

    def _number(self, facts: NodeFacts, member: tuple[int, int]) -> Renamed:
        epochs, instances = {member[0], facts.deployed, facts.leaving}, {member[1], facts.instance}
        if facts.state:
            epochs.add(self.states[facts.state].epoch)
            instances.add(int(self.states[facts.state].instance))
        if facts.delayed:
            epochs.add(self.votes[facts.delayed][1])
        for event in (self.events[each] for each in facts.unread):
            if isinstance(event, (NodeJoined, NodeLeft, VoteRecorded)):
                epochs.add(event.epoch)
            if isinstance(event, NodeJoined):
                instances.add(int(event.instance))
        epoch_names, instance_names = _ranks(epochs), _ranks(instances)
        node = self.nodes.number(self._with_numbers(facts, epoch_names, instance_names))
        return Renamed(node, (epoch_names[member[0]], instance_names[member[1]]), max(epoch_names.values()))

    def _with_numbers(self, facts: NodeFacts, epochs: Renaming, instances: Renaming) -> NodeFacts:
        state = delayed = 0
        if facts.state:
            old = self.states[facts.state]
            new = replace(old, epoch=epochs[old.epoch], instance=str(instances[int(old.instance)]))
            state = self.states.number(new)
        if facts.delayed:
            ballot, epoch = self.votes[facts.delayed]
            delayed = self.votes.number((ballot, epochs[epoch]))
        return facts._replace(
            state=state,
            instance=instances[facts.instance],
            unread=tuple(
                self.events.number(_event(self.events[each], epochs, instances)) for each in facts.unread
            ),
            deployed=epochs[facts.deployed],
            leaving=epochs[facts.leaving],
            delayed=delayed,
        )

    def _renumbered(self, number: int, bits: int, *, is_domain: bool) -> int:
        """Return a domain or a node with the rollouts of these bits numbered from 1 on, in their order."""
        key = (number, bits, is_domain)
        known = self._by_ids.get(key)
        if known is None:
            old = [place + 1 for place in range(bits.bit_length()) if bits >> place & 1]
            names = {"": "", **{f"r{each}": f"r{new}" for new, each in enumerate(old, 1)}}
            if is_domain:
                domain = self.domains[number]
                rollout = domain.rollout and replace(domain.rollout, id=names[domain.rollout.id])
                known = self.domains.number(replace(domain, rollout=rollout))
            else:
                known = self.nodes.number(self._with_rollouts(self.nodes[number], names))
            self._by_ids[key] = known
        return known

    def _with_rollouts(self, facts: NodeFacts, names: dict[str, str]) -> NodeFacts:
        state = delayed = 0
        if facts.state:
            old = self.states[facts.state]
            ballot = old.ballot and replace(old.ballot, rollout=names[old.ballot.rollout])
            state = self.states.number(replace(old, rollout=names[old.rollout], ballot=ballot))
        if facts.delayed:
            vote, epoch = self.votes[facts.delayed]
            delayed = self.votes.number((replace(vote, rollout=names[vote.rollout]), epoch))
        unread = tuple(
            self.events.number(replace(event, rollout=names[event.rollout]))
            if hasattr(event := self.events[each], "rollout")
            else each
            for each in facts.unread
        )
        return facts._replace(state=state, unread=unread, delayed=delayed)


def rename(domain: Domain, order: tuple[int, ...]) -> Domain:
    """Return the domain with the node at place order[i] as the one at i."""
    names = {NAMES[old]: NAMES[new] for new, old in enumerate(order)}
    members = sorted(
        (replace(member, node=names[member.node]) for member in domain.members), key=lambda each: each.node
    )
    rollout = domain.rollout
    if rollout is not None:
        rollout = replace(rollout, voted=frozenset(names[node] for node in rollout.voted))
    return replace(domain, members=tuple(members), rollout=rollout)


def _facts_of(domain: Domain) -> DomainFacts:
    rollout = domain.rollout
    voted = rollout.voted if rollout is not None else frozenset[str]()
    members = [domain.member(name) for name in NAMES]
    return DomainFacts(
        tuple((member.epoch, int(member.instance)) if member is not None else (0, 0) for member in members),
        tuple(name in voted for name in NAMES),
        _bit(rollout.id) if rollout is not None else 0,
    )


def _bit(rollout: str) -> int:
    return 1 << (int(rollout[1:]) - 1) if rollout else 0


def _ranks(numbers: set[int]) -> Renaming:
    """Return a name for each number: 1, 2 and so on in their order; 0 is none."""
    return {0: 0, **{number: rank for rank, number in enumerate(sorted(numbers - {0}), 1)}}


def _event(event: Event, epochs: Renaming, instances: Renaming) -> Event:
    if isinstance(event, NodeJoined):
        return replace(event, epoch=epochs[event.epoch], instance=str(instances[int(event.instance)]))
    if isinstance(event, (NodeLeft, VoteRecorded)):
        return replace(event, epoch=epochs[event.epoch])
    return event


def _with_members(domain: Domain, members: tuple[tuple[int, int], ...], epochs: int | None) -> Domain:
    """Return the domain with these epochs and instances, and the last epoch that was given, if it is new."""
    now = tuple(
        replace(member, epoch=epoch, instance=str(instance))
        for name, (epoch, instance) in zip(NAMES, members, strict=True)
        if (member := domain.member(name)) is not None
    )
    return replace(domain, members=now, joined=domain.joined if epochs is None else epochs)

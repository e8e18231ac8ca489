"""The rules that an exploration runs, and eight defects that it must find: each changes one rule."""

from datetime import datetime

from msgspec.structs import replace
from support.cluster import LIMITS

from bookshelf.cluster import domain as decider
from bookshelf.cluster import member
from bookshelf.cluster.domain_commands import RecordVote
from bookshelf.cluster.domain_state import Domain, next_items, revision_digest
from bookshelf.cluster.member import LocalResult, NodeState, Transition
from bookshelf.cqrs.message import Command, Event

#: Stands in a node's result for the digest of the items that the rollout leads to.
EXPECTED = "expected"


class Rules:
    """The rules as they are."""

    def decide(self, domain: Domain, command: Command) -> list[Event]:
        return decider.decide(domain, command, LIMITS)

    def due(self, domain: Domain) -> tuple[datetime, Command] | None:
        return decider.due(domain)

    def read_event(self, state: NodeState, event: Event) -> Transition:
        return member.read_event(state, event)

    def end_step(self, state: NodeState, result: LocalResult) -> Transition:
        return member.end_step(state, result)

    def lose_contact(self, state: NodeState) -> Transition:
        return member.lose_contact(state)

    def started(self, state: NodeState, domain: Domain) -> NodeState:
        """Return the state of a process that has read the log to its end, and is no member yet."""
        return replace(state, revision=domain.revision)


class NodeDecides(Rules):
    """A node that has deployed, and cannot read the decision, decides that it was a commit."""

    def lose_contact(self, state: NodeState) -> Transition:
        if state.deployed:
            return Transition(replace(state, admits=True, deployed=False, revision=state.revision + 1))
        return super().lose_contact(state)


class ResumesAfterVote(Rules):
    """A node that has voted for deployment, and cannot read the decision, resumes on its revision."""

    def lose_contact(self, state: NodeState) -> Transition:
        if state.deployed:
            return Transition(replace(state, admits=True, deployed=False))
        return super().lose_contact(state)


class TimesOutAlone(Rules):
    """A paused node ends the phase by its own clock, and does not note it: it deploys later all the same."""

    def lose_contact(self, state: NodeState) -> Transition:
        return Transition(replace(super().lose_contact(state).state, alone=False))


class CountsEarlierRollout(Rules):
    """A vote counts whatever rollout it is for."""

    def decide(self, domain: Domain, command: Command) -> list[Event]:
        if isinstance(command, RecordVote) and domain.rollout is not None:
            command = replace(command, rollout=domain.rollout.id)
        return super().decide(domain, command)


class CountsTwice(Rules):
    """Votes are counted, not voters: a repeated vote counts as that of another node."""

    def decide(self, domain: Domain, command: Command) -> list[Event]:
        rollout = domain.rollout
        if isinstance(command, RecordVote) and rollout is not None and command.node in rollout.voted:
            missing = [member for member in domain.members if member.node not in rollout.voted]
            if missing and (command.rollout, command.phase) == (rollout.id, rollout.phase):
                command = replace(command, node=missing[0].node, epoch=missing[0].epoch)
        return super().decide(domain, command)


class ServesAtOnce(Rules):
    """A process that starts serves the revision of the log before it has joined."""

    def started(self, state: NodeState, domain: Domain) -> NodeState:
        return replace(super().started(state, domain), admits=True)


class NoDigest(Rules):
    """A vote counts whatever the node has loaded."""

    def decide(self, domain: Domain, command: Command) -> list[Event]:
        if isinstance(command, RecordVote) and command.accepted:
            command = replace(command, digest=revision_digest(next_items(domain)))
        return super().decide(domain, command)


class ResumesEarly(Rules):
    """A node resumes as soon as it has deployed, before all others have."""

    def end_step(self, state: NodeState, result: LocalResult) -> Transition:
        after = super().end_step(state, result)
        return Transition(
            replace(after.state, admits=after.state.admits or after.state.deployed), after.steps
        )

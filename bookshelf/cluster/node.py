"""One node of a domain: folds the records of the domain, and keeps its own state in rollouts.

Pure: its agent reads the log, carries out the steps, and sends the commands that this returns.
"""

import re
from collections import deque
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from bookshelf.cluster.domain_commands import EvictNode, JoinDomain, LeaveDomain, RecordVote
from bookshelf.cluster.domain_state import (
    Domain,
    evolve,
    items_after,
    revision_ahead,
    revision_digest,
    service_revision,
)
from bookshelf.cluster.events import EVENTS, TOPIC, VoteRecorded
from bookshelf.cluster.member import LocalResult, NodeState, Step, end_step, lose_contact, read_event
from bookshelf.cqrs.item import ItemChange, Kind
from bookshelf.cqrs.message import Command, Event

#: How many of its votes a node shows.
_LAST_VOTES = 20


def node_name(instance: str) -> str:
    """Return the name of a node for the id of an instance, which may have other characters."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", instance)[:100]


#: Returns a revision of a service of these groups in a domain.
_Revision = Callable[[Domain, str, Collection[str]], int]


class DomainNode:
    """The state of a domain as far as a node has read it, and what the node does in rollouts."""

    topic = TOPIC
    catalogue = EVENTS

    def __init__(
        self,
        node: str,
        instance: str,
        address: str,
        services: Collection[str],
        version: str,
        *,
        runs_groups: bool = False,
    ) -> None:
        self.domain = Domain()
        self.state = NodeState(
            node=node, instance=instance, services=frozenset(services), runs_groups=runs_groups
        )
        self._instance, self._lives = instance, 1
        #: The revisions of services, until the next event: they are looked up for every request.
        self._revisions: dict[tuple[_Revision, str, tuple[str, ...]], int] = {}
        self._address = address
        self._version = version
        #: The last votes of this node that are recorded, the newest first.
        self.votes: deque[VoteRecorded] = deque(maxlen=_LAST_VOTES)

    def begin_anew(self) -> None:
        """Forget all that was read, and be a new process of the node: the log was set back to a copy."""
        former, self._lives = self.state, self._lives + 1
        self.domain = Domain()
        self._revisions.clear()
        self.state = NodeState(
            node=former.node,
            instance=f"{self._instance}-{self._lives}",
            services=former.services,
            runs_groups=former.runs_groups,
        )
        self.votes.clear()

    def read(self, event: Event) -> tuple[Step, ...]:
        """Return the steps that follow from the next event of the domain."""
        self.domain = evolve(self.domain, event)
        self._revisions.clear()
        if isinstance(event, VoteRecorded) and event.node == self.state.node:
            self.votes.appendleft(event)
        self.state, steps = read_event(self.state, event)
        return steps

    @property
    def is_member(self) -> bool:
        """True if the node is a member, and answers requests unless it is paused."""
        return self.state.epoch > 0

    @property
    def phase(self) -> tuple[str, str, int]:
        """The open rollout, its phase and the number of its changes, as the node has read them."""
        return self.state.rollout, self.state.phase or "", self.state.changes

    @property
    def is_waiting(self) -> bool:
        """True if the node is paused for a rollout, and its end is not read yet."""
        return bool(self.state.rollout) and not self.state.admits

    @property
    def has_ballot(self) -> bool:
        """True if a vote is to be sent."""
        return self.state.ballot is not None

    @property
    def changes(self) -> tuple[ItemChange, ...]:
        """All changes of the open rollout."""
        return () if self.domain.rollout is None else self.domain.rollout.changes

    @property
    def contents(self) -> tuple[ItemChange, ...]:
        """The items of the revision of the domain, with their contents."""
        return self.domain.contents

    def digest(self, digests: Mapping[tuple[Kind, str], str]) -> str:
        """Return the digest of all items, if those that a rollout changes have these digests here."""
        changes = [
            ItemChange(change.kind, change.name, change.action, digests.get((change.kind, change.name), ""))
            for change in self.changes
        ]
        return revision_digest(items_after(self.domain.items, changes, self.domain.revision + 1))

    def end(self, phase: tuple[str, str, int], digest: str, reason: str) -> tuple[Step, ...]:
        """Return what follows from the end of the step of a phase: `reason` is why it has failed."""
        if phase != self.phase or self.state.phase is None:
            return ()
        result = LocalResult(
            rollout=phase[0], phase=self.state.phase, changes=phase[2], digest=digest, reason=reason
        )
        self.state, steps = end_step(self.state, result)
        return steps

    def lose_contact(self) -> tuple[Step, ...]:
        """Return what follows if the log is away while the node waits for a decision."""
        self.state, steps = lose_contact(self.state)
        return steps

    def revision_of(self, service: str, groups: Collection[str] = ()) -> int:
        """Return the last revision that changed an item which concerns a service of these groups.

        From the deployment on it is that of the next revision, if the rollout concerns the service.
        """
        return self._look_up(service_revision, service, groups)

    def revision_ahead(self, service: str, groups: Collection[str], *, reads_log: bool) -> int:
        """Return the revision from which on a gateway asks a service of these groups.

        Without the log, whether what is deployed will be committed is not known: then it is the former one.
        """
        return self._look_up(revision_ahead if reads_log else service_revision, service, groups)

    def _look_up(self, revision: _Revision, service: str, groups: Collection[str]) -> int:
        key = (revision, service, tuple(groups))
        found = self._revisions.get(key)
        if found is None:
            found = self._revisions[key] = revision(self.domain, service, groups)
        return found

    def join(self, at: datetime) -> tuple[str, Command] | None:
        """Return the command that makes the node a member, and its id; None while it has to wait."""
        known = self.domain.member(self.state.node)
        is_other = known is not None and known.instance != self.state.instance
        if self.domain.rollout is not None and not is_other:
            return None
        command = JoinDomain(
            node=self.state.node,
            instance=self.state.instance,
            address=self._address,
            services=tuple(sorted(self.state.services)),
            runs_groups=self.state.runs_groups,
            version=self._version,
            revision=self.domain.revision,
            at=at,
        )
        # once more after an eviction, or for another revision
        tried = f"{self.domain.joined}-{self.domain.revision}-{'replace' if is_other else 'join'}"
        return f"join-{self.state.instance}-{tried}", command

    def leave(self, at: datetime) -> tuple[str, Command] | None:
        """Return the command that ends the membership of the node, and its id; None without one."""
        if not self.is_member:
            return None
        command = LeaveDomain(node=self.state.node, epoch=self.state.epoch, at=at)
        return f"leave-{self.state.instance}-{self.state.epoch}", command

    @property
    def processes(self) -> Mapping[tuple[str, int], tuple[str, str]]:
        """The address of each member, and its process, by its name and its epoch."""
        return {(one.node, one.epoch): (one.address, one.instance) for one in self.domain.members}

    def evict(self, node: str, epoch: int, at: datetime) -> tuple[str, Command]:
        """Return the command that removes a node which is absent from discovery, and its id."""
        return f"evict-{node}-{epoch}", EvictNode(node=node, epoch=epoch, at=at)

    def vote(self, took_ms: int, at: datetime) -> tuple[str, Command] | None:
        """Return the vote that is not recorded yet, and its id: the same whenever it is sent."""
        ballot = self.state.ballot
        if ballot is None:
            return None
        command = RecordVote(
            rollout=ballot.rollout,
            phase=ballot.phase,
            changes=ballot.changes,
            node=self.state.node,
            epoch=self.state.epoch,
            accepted=ballot.accepted,
            digest=ballot.digest,
            reason=ballot.reason,
            took_ms=took_ms,
            at=at,
        )
        name = f"vote-{ballot.rollout}-{ballot.phase}-{ballot.changes}"
        return f"{name}-{self.state.node}-{self.state.epoch}", command

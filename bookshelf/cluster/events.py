"""The events of a domain, and the catalogue of their topic. Their key is the name of the domain.

A rollout takes the domain from one revision to the next one. Its proposal, the votes, the time limits and
the decision are all events of one aggregate, so every node reads them in one order.
"""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.item import Kind
from bookshelf.cqrs.message import Event

TOPIC = "cluster"

#: What a node does in a rollout, and the time between the first votes and the commit.
Phase = Literal["load", "pause", "prepared", "deploy", "rollback"]
#: When nodes stop to admit requests: at the end of the first phase, or after the commit was requested.
Barrier = Literal["prepare", "commit"]
Action = Literal["put", "remove"]


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One configured thing: its kind and name, the digest of its content, and the revision it is from."""

    kind: Kind
    name: str = ""
    digest: str
    revision: int


class NodeJoined(Event, frozen=True, kw_only=True):
    """A node is a member of the domain. A restart of it is another `instance`, and gets another `epoch`."""

    TYPE: ClassVar[str] = "cluster.node-joined.v1"
    node: str
    instance: str
    epoch: int
    address: str
    services: tuple[str, ...]
    runs_groups: bool = False
    version: str
    revision: int


class NodeLeft(Event, frozen=True, kw_only=True):
    """A node is no member any more: it has left, is absent from discovery, or was replaced by a restart."""

    TYPE: ClassVar[str] = "cluster.node-left.v1"
    node: str
    epoch: int
    reason: Literal["left", "absent", "replaced"]


class RolloutOpened(Event, frozen=True, kw_only=True):
    """An administrator proposes the revision after `revision`."""

    TYPE: ClassVar[str] = "cluster.rollout-opened.v1"
    rollout: str
    actor: str
    barrier: Barrier
    revision: int


class ChangeAdded(Event, frozen=True, kw_only=True):
    """Change `n`, from 1 on, is part of the rollout. The content of a package is in the repository."""

    TYPE: ClassVar[str] = "cluster.change-added.v1"
    rollout: str
    n: int
    kind: Kind
    name: str = ""
    action: Action
    digest: str = ""
    content: str = ""


class PhaseRequested(Event, frozen=True, kw_only=True):
    """Every member is to load, pause, deploy or roll back, and to vote for the first `changes` changes.

    `deadline` is when the votes must be there. `reason` is why the rollout is rolled back.
    """

    TYPE: ClassVar[str] = "cluster.phase-requested.v1"
    rollout: str
    phase: Phase
    changes: int
    members: tuple[str, ...]
    deadline: datetime | None = None
    reason: str = ""


class VoteRecorded(Event, frozen=True, kw_only=True):
    """A member has done what a phase requests, or cannot, for this `reason`."""

    TYPE: ClassVar[str] = "cluster.vote-recorded.v1"
    rollout: str
    phase: Phase
    changes: int
    node: str
    epoch: int
    accepted: bool
    digest: str = ""
    reason: str = ""
    took_ms: int = 0


class RolloutPrepared(Event, frozen=True, kw_only=True):
    """All members have voted for `changes` changes. Without a commit until `deadline` it is aborted."""

    TYPE: ClassVar[str] = "cluster.rollout-prepared.v1"
    rollout: str
    changes: int
    deadline: datetime


class CommitRequested(Event, frozen=True, kw_only=True):
    """An administrator commits the rollout, and has seen `changes` changes of it."""

    TYPE: ClassVar[str] = "cluster.commit-requested.v1"
    rollout: str
    changes: int
    actor: str


class RevisionCommitted(Event, frozen=True, kw_only=True):
    """All members have deployed: the domain has another revision, of these items."""

    TYPE: ClassVar[str] = "cluster.revision-committed.v1"
    rollout: str
    revision: int
    items: tuple[Item, ...]


class RolloutAborted(Event, frozen=True, kw_only=True):
    """The rollout has ended before any member deployed it. `node` is the one that refused or was silent."""

    TYPE: ClassVar[str] = "cluster.rollout-aborted.v1"
    rollout: str
    reason: str
    node: str = ""


class RolloutRolledBack(Event, frozen=True, kw_only=True):
    """All members have the former revision again."""

    TYPE: ClassVar[str] = "cluster.rollout-rolled-back.v1"
    rollout: str
    reason: str


DOMAIN_EVENTS: tuple[type[Event], ...] = (
    *(NodeJoined, NodeLeft, RolloutOpened, ChangeAdded, PhaseRequested, VoteRecorded, RolloutPrepared),
    *(CommitRequested, RevisionCommitted, RolloutAborted, RolloutRolledBack),
)
EVENTS = Catalogue(*DOMAIN_EVENTS)

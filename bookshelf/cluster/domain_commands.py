"""The commands of the aggregate `domain`."""

from datetime import datetime
from typing import ClassVar

from bookshelf.cluster.events import Barrier, Phase
from bookshelf.cqrs.item import ItemChange
from bookshelf.cqrs.message import Command

#: The version of what a package may use. A node with another one cannot join.
PACKAGE_API = 1


class JoinDomain(Command, frozen=True, kw_only=True):
    """Make a node a member: it has loaded this revision. Issued by its agent."""

    TYPE: ClassVar[str] = "cluster.join-domain.v1"
    node: str
    instance: str
    address: str
    services: tuple[str, ...]
    runs_groups: bool = False
    version: str
    revision: int
    package_api: int = PACKAGE_API
    at: datetime


class LeaveDomain(Command, frozen=True, kw_only=True):
    """Require no more votes of a node, which is no longer registered. Issued by its agent."""

    TYPE: ClassVar[str] = "cluster.leave-domain.v1"
    node: str
    epoch: int
    at: datetime


class EvictNode(Command, frozen=True, kw_only=True):
    """Remove a node that was absent from discovery for some time."""

    TYPE: ClassVar[str] = "cluster.evict-node.v1"
    node: str
    epoch: int
    at: datetime


class ProposeChanges(Command, frozen=True, kw_only=True):
    """Open a rollout with the id `id`, or extend the open one, if it is one's own or named in `rollout`."""

    TYPE: ClassVar[str] = "cluster.propose-changes.v1"
    id: str
    actor: str
    changes: tuple[ItemChange, ...]
    barrier: Barrier = "commit"
    rollout: str | None = None
    at: datetime


class RecordVote(Command, frozen=True, kw_only=True):
    """Record the vote of a node for a phase of a rollout and its first `changes` changes."""

    TYPE: ClassVar[str] = "cluster.vote.v1"
    rollout: str
    phase: Phase
    changes: int
    node: str
    epoch: int
    accepted: bool
    digest: str = ""
    reason: str = ""
    took_ms: int = 0
    at: datetime


class CommitRollout(Command, frozen=True, kw_only=True):
    """Commit a prepared rollout, of as many changes as the administrator has seen."""

    TYPE: ClassVar[str] = "cluster.commit-rollout.v1"
    rollout: str
    changes: int
    actor: str
    at: datetime


class RollBack(Command, frozen=True, kw_only=True):
    """End a rollout without its changes."""

    TYPE: ClassVar[str] = "cluster.roll-back.v1"
    rollout: str
    actor: str
    at: datetime


class ExpirePhase(Command, frozen=True, kw_only=True):
    """End a phase whose time is over."""

    TYPE: ClassVar[str] = "cluster.expire-phase.v1"
    rollout: str
    phase: Phase
    changes: int
    at: datetime

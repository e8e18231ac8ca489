"""The answers of the API about domains: members, rollouts, revisions."""

from datetime import datetime

import msgspec


class ListedMember(msgspec.Struct, frozen=True, kw_only=True):
    """A node of a domain. `left` is empty for a member, else why it is none any more."""

    domain: str
    node: str
    epoch: int
    address: str
    services: list[str]
    runs_groups: bool
    version: str
    revision: int
    since: datetime
    left: str = ""


class ListedRollout(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout. `result` is empty while it is open; then `deadline` is when its phase must have ended.

    `revision` is the one before it, or after a commit the new one. `node` and `reason`: why it has failed.
    """

    domain: str
    id: str
    opened: datetime
    actor: str
    barrier: str
    phase: str
    committed: bool
    changes: int
    members: list[str]
    revision: int
    deadline: datetime | None = None
    result: str = ""
    reason: str = ""
    node: str = ""
    ended: datetime | None = None


class RolloutChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a rollout changes. The content of a package is in the repository."""

    n: int
    kind: str
    name: str
    action: str
    digest: str
    content: str


class RolloutStep(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a rollout, as `vote-recorded` of a node, with the milliseconds that its work took."""

    type: str
    at: datetime
    actor: str = ""
    phase: str = ""
    node: str = ""
    accepted: bool = True
    took_ms: int = 0
    reason: str = ""


class RolloutDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout with its changes and everything that has happened in it."""

    rollout: ListedRollout
    changes: list[RolloutChange]
    steps: list[RolloutStep]


class RevisionItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item of a revision; `since` is the revision that it is from."""

    domain: str
    kind: str
    name: str
    digest: str
    since: int
    content: str

"""What a node shows of itself: its services, groups, items and votes, and what differs from its domain."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from bookshelf.cluster.node_differences import NodeDifference


class ReportedService(msgspec.Struct, frozen=True, kw_only=True):
    """A service that runs on a node.

    `group` is empty for one that is no part of a package. `scope` and `exclude`: those of its sessions, empty
    without any. `policy`: the text of its policy. `revision`: the last one that concerns it.
    """

    name: str
    group: str = ""
    scope: str = ""
    exclude: Mapping[str, Sequence[str]] = {}
    policy: str = ""
    revision: int = 0
    is_paused: bool = False
    routes: Sequence[str] = ()


class ReportedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A service group that runs on a node: its package, and its process.

    `memory`: the bytes of memory that the process has in use; 0 if that is unknown.
    """

    name: str
    version: str
    digest: str
    pid: int
    memory: int = 0


class ReportedItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item of the revision that a node has: `since` is the revision that has changed it last."""

    kind: str
    name: str
    digest: str
    since: int
    content: str = ""


class ReportedVote(msgspec.Struct, frozen=True, kw_only=True):
    """What a node has answered in a phase of a rollout."""

    rollout: str
    phase: str
    accepted: bool
    took_ms: int
    reason: str


class ReportedMember(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the domain, as this one has read it."""

    node: str
    version: str
    services: Sequence[str] = ()
    runs_groups: bool = False


class NodeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a node has and does at one moment.

    Without a domain `domain` is empty, and all that follows from one. `fault`: why the node is not ready.
    `rollout` and `phase` are those of the open rollout. `middleware`: what runs around requests of the
    gateway, by the names of its settings; empty without a gateway. `differences`: those of all nodes.
    """

    node: str
    address: str
    version: str
    domain: str = ""
    epoch: int = 0
    revision: int = 0
    fault: str = ""
    rollout: str = ""
    phase: str = ""
    runs_groups: bool = False
    services: Sequence[ReportedService] = ()
    groups: Sequence[ReportedGroup] = ()
    items: Sequence[ReportedItem] = ()
    votes: Sequence[ReportedVote] = ()
    members: Sequence[ReportedMember] = ()
    middleware: Sequence[str] = ()
    differences: Sequence[NodeDifference] = ()


class OwnDifference(msgspec.Struct, frozen=True):
    """How a node differs from its domain.

    `kind`: `version` (`here` is the node's, `there` that of most nodes); `absent`: the group `name` does not
    run; `package`: another package of the group `name` runs; `surplus`: the group is none of the revision;
    `revision`, and `items` at the same one: those in force; `setting`: its own value of `name` is another.
    """

    kind: str
    name: str = ""
    here: str = ""
    there: str = ""


def own_differences(report: NodeReport) -> tuple[OwnDifference, ...]:
    """Return how a node differs from the revision of its domain, and from most of its nodes."""
    return (*_of_version(report), *_of_groups(report), *_of_others(report)) if report.domain else ()


def _of_version(report: NodeReport) -> Iterator[OwnDifference]:
    versions = [member.version for member in report.members]
    usual = max(versions, key=versions.count, default=report.version)
    if versions.count(usual) > versions.count(report.version):
        yield OwnDifference("version", here=report.version, there=usual)


def _of_groups(report: NodeReport) -> Iterator[OwnDifference]:
    if not report.runs_groups:
        return
    wanted = {item.name: item.digest for item in report.items if item.kind == "package"}
    running = {group.name: group.digest for group in report.groups}
    for name in sorted(wanted.keys() | running.keys()):
        here, there = running.get(name, ""), wanted.get(name, "")
        if not here:
            yield OwnDifference("absent", name, there=there)
        elif not there:
            yield OwnDifference("surplus", name, here=here)
        elif here != there:
            yield OwnDifference("package", name, here, there)


def _of_others(report: NodeReport) -> Iterator[OwnDifference]:
    """Yield how the node differs from the others that are in discovery."""
    for one in report.differences:
        if report.node not in one.nodes:
            continue
        if one.kind in {"revision", "items"}:
            yield OwnDifference(one.kind, here=one.here, there=one.there)
        elif one.kind == "settings":
            yield from (OwnDifference("setting", name) for name in one.names)

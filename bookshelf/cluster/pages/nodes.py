"""A node: what it runs, and how it has voted lately."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from bookshelf.cluster.pages.example_cluster import (
    example_details,
    example_members,
    example_rollout,
    long_members,
)
from bookshelf.cluster.pages.models import LEFT_NAMES, NODES, READ, ROOT, STAGE_NAMES
from bookshelf.cluster.rollout_answers import (
    ListedMember,
    ListedRollout,
    RevisionItem,
    RolloutDetails,
    RolloutStep,
)
from bookshelf.cluster.running import RunningNode
from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.site.api_adapters import ApiProblem, segment, target
from bookshelf.site.page import Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

_LAST = 3
_UNKNOWN = 404


class PastVote(NamedTuple):
    """A vote of the node, and the rollout that it belongs to."""

    rollout: str
    step: RolloutStep


class NodeModel(Model):
    """A node, its items of the present revision and its last votes; None where they cannot be read."""

    member: ListedMember
    items: tuple[RevisionItem, ...] | None
    votes: tuple[PastVote, ...] | None
    left_names: Mapping[str, str]
    stage_names: Mapping[str, str]


async def show_node(request: PageRequest) -> Page:
    """Show a node. Raises `ApiProblem` if there is none with this name."""
    name, api = request.path["node"], request.api
    members = (await api.get("/cluster/members", kind=tuple[ListedMember, ...])).body
    found = [member for member in members if member.node == name]
    if not found:
        raise ApiProblem(ApiAnswer(_UNKNOWN, {}, {}))
    running = await api.try_get("/cluster/running", kind=tuple[RunningNode, ...])
    member = found[0] if running is None else with_running(found[0], running.body)
    items = await api.try_get(f"/cluster/revisions/{member.revision}", kind=tuple[RevisionItem, ...])
    return _page(member, None if items is None else items.body, await _votes(request, name))


def with_running(member: ListedMember, running: Sequence[RunningNode]) -> ListedMember:
    """Return a member with its services of groups, too."""
    here = {service for one in running if one.node == member.node for service in one.services}
    return member if member.left else replace(member, services=sorted({*member.services, *here}))


async def _votes(request: PageRequest, node: str) -> tuple[PastVote, ...] | None:
    """Return the votes of a node in the last rollouts."""
    asked = target("/cluster/rollouts", limit=_LAST)
    newest = await request.api.try_get(asked, kind=tuple[ListedRollout, ...])
    if newest is None:
        return None
    found: list[PastVote] = []
    for rollout in newest.body:
        path = f"/cluster/rollouts/{segment(rollout.id)}"
        details = await request.api.try_get(path, kind=RolloutDetails)
        if details is not None:
            found += _cast(details.body, node)
    return tuple(found)


def _cast(details: RolloutDetails, node: str) -> Iterable[PastVote]:
    return (
        PastVote(details.rollout.id, step)
        for step in reversed(details.steps)
        if step.type == "vote-recorded" and step.node == node
    )


def _page(
    member: ListedMember, items: tuple[RevisionItem, ...] | None, votes: tuple[PastVote, ...] | None
) -> Page:
    concerning = None if items is None else tuple(item for item in items if _concerns(item, member))
    model = NodeModel(
        member=member, items=concerning, votes=votes, left_names=LEFT_NAMES, stage_names=STAGE_NAMES
    )
    return Page("node.html", model, title=member.node)


def _concerns(item: RevisionItem, member: ListedMember) -> bool:
    if item.domain != member.domain:
        return False
    if item.kind == "package":
        return member.runs_groups
    return item.kind != "policy" or item.name in member.services


def _examples() -> Mapping[str, Page]:
    members, long = example_members(), long_members()[0]
    items = tuple(
        RevisionItem(domain="blue", kind=kind, name=name, digest="5f" * 32, since=since, content=content)
        for kind, name, since, content in (
            ("settings", "", 41, 'log_level = "debug"\n'),
            ("policy", "newbook", 39, "deadline_s = 2\n"),
            ("package", "counters", 40, ""),
        )
    )
    votes = tuple(_cast(example_details(example_rollout()), "node1"))
    refused = example_details(example_rollout(reason="log_level is not one of debug, info"))
    return {
        "usual": _page(members[0], items, votes),
        "absent": _page(members[3], items, tuple(_cast(refused, "node2"))),
        "empty": _page(members[1], (), ()),
        "long": _page(long, items * 3, votes * 9),
        "failed": _page(members[2], None, None),
    }


PAGES = (
    PageRoute(
        f"{NODES}/{{node}}",
        get=show_node,
        title=_("A node"),
        section=ROOT,
        examples=_examples,
        requires=READ,
    ),
)

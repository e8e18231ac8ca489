"""The overview: the nodes of a domain by their services, what differs, and the rollout that is open."""

from collections.abc import Mapping
from datetime import datetime

from bookshelf.cluster.node_differences import NodeDifference
from bookshelf.cluster.pages.example_cluster import (
    NOW,
    example_details,
    example_differences,
    example_locks,
    example_members,
    example_rollout,
    example_running,
    example_sessions,
    long_members,
)
from bookshelf.cluster.pages.models import (
    LEFT_NAMES,
    READ,
    ROOT,
    STAGE_NAMES,
    ConsoleLock,
    ConsoleNode,
    OpenCard,
    SessionTotals,
    by_service,
    lost_nodes,
    may_commit,
    open_card,
)
from bookshelf.cluster.rollout_answers import ListedMember, ListedRollout, RolloutDetails
from bookshelf.cluster.running import RunningNode
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page import Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest


class OverviewModel(Model):
    """The domain; what could not be read is None.

    `nodes`: how many are present. `lost`: those that have not left by themselves. `singles`: the services
    without a second instance.
    """

    nodes: int
    revision: int
    services: Mapping[str, tuple[ConsoleNode, ...]] | None
    lost: tuple[ListedMember, ...]
    differences: tuple[NodeDifference, ...] | None
    singles: tuple[str, ...]
    card: OpenCard | None
    sessions: int | None
    stage_names: Mapping[str, str]
    left_names: Mapping[str, str]


async def show_overview(request: PageRequest) -> Page:
    """Show the members, and the open rollout if there is one."""
    api = request.api
    members = await api.try_get("/cluster/members", kind=tuple[ListedMember, ...])
    newest = await api.try_get(target("/cluster/rollouts", limit=1), kind=tuple[ListedRollout, ...])
    locks = await api.try_get("/cluster/locks", kind=tuple[ConsoleLock, ...])
    sessions = await api.try_get(target("/cluster/sessions", limit=1), kind=SessionTotals)
    running = await api.try_get("/cluster/running", kind=tuple[RunningNode, ...])
    found = await api.try_get("/cluster/differences", kind=tuple[NodeDifference, ...])
    details = None
    if newest is not None and newest.body and not newest.body[0].result:
        path = f"/cluster/rollouts/{segment(newest.body[0].id)}"
        read = await api.try_get(path, kind=RolloutDetails)
        details = None if read is None or read.body.rollout.result else read.body
    return _page(
        None if members is None else members.body,
        None if running is None else running.body,
        details,
        () if locks is None else locks.body,
        None if sessions is None else sessions.body,
        None if found is None else found.body,
        request.now,
        can_commit=may_commit(request.caller),
    )


def _page(  # noqa: PLR0913, PLR0917 (what the page shows)
    members: tuple[ListedMember, ...] | None,
    running: tuple[RunningNode, ...] | None,
    details: RolloutDetails | None,
    locks: tuple[ConsoleLock, ...],
    sessions: SessionTotals | None,
    found: tuple[NodeDifference, ...] | None,
    now: datetime,
    *,
    can_commit: bool = True,
) -> Page:
    here = [member for member in members or () if not member.left]
    model = OverviewModel(
        nodes=len(here),
        revision=max((member.revision for member in here), default=0),
        services=None if members is None else by_service(members, running, details, locks),
        lost=() if members is None else lost_nodes(members),
        differences=None if found is None else tuple(one for one in found if one.kind != "single"),
        singles=tuple(name for one in found or () if one.kind == "single" for name in one.names),
        card=None if details is None else open_card(details, now, can_commit=can_commit),
        sessions=None if sessions is None else sessions.open,
        stage_names=STAGE_NAMES,
        left_names=LEFT_NAMES,
    )
    return Page("overview.html", model)


def _examples() -> Mapping[str, Page]:
    members, locks, sessions = example_members(), example_locks(), example_sessions()
    running = example_running()
    prepared = example_details(example_rollout())
    refused = example_rollout(phase="rollback", reason="node2: log_level is not one of debug, info")
    unlike, single = example_differences(), example_differences()[-1:]
    return {
        "usual": _page(members[:3], running, None, locks, sessions, single, NOW),
        "prepared": _page(members[:3], running, prepared, locks, sessions, (), NOW),
        "rolling back": _page(members[:3], running, example_details(refused), locks, sessions, (), NOW),
        "different": _page(members, running, None, locks, sessions, unlike, NOW),
        "empty": _page((), (), None, (), None, (), NOW),
        "long": _page(long_members(), running, prepared, locks, sessions, unlike * 3, NOW),
        "seen only": _page(members, running, prepared, locks, sessions, (), NOW, can_commit=False),
        "failed": _page(None, None, None, (), None, None, NOW),
        "half": _page(members[:3], None, None, locks, sessions, None, NOW),
    }


PAGES = (
    PageRoute(ROOT, get=show_overview, title=_("Overview"), section=ROOT, examples=_examples, requires=READ),
)

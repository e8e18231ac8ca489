"""The questions on domains: their members, their rollouts, and what a revision consists of."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy import select

from bookshelf.cluster.micros import moment_of
from bookshelf.cluster.rollout_answers import (
    ListedMember,
    ListedRollout,
    RevisionItem,
    RolloutChange,
    RolloutDetails,
    RolloutStep,
)
from bookshelf.cluster.rollout_views import VIEW, changes, items, members, rollouts, steps
from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.route import Answer, QueryRoute
from bookshelf.storage.paging import After, Limit, Sort, list_page

READ = ("cluster:read",)

DomainName = Annotated[str, Meta(max_length=63, description="the name of a domain; empty for all")]
RolloutId = Annotated[str, Meta(max_length=200, description="the id of a rollout")]


class MembersQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Of which domain."""

    domain: DomainName = ""


class RolloutsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Of which domain, how many, and from where on."""

    domain: DomainName = ""
    limit: Limit = 24
    after: After | None = None


class RolloutQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which rollout."""

    id: RolloutId


class RevisionQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which revision, and of which domain."""

    revision: Annotated[int, Meta(ge=0, le=2**53, description="the number of a revision")]
    domain: DomainName = ""


def list_members(db: Any, asked: MembersQuery) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Answer the nodes, those that have left in the last day too."""
    query = select(members).order_by(members.c.domain, members.c.node)
    if asked.domain:
        query = query.where(members.c.domain == asked.domain)
    found = [
        ListedMember(
            domain=row.domain,
            node=row.node,
            epoch=row.epoch,
            address=row.address,
            services=msgspec.json.decode(row.services, type=list[str]),
            runs_groups=row.runs_groups,
            version=row.version,
            revision=row.revision,
            since=moment_of(row.since),
            left=row.state,
        )
        for row in db.execute(query)
    ]
    return Answer(found)


def list_rollouts(db: Any, asked: RolloutsQuery) -> Answer:  # noqa: ANN401 (as above)
    """Answer a page of rollouts, the newest first. Raises `Invalid`."""
    query = select(rollouts)
    if asked.domain:
        query = query.where(rollouts.c.domain == asked.domain)
    page = list_page(
        db,
        query,
        rollouts.c.id,
        order="-opened",
        sort=Sort((rollouts.c.opened,), (int,)),
        limit=asked.limit,
        render=_listed,
        after=asked.after,
    )
    return Answer(page.items, after=page.after)


def _listed(row: Any) -> ListedRollout:  # noqa: ANN401 (a row)
    return ListedRollout(
        domain=row.domain,
        id=row.id,
        opened=moment_of(row.opened),
        actor=row.actor,
        barrier=row.barrier,
        phase=row.phase,
        committed=row.committed,
        changes=row.changes,
        members=msgspec.json.decode(row.members, type=list[str]),
        deadline=moment_of(row.deadline) if row.deadline else None,
        result=row.result,
        reason=row.reason,
        node=row.node,
        revision=row.revision,
        ended=moment_of(row.ended) if row.ended else None,
    )


def one_rollout(db: Any, asked: RolloutQuery) -> Answer:  # noqa: ANN401 (as above)
    """Answer a rollout with all of it. Raises `NotFound`."""
    row = db.execute(select(rollouts).where(rollouts.c.id == asked.id)).first()
    if row is None:
        raise NotFound(asked.id)
    of_it = changes.c.domain == row.domain, changes.c.rollout == row.id
    changed = db.execute(select(changes).where(*of_it).order_by(changes.c.n))
    happened = db.execute(
        select(steps).where(steps.c.domain == row.domain, steps.c.rollout == row.id).order_by(steps.c.off)
    )
    return Answer(
        RolloutDetails(
            rollout=_listed(row),
            changes=[
                RolloutChange(
                    n=one.n,
                    kind=one.kind,
                    name=one.name,
                    action=one.action,
                    digest=one.digest,
                    content=one.content,
                )
                for one in changed
            ],
            steps=[_step(one) for one in happened],
        )
    )


def _step(row: Any) -> RolloutStep:  # noqa: ANN401 (a row)
    return RolloutStep(
        type=row.type,
        at=moment_of(row.at),
        actor=row.actor,
        phase=row.phase,
        node=row.node,
        accepted=row.accepted,
        took_ms=row.took_ms,
        reason=row.reason,
    )


def items_of_revision(db: Any, asked: RevisionQuery) -> Answer:  # noqa: ANN401 (as above)
    """Answer the items of a revision with their contents."""
    query = select(items).where(items.c.revision == asked.revision)
    if asked.domain:
        query = query.where(items.c.domain == asked.domain)
    found = [
        RevisionItem(
            domain=row.domain,
            kind=row.kind,
            name=row.name,
            digest=row.digest,
            since=row.since,
            content=_content(db, row),
        )
        for row in db.execute(query.order_by(items.c.domain, items.c.kind, items.c.name)).all()
    ]
    return Answer(found)


def _content(db: Any, row: Any) -> str:  # noqa: ANN401 (as above)
    of_digest = changes.c.domain == row.domain, changes.c.digest == row.digest
    return str(db.execute(select(changes.c.content).where(*of_digest).limit(1)).scalar_one())


QUERIES = (
    QueryRoute(
        path="/cluster/members",
        summary="The nodes of a domain",
        view=VIEW,
        query=list_members,
        params=MembersQuery,
        returns=list[ListedMember],
        requires=READ,
    ),
    QueryRoute(
        path="/cluster/rollouts",
        summary="Rollouts, the newest first",
        view=VIEW,
        query=list_rollouts,
        params=RolloutsQuery,
        returns=list[ListedRollout],
        requires=READ,
    ),
    QueryRoute(
        path="/cluster/rollouts/{id}",
        summary="A rollout, with its changes and every event of it",
        view=VIEW,
        query=one_rollout,
        params=RolloutQuery,
        returns=RolloutDetails,
        requires=READ,
    ),
    QueryRoute(
        path="/cluster/revisions/{revision}",
        summary="The items of a revision, with their contents",
        view=VIEW,
        query=items_of_revision,
        params=RevisionQuery,
        returns=list[RevisionItem],
        requires=READ,
    ),
)

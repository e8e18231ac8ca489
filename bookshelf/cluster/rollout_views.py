"""The view of domains: members, rollouts with every event of them, and the items of each revision."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    and_,
    bindparam,
    delete,
    insert,
    update,
)

from bookshelf.cluster.events import (
    EVENTS,
    TOPIC,
    ChangeAdded,
    CommitRequested,
    NodeJoined,
    NodeLeft,
    PhaseRequested,
    RevisionCommitted,
    RolloutAborted,
    RolloutOpened,
    RolloutPrepared,
    RolloutRolledBack,
    VoteRecorded,
)
from bookshelf.cluster.micros import micros
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.view import Change, Handler, Recorded, View
from bookshelf.storage.statements import TEXT

#: How long a node that has left is listed.
LEFT_FOR = timedelta(days=1)

TABLES = MetaData()
#: Times are microseconds since 1970. `state` is empty for a member, else why it has left.
members = Table(
    "cluster_member",
    TABLES,
    Column("domain", TEXT, primary_key=True),
    Column("node", TEXT, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("address", TEXT, nullable=False),
    Column("services", TEXT, nullable=False),
    Column("runs_groups", Boolean, nullable=False),
    Column("version", TEXT, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("since", BigInteger, nullable=False),
)
#: `result` is empty while the rollout is open, `ended` and `deadline` 0 without such a time.
rollouts = Table(
    "cluster_rollout",
    TABLES,
    Column("domain", TEXT, primary_key=True),
    Column("id", TEXT, primary_key=True),
    Column("opened", BigInteger, nullable=False),
    Column("actor", TEXT, nullable=False),
    Column("barrier", TEXT, nullable=False),
    Column("phase", TEXT, nullable=False),
    Column("committed", Boolean, nullable=False),
    Column("changes", Integer, nullable=False),
    Column("members", TEXT, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    Column("result", TEXT, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("node", TEXT, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("ended", BigInteger, nullable=False),
)
Index("cluster_rollout_opened", rollouts.c.opened, rollouts.c.id)
#: Every event of a rollout: the votes are those of the type `vote-recorded`.
steps = Table(
    "cluster_step",
    TABLES,
    Column("domain", TEXT, primary_key=True),
    Column("rollout", TEXT, primary_key=True),
    Column("off", BigInteger, primary_key=True),
    Column("type", TEXT, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", TEXT, nullable=False),
    Column("phase", TEXT, nullable=False),
    Column("node", TEXT, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("took_ms", Integer, nullable=False),
    Column("reason", TEXT, nullable=False),
)
#: What a rollout changes. `content` is empty for a package, which is in the repository.
changes = Table(
    "cluster_change",
    TABLES,
    Column("domain", TEXT, primary_key=True),
    Column("rollout", TEXT, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("kind", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("action", TEXT, nullable=False),
    Column("digest", TEXT, nullable=False),
    Column("content", TEXT, nullable=False),
)
Index("cluster_change_digest", changes.c.domain, changes.c.digest)
#: The items of each revision; `since` is the revision that an item is from.
items = Table(
    "cluster_item",
    TABLES,
    Column("domain", TEXT, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("kind", TEXT, primary_key=True),
    Column("name", TEXT, primary_key=True),
    Column("digest", TEXT, nullable=False),
    Column("since", BigInteger, nullable=False),
)

_domain, _rollout, _node = (bindparam(name, type_=TEXT) for name in ("of_domain", "of_rollout", "of_node"))
_this_member = and_(members.c.domain == _domain, members.c.node == _node)
_FORGET_MEMBER = delete(members).where(_this_member)
_FORGET_LEFT = delete(members).where(
    members.c.domain == _domain, members.c.state != "", members.c.since < bindparam("before")
)
_JOIN = insert(members)
_LEAVE = (
    update(members)
    .where(_this_member, members.c.epoch == bindparam("of_epoch"))
    .values(state=bindparam("why", type_=TEXT), since=bindparam("at"))
)
_REVISE = (
    update(members)
    .where(members.c.domain == _domain, members.c.state == "")
    .values(revision=bindparam("to_revision"))
)
_OPEN, _STEP, _CHANGE, _ITEM = insert(rollouts), insert(steps), insert(changes), insert(items)
_this_rollout = and_(rollouts.c.domain == _domain, rollouts.c.id == _rollout)
_COUNT = update(rollouts).where(_this_rollout).values(changes=bindparam("number"))
_REQUEST = (
    update(rollouts)
    .where(_this_rollout)
    .values(
        phase=bindparam("to_phase", type_=TEXT),
        members=bindparam("of_members", type_=TEXT),
        deadline=bindparam("until"),
    )
)
_PREPARE = update(rollouts).where(_this_rollout).values(phase="prepared", deadline=bindparam("until"))
_COMMIT = update(rollouts).where(_this_rollout).values(committed=True)
#: The revision that a rollout has led to; one that is aborted or rolled back keeps that before it.
_REACH = update(rollouts).where(_this_rollout).values(revision=bindparam("to_revision"))
_END = (
    update(rollouts)
    .where(_this_rollout)
    .values(
        result=bindparam("how", type_=TEXT),
        reason=bindparam("why", type_=TEXT),
        node=bindparam("because_of", type_=TEXT),
        ended=bindparam("at"),
        deadline=0,
    )
)


def texts(values: Iterable[str]) -> str:
    """Return texts as one text, a JSON list."""
    return msgspec.json.encode(list(values)).decode()


def _joined(event: NodeJoined, recorded: Recorded) -> Iterable[Change]:
    at = micros(recorded.time)
    yield _FORGET_MEMBER, {"of_domain": recorded.subject, "of_node": event.node}
    before = micros(recorded.time - LEFT_FOR)
    yield _FORGET_LEFT, {"of_domain": recorded.subject, "before": before}
    row = {
        "domain": recorded.subject,
        "node": event.node,
        "epoch": event.epoch,
        "address": event.address,
        "services": texts(event.services),
        "runs_groups": event.runs_groups,
        "version": event.version,
        "revision": event.revision,
        "state": "",
        "since": at,
    }
    yield _JOIN, row


def _left(event: NodeLeft, recorded: Recorded) -> Iterable[Change]:
    who = {"of_domain": recorded.subject, "of_node": event.node, "of_epoch": event.epoch}
    yield _LEAVE, {**who, "why": event.reason, "at": micros(recorded.time)}


def _step(recorded: Recorded, rollout: str, **fields: Any) -> Change:  # noqa: ANN401 (values of the columns)
    none = {"actor": "", "phase": "", "node": "", "accepted": True, "took_ms": 0, "reason": ""}
    row = {
        "domain": recorded.subject,
        "rollout": rollout,
        "off": recorded.offset,
        "type": recorded.type.removeprefix("cluster.").removesuffix(".v1"),
        "at": micros(recorded.time),
    }
    return _STEP, {**row, **none, **fields}


def _opened(event: RolloutOpened, recorded: Recorded) -> Iterable[Change]:
    row = {
        "domain": recorded.subject,
        "id": event.rollout,
        "opened": micros(recorded.time),
        "actor": event.actor,
        "barrier": event.barrier,
        "phase": "load",
        "committed": False,
        "changes": 0,
        "members": "[]",
        "deadline": 0,
        "result": "",
        "reason": "",
        "node": "",
        "revision": event.revision,
        "ended": 0,
    }
    yield _OPEN, row
    yield _step(recorded, event.rollout, actor=event.actor)


def _added(event: ChangeAdded, recorded: Recorded) -> Iterable[Change]:
    row = {
        "domain": recorded.subject,
        "rollout": event.rollout,
        "n": event.n,
        "kind": event.kind,
        "name": event.name,
        "action": event.action,
        "digest": event.digest,
        "content": event.content,
    }
    yield _CHANGE, row
    yield _COUNT, {"of_domain": recorded.subject, "of_rollout": event.rollout, "number": event.n}


def _until(deadline: datetime | None) -> int:
    return 0 if deadline is None else micros(deadline)


def _requested(event: PhaseRequested, recorded: Recorded) -> Iterable[Change]:
    values = {"to_phase": event.phase, "of_members": texts(event.members), "until": _until(event.deadline)}
    yield _REQUEST, {"of_domain": recorded.subject, "of_rollout": event.rollout, **values}
    yield _step(recorded, event.rollout, phase=event.phase, reason=event.reason)


def _voted(event: VoteRecorded, recorded: Recorded) -> Iterable[Change]:
    yield _step(
        recorded,
        event.rollout,
        phase=event.phase,
        node=event.node,
        accepted=event.accepted,
        took_ms=event.took_ms,
        reason=event.reason,
    )


def _prepared(event: RolloutPrepared, recorded: Recorded) -> Iterable[Change]:
    values = {"of_domain": recorded.subject, "of_rollout": event.rollout, "until": micros(event.deadline)}
    yield _PREPARE, values
    yield _step(recorded, event.rollout)


def _commit_requested(event: CommitRequested, recorded: Recorded) -> Iterable[Change]:
    yield _COMMIT, {"of_domain": recorded.subject, "of_rollout": event.rollout}
    yield _step(recorded, event.rollout, actor=event.actor)


def _committed(event: RevisionCommitted, recorded: Recorded) -> Iterable[Change]:
    domain = recorded.subject
    for item in event.items:
        row = {"kind": item.kind, "name": item.name, "digest": item.digest, "since": item.revision}
        yield _ITEM, {"domain": domain, "revision": event.revision, **row}
    yield _REVISE, {"of_domain": domain, "to_revision": event.revision}
    yield _REACH, {"of_domain": domain, "of_rollout": event.rollout, "to_revision": event.revision}
    yield _end(recorded, event.rollout, "committed")
    yield _step(recorded, event.rollout)


def _end(recorded: Recorded, rollout: str, result: str, reason: str = "", node: str = "") -> Change:
    values = {"how": result, "why": reason, "because_of": node}
    where = {"of_domain": recorded.subject, "of_rollout": rollout}
    return _END, {**where, **values, "at": micros(recorded.time)}


def _aborted(event: RolloutAborted, recorded: Recorded) -> Iterable[Change]:
    yield _end(recorded, event.rollout, "aborted", event.reason, event.node)
    yield _step(recorded, event.rollout, reason=event.reason, node=event.node, accepted=False)


def _rolled_back(event: RolloutRolledBack, recorded: Recorded) -> Iterable[Change]:
    yield _end(recorded, event.rollout, "rolled-back", event.reason)
    yield _step(recorded, event.rollout, reason=event.reason, accepted=False)


HANDLERS: Mapping[type[Event], Handler] = {
    NodeJoined: _joined,
    NodeLeft: _left,
    RolloutOpened: _opened,
    ChangeAdded: _added,
    PhaseRequested: _requested,
    VoteRecorded: _voted,
    RolloutPrepared: _prepared,
    CommitRequested: _commit_requested,
    RevisionCommitted: _committed,
    RolloutAborted: _aborted,
    RolloutRolledBack: _rolled_back,
}
VIEW = View(name="rollouts", topic=TOPIC, catalogue=EVENTS, tables=TABLES, handlers=HANDLERS, keyed=True)

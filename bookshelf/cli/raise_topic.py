"""`bookshelf topics raise locks`: higher fencing tokens than all before, after Kafka was set back to a copy.

The tokens of leases are the offsets of the topic `locks`. A copy of the log ends at lower ones than were
granted since, so the ends of the topic's partitions are raised before any process of the domain starts.
"""

import os
import sys
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from bookshelf.cli.command import interruptible, stop
from bookshelf.cli.instance import kafka_log, open_discovery
from bookshelf.cli.instance import topics as needed
from bookshelf.cli.log_reader import asked_of
from bookshelf.cluster.lock import LOCK, Lock
from bookshelf.cluster.lock_events import LOCK_EVENTS, TOPIC
from bookshelf.config import read_network
from bookshelf.cqrs.errors import Malformed
from bookshelf.discovery.port import DiscoveryFault
from bookshelf.log.kafka.settings import KafkaSettings
from bookshelf.log.port import ReadOnlyLog, partition_of
from bookshelf.runtime.election.candidate import DOMAIN

if TYPE_CHECKING:
    from bookshelf.log.kafka.ends import PartitionEnd

#: How many offsets may have been taken since the copy was made, if no token of that time is named.
_MARGIN = 1_000_000
#: The longest lease, and as long again for the clocks of other machines.
_LONGEST = timedelta(days=2)
_READ = 500
#: Seconds that Consul's agent is waited for.
_CONSUL_S = 3.0


class HeldLease(msgspec.Struct, frozen=True, kw_only=True):
    """A lease that lasts, by the log and by this machine's clock."""

    name: str
    holder: str
    until: datetime


class InUse(msgspec.Struct, frozen=True, kw_only=True):
    """What still runs: groups with members, instances of a domain at Consul (None: it is away), leases."""

    groups: tuple[str, ...]
    instances: tuple[str, ...] | None
    leases: tuple[HeldLease, ...]

    @property
    def why(self) -> str:
        """What runs, for people; empty if nothing does."""
        held = [f"{lease.name} by {lease.holder} until {lease.until:%FT%TZ}" for lease in self.leases]
        parts = {
            "instances are registered": self.instances or (),
            "Kafka's groups have members": self.groups,
            "leases are held": held,
        }
        return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts.items() if names)


class RaisedPartition(msgspec.Struct, frozen=True, kw_only=True):
    """A partition: its last record (-1: none), its former end, the goal of its next offset, its end now."""

    partition: int
    last: int
    former_end: int
    goal: int
    end: int


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """What the command found and did."""

    topic: str
    dry_run: bool
    partitions: tuple[RaisedPartition, ...]
    in_use: InUse


class RaiseOptions(NamedTuple):
    """The options of the command."""

    above: int | None
    lock: str
    dry_run: bool
    anyway: bool
    as_json: bool


@click.command("raise")
@click.argument("topic", type=click.Choice([TOPIC]))
@click.option("--above", type=click.IntRange(0, 1 << 48), metavar="N", help="The highest token known.")
@click.option("--lock", default="", metavar="NAME", help="Only the partition of this lock, DOMAIN.NAME.")
@click.option("--dry-run", is_flag=True, help="Print the ends and what would be done; change nothing.")
@click.option("--anyway", is_flag=True, help="Also while processes of a domain run, or leases are held.")
@click.option("--broker", metavar="ADDR", help="A Kafka broker; by default that of the environment.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def raise_command(topic: str, broker: str | None, **options: Any) -> None:  # noqa: ANN401 (see RaiseOptions)
    """Let new leases have higher fencing tokens than all former ones, after Kafka was set back to a copy.

    Do it while all processes of the domain are stopped. By default the offsets of each partition go on a
    million above its last record; with --above N they are above N in all. The command can be repeated, also
    after an interruption: it only does what is missing. On a data folder `bookshelf restore` does the same.
    """
    kafka = asked_of(None, broker)
    if kafka is None:
        stop("name Kafka's broker with --broker; for a data folder `bookshelf restore` does this by itself")
    if topic not in {known.name for known in needed()}:
        stop("set cluster_domain as the nodes of the domain have it: without a domain no topic locks is used")
    interruptible(_raise(kafka, RaiseOptions(**options)))


async def _raise(kafka: KafkaSettings, choices: RaiseOptions) -> None:
    kafka_log("a log on Kafka")  # it names the extra, if that is missing
    from bookshelf.log.kafka.ends import find_ends  # noqa: PLC0415 (an extra)

    in_use, chosen = await _look(kafka, choices.lock)
    if in_use.instances is None:
        click.echo("Consul does not answer: whether instances are registered was not checked.", err=True)
    ends = await find_ends(kafka, TOPIC, chosen)
    lacking = [end for end in ends if _goal(end, choices.above) > end.end]
    now = {end.partition: end.end for end in ends}
    if lacking and not choices.dry_run:
        if in_use.why and not choices.anyway:
            stop(f"{in_use.why}. Stop all processes of the domain first, and wait for the end of leases")
        now |= await _append(kafka, lacking, choices.above)
    partitions = tuple(
        RaisedPartition(
            partition=end.partition,
            last=end.last,
            former_end=end.end,
            goal=_goal(end, choices.above),
            end=now[end.partition],
        )
        for end in ends
    )
    result = Raised(topic=TOPIC, dry_run=choices.dry_run, partitions=partitions, in_use=in_use)
    if choices.as_json:
        click.echo(msgspec.json.encode(result))
    else:
        _print(result)


def _goal(end: "PartitionEnd", above: int | None) -> int:
    return (end.last + _MARGIN if above is None else above) + 1


async def _append(
    kafka: KafkaSettings, lacking: Iterable["PartitionEnd"], above: int | None
) -> dict[int, int]:
    from bookshelf.log.kafka.ends import raise_ends  # noqa: PLC0415 (an extra)

    goals = {end.partition: _goal(end, above) for end in lacking}
    total = sum(goals[end.partition] - end.end for end in lacking)
    with Progress(console=Console(stderr=True, quiet=not sys.stderr.isatty()), transient=True) as bar:
        task = bar.add_task(TOPIC, total=total)
        return await raise_ends(kafka, TOPIC, goals, lambda count: bar.advance(task, count))


def _print(result: Raised) -> None:
    for part in result.partitions:
        last = "no record" if part.last < 0 else f"last record {part.last}"
        if part.goal <= part.former_end:
            done = f"is above {part.goal - 1} already"
        elif result.dry_run:
            done = f"would be raised to {part.goal}"
        else:
            done = f"raised to {part.end}"
        click.echo(f"{result.topic}/{part.partition}  {last}  end {part.former_end}  {done}")
    if result.dry_run and result.in_use.why:
        click.echo(f"In use: {result.in_use.why}.")


async def _look(kafka: KafkaSettings, lock: str) -> tuple[InUse, tuple[int, ...]]:
    """Return what is in use, and the partition of the lock, none for all. Raises `LogFault`."""
    from bookshelf.log.kafka.ends import active_groups  # noqa: PLC0415 (an extra)

    names = [known.name for known in needed()]
    groups = await active_groups(kafka, frozenset(names))
    log = await kafka_log("a log on Kafka").look(kafka, [TOPIC])
    try:
        partitions = log.partitions(TOPIC)
        leases = [held for p in range(partitions) for held in await _held(log, p)]
    finally:
        await log.close()
    in_use = InUse(groups=tuple(groups), instances=await _registered(), leases=tuple(leases))
    return in_use, (partition_of(lock, partitions),) if lock else ()


async def _held(log: ReadOnlyLog, partition: int) -> list[HeldLease]:
    """Return the leases in a partition that last."""
    now = datetime.now(UTC)
    begin, end = await log.since(TOPIC, partition, now - _LONGEST), await log.end(TOPIC, partition)
    locks: dict[str, Lock] = {}
    tail = await log.tail(TOPIC, partition, begin)
    try:
        while tail.position < end:
            for record in await tail.take(_READ):
                with suppress(Malformed):
                    _, event = LOCK_EVENTS.read_alone(record.value)
                    if event is not None:
                        locks[record.key] = LOCK.evolve(locks.get(record.key, Lock()), event)
    finally:
        await tail.close()
    return [
        HeldLease(name=name, holder=lock.holder, until=lock.until)
        for name, lock in locks.items()
        if lock.until is not None and lock.until > now and not lock.is_free
    ]


async def _registered() -> tuple[str, ...] | None:
    """Return the instances of domains that Consul knows as ready; None if its agent does not answer."""
    network = read_network(os.environ)
    patient = msgspec.structs.replace(network.consul, wait_s=min(network.consul.wait_s, _CONSUL_S))
    try:
        async with AsyncExitStack() as stack:
            discovery = await open_discovery(msgspec.structs.replace(network, consul=patient), stack)
            found = discovery.snapshot().instances
    except DiscoveryFault:
        return None
    return tuple(sorted(one.id for one in found if not one.foreign and one.meta.get(DOMAIN)))

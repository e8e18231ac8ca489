"""What every discovery does, whether its instances are of this process or of a whole cluster."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bookshelf.discovery.port import Discovery, Instance, Snapshot

DEADLINE_S = 30.0


def instance(name: str = "newbook-1", *tags: str, port: int = 8081, **meta: str) -> Instance:
    """Return an instance of the service that its name begins with."""
    return Instance(
        id=name,
        service=name.partition("-")[0],
        tags=tags or ("books", "new"),
        address="127.0.0.1",
        port=port,
        meta=meta,
    )


async def known(discovery: Discovery, *wanted: Instance) -> Snapshot:
    """Return the first snapshot that has these instances and no others, in any order."""
    async with asyncio.timeout(DEADLINE_S):
        async for snapshot in discovery.watch():
            if by_id(snapshot) == sorted(wanted, key=lambda one: one.id):
                return snapshot
    raise AssertionError("the watch has ended")


async def following(watch: AsyncIterator[Snapshot]) -> list[Instance]:
    """Return the instances of the next snapshot of a watch."""
    async with asyncio.timeout(DEADLINE_S):
        return by_id(await anext(watch))


def by_id(snapshot: Snapshot) -> list[Instance]:
    return sorted(snapshot.instances, key=lambda one: one.id)


class DiscoveryContract:
    """Inherit, and give a fixture `discovery` without registrations."""

    async def test_without_registrations_no_instance_is_ready(self, discovery: Discovery) -> None:
        assert await known(discovery) == Snapshot()
        assert discovery.snapshot() == Snapshot()

    async def test_a_registered_instance_is_found_unchanged(self, discovery: Discovery) -> None:
        new = instance("newbook-1", "books", "new", version="1.0", partitions="0,3,7")
        await discovery.register(new)
        snapshot = await known(discovery, new)
        assert snapshot == discovery.snapshot() == Snapshot((new,))

    async def test_an_instance_is_found_by_any_of_its_tags_and_by_all(self, discovery: Discovery) -> None:
        new, read = instance("newbook-1", "books", "new"), instance("readbook-1", "books", "read")
        await discovery.register(new)
        await discovery.register(read)
        snapshot = await known(discovery, new, read)
        assert sorted(found.id for found in snapshot.having(["books"])) == [new.id, read.id]
        assert snapshot.having(["new", "books"]) == (new,)
        assert snapshot.having(["books", "last"]) == ()

    async def test_discovering_without_tags_is_an_error(self, discovery: Discovery) -> None:
        with pytest.raises(ValueError, match="at least one tag"):
            discovery.snapshot().having([])

    async def test_registering_again_replaces_the_registration(self, discovery: Discovery) -> None:
        await discovery.register(instance(partitions="0,1"))
        await known(discovery, instance(partitions="0,1"))
        await discovery.register(instance(partitions="1"))
        await known(discovery, instance(partitions="1"))
        await discovery.register(instance(port=8091, partitions="1"))
        await known(discovery, instance(port=8091, partitions="1"))

    async def test_instances_of_one_service_are_distinct(self, discovery: Discovery) -> None:
        first, second = instance("newbook-1"), instance("newbook-2", port=8091)
        await discovery.register(first)
        await discovery.register(second)
        await known(discovery, first, second)
        await discovery.deregister(first.id)
        await known(discovery, second)

    async def test_an_unready_instance_is_in_no_snapshot_until_it_is_ready(
        self, discovery: Discovery
    ) -> None:
        new, read = instance("newbook-1"), instance("readbook-1")
        await discovery.register(new)
        await discovery.register(read)
        await discovery.report(new.id, "its log is away")
        await known(discovery, read)
        await discovery.report(new.id, None)
        await known(discovery, new, read)

    async def test_the_last_ready_instance_may_become_unready(self, discovery: Discovery) -> None:
        await discovery.register(instance())
        await known(discovery, instance())
        await discovery.report(instance().id, "its log is away")
        assert await known(discovery) == Snapshot()

    async def test_registering_again_makes_an_instance_ready(self, discovery: Discovery) -> None:
        await discovery.register(instance())
        await discovery.report(instance().id, "its log is away")
        await known(discovery)
        await discovery.register(instance())
        await known(discovery, instance())

    async def test_a_deregistered_instance_is_removed_even_the_last(self, discovery: Discovery) -> None:
        await discovery.register(instance())
        await known(discovery, instance())
        await discovery.deregister(instance().id)
        assert await known(discovery) == Snapshot()

    async def test_a_removed_instance_may_register_again(self, discovery: Discovery) -> None:
        for _ in range(3):
            await discovery.register(instance())
            await known(discovery, instance())
            await discovery.deregister(instance().id)
            await known(discovery)

    async def test_health_of_an_unknown_instance_changes_nothing(self, discovery: Discovery) -> None:
        await discovery.register(instance())
        await discovery.deregister("no-one")
        await discovery.report("no-one", "it is not there")
        await discovery.report("no-one", None)
        await known(discovery, instance())

    async def test_a_watch_yields_the_present_and_then_each_change(self, discovery: Discovery) -> None:
        await discovery.register(instance("newbook-1"))
        await known(discovery, instance("newbook-1"))
        watch = discovery.watch()
        assert await following(watch) == [instance("newbook-1")]
        await discovery.register(instance("readbook-1"))
        assert await following(watch) == [instance("newbook-1"), instance("readbook-1")]
        await discovery.deregister("newbook-1")
        assert await following(watch) == [instance("readbook-1")]

    async def test_a_slow_reader_gets_the_newest_snapshot(self, discovery: Discovery) -> None:
        watch = discovery.watch()
        assert await following(watch) == []
        for name in ("newbook-1", "newbook-2", "newbook-3"):
            await discovery.register(instance(name))
        await known(discovery, *map(instance, ("newbook-1", "newbook-2", "newbook-3")))
        assert len(await following(watch)) == 3

    async def test_all_watches_yield_the_same(self, discovery: Discovery) -> None:
        async with asyncio.TaskGroup() as tasks:
            watching = [tasks.create_task(known(discovery, instance())) for _ in range(3)]
            await discovery.register(instance())
        assert [task.result() for task in watching] == [Snapshot((instance(),))] * 3

    async def test_a_cancelled_watch_does_not_affect_others(self, discovery: Discovery) -> None:
        given_up = asyncio.create_task(known(discovery, instance("absent-1")))
        await known(discovery)
        given_up.cancel()
        await asyncio.wait([given_up])
        await discovery.register(instance())
        await known(discovery, instance())

    async def test_tags_and_metadata_may_be_any_text(self, discovery: Discovery) -> None:
        told = instance("newbook-1", "книги", "a b", '"; drop', "🦊", version="1.0+é", note="x" * 500)
        await discovery.register(told)
        assert (await known(discovery, told)).having(["🦊"]) == (told,)

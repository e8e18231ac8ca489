"""A record that cannot be read holds back its own aggregate, and no other."""

import msgspec
import pytest
from support.counter_context import TALLY, Count, Counted, Tally, counted, everything, said, written
from support.faulty import FaultyLog
from support.owners import Owners, ask, count, keyed, sent

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import HeldBack
from bookshelf.cqrs.message import Command, Event
from bookshelf.log.port import NewRecord

POISONS = {
    "no JSON": lambda key: NewRecord(key, b"\xff\x00"),
    "no envelope": lambda key: NewRecord(key, b"{}"),
    "a bomb": lambda key: NewRecord(key, b"[" * 100_000),
    "data of another shape": lambda key: said(Counted.TYPE, key, b'{"by": "many"}'),
    "data left out": lambda key: said(Counted.TYPE, key, b"{}"),
}


@pytest.mark.parametrize("poison", POISONS)
async def test_a_poison_message_holds_back_only_its_key(owners: Owners, log: FaultyLog, poison: str) -> None:
    host = await owners.host()
    await ask(host, keyed("a", "key", 5))
    beside = next(f"b{n}" for n in range(100) if host.partition(f"b{n}") == host.partition("a"))
    where = host.partition("a")
    at = await written(log, POISONS[poison]("a"), partition=where)
    await written(log, counted(beside, 7, source="another"), partition=where)
    assert (await ask(host, sent(beside, Count(by=1, must=True)))).state.sum == 8
    with pytest.raises(HeldBack, match=rf"\b{at}\b"):
        await count(host, "a")
    assert (await ask(host, keyed("a", "key", 5))).replayed
    assert len(await everything(log)) == 4


async def test_a_key_stays_held_back_after_a_restart(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    await count(host, "a")
    await written(log, POISONS["no JSON"]("a"), partition=host.partition("a"))
    with pytest.raises(HeldBack):
        await ask(host, sent("a", expects=frozenset({0})))
    await owners.stop()
    again = await owners.host()
    with pytest.raises(HeldBack):
        await count(again, "a")


@pytest.mark.parametrize(
    "record",
    [
        said("test.from-the-future.v1", "a", b'{"by": "whatever"}'),
        said("bookshelf.command-answered.v1", "a", b"{}", source="another", command="theirs"),
    ],
    ids=["unknown type", "another service's answer"],
)
async def test_unknown_types_are_skipped(owners: Owners, log: FaultyLog, record: NewRecord) -> None:
    host = await owners.host()
    first = await count(host, "a")
    await written(log, record, partition=host.partition("a"))
    outcome = await ask(host, sent("a", expects=frozenset({first.version})))
    assert outcome.state == Tally(sum=2, said=2)


async def test_a_defect_of_the_decider_fails_only_its_command(log: FaultyLog) -> None:
    class Divide(Command, frozen=True):
        TYPE = "test.divide.v1"

    def decide(tally: Tally, command: Command) -> list[Event]:
        if isinstance(command, Divide):
            msg = "a defect"
            raise ZeroDivisionError(msg)
        return TALLY.decide(tally, command)

    broken: Aggregate[Tally] = Aggregate(
        name="tally",
        topic=TALLY.topic,
        catalogue=TALLY.catalogue,
        initial=Tally(),
        decide=decide,
        evolve=TALLY.evolve,
    )
    async with Owners(log) as owners:
        host = await owners.host(broken)
        beside = host.ask(sent("a"))
        with pytest.raises(ZeroDivisionError):
            await ask(host, sent("a", Divide()))
        assert (await beside).state.sum == 1


async def test_an_event_that_cannot_be_encoded_fails_only_its_command(owners: Owners) -> None:
    host = await owners.host()
    beside = host.ask(sent("a"))
    with pytest.raises(UnicodeEncodeError):
        await ask(host, sent("a", traceparent="\udcff"))
    assert (await beside).state.sum == 1
    assert (await count(host, "a")).state.sum == 2


async def test_unknown_fields_are_ignored(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    newer = msgspec.json.encode({"by": 5, "unit": "apples"})
    await written(log, said(Counted.TYPE, "a", newer), partition=host.partition("a"))
    assert (await ask(host, sent("a", Count(must=True)))).state.sum == 6

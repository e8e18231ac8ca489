"""To give up a record that cannot be read: said in the log, so that everyone who reads it agrees for ever."""

import msgspec

from bookshelf.cqrs.envelope import DROPPED, Dropped, Envelope, encode_envelope
from bookshelf.cqrs.position import Position
from bookshelf.log.port import NewRecord
from bookshelf.runtime.world import World

#: The name of the pen that operators write with.
_OPERATOR = "operator"


async def drop(world: World, key: str, position: Position) -> Position:
    """Say that a record of this key is given up; return where that is said. Raises `LogFault`."""
    writer = await world.log.writer(_OPERATOR, position.topic, position.partition)
    try:
        (offset,) = await writer.append([NewRecord(key, _said(world, key, position))])
    finally:
        await writer.close()
    return Position(position.topic, position.partition, offset)


def _said(world: World, key: str, position: Position) -> bytes:
    envelope = Envelope(
        specversion="1.0",
        datacontenttype="application/json",
        id=world.ids.new(),
        source=_OPERATOR,
        type=DROPPED,
        subject=key,
        time=world.clock.now(),
        data=msgspec.Raw(msgspec.json.encode(Dropped(position.offset))),
        actor=_OPERATOR,
    )
    return encode_envelope(envelope)

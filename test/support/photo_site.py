"""The services of what people do with photos, in this process; photos are events of their owner."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Self

import msgspec
from support.counter_context import everything
from support.photo_events import photo_added
from support.shelf import Answered, Shelf

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.envelope import Envelope, decode_envelope, encode_envelope
from bookshelf.cqrs.handler import Caller
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.parent import parent_of
from bookshelf.http.message import request
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import Log, NewRecord, partition_of
from bookshelf.photos.events import TOPIC
from bookshelf.photos.services import PEOPLE_SERVICES
from bookshelf.runtime.api.identity import Callers, LocalReader, SignedCallers, signed_in
from bookshelf.runtime.sealing import Seals
from bookshelf.storage.port import Storage

CALLERS = SignedCallers(b"the secret of this test")
SCOPES = frozenset({"read", "write"})
ANN, BOB, EVE = (signed_in(f"a-{name}", SCOPES, None) for name in ("ann", "bob", "eve"))
MODERATOR = signed_in("a-mod", SCOPES | {"photos:moderate"}, None)


class PhotoSite:
    """One instance of each service."""

    def __init__(
        self,
        log: Log | None = None,
        storage: Storage | None = None,
        callers: Callers | None = None,
        seals: Seals | None = None,
        runs: tuple[Aggregate[Any], ...] = (),
    ) -> None:
        """Run these aggregates too, in a service without routes."""
        self.callers = callers or LocalReader()
        services = [service.loaded() for service in PEOPLE_SERVICES]
        if runs:
            services.append(replace(services[0], name="photos-of-owners", port=1, runs=runs, serves=()))
        self.shelf = Shelf(
            log=log or MemoryLog(2), storage=storage, services=services, callers=self.callers, seals=seals
        )
        self.clock = self.shelf.clock
        self._number = 0

    async def __aenter__(self) -> Self:
        await self.shelf.__aenter__()
        return self

    async def __aexit__(self, *fault: object) -> None:
        await self.shelf.__aexit__(*fault)

    async def send(
        self,
        method: str,
        target: str,
        body: Any = None,  # noqa: ANN401 (JSON)
        caller: Caller | None = None,
        **headers: str,
    ) -> Answered:
        """Send a request, as a person if one is named."""
        content = b"" if body is None else msgspec.json.encode(body)
        if content:
            headers.setdefault("Content_Type", "application/json")
        made = request(method, target, content, **headers)
        if caller is not None:
            self.callers.sign(caller, made)
        return Answered(await self.shelf.edge(method, target).handle(made))

    async def get(self, target: str, caller: Caller | None = None) -> Any:  # noqa: ANN401 (whatever is answered)
        """Return an answer, once the views have all that is in the log."""
        await self.shelf.caught_up()
        answered = await self.send("GET", target, caller=caller)
        assert answered.status == 200, answered.body
        return answered.json

    async def add(self, photo: str, owner: str = "a-ann", at: datetime | None = None) -> str:
        """Publish a photo, each a second after the one before."""
        self._number += 1
        moment = at or self.clock.now() + timedelta(seconds=self._number)
        await self.append(photo, photo_added(owner, moment, f"Photo {photo}"), source="photo")
        return photo

    def move_to(self, moment: datetime) -> None:
        """Set the clock to a time."""
        self.clock.move(moment - self.clock.now())

    async def append(self, key: str, event: Event, *, source: str) -> None:
        """Append an event as the owner of its aggregate does."""
        self._number += 1
        log = self.shelf.log
        envelope = Envelope(
            specversion="1.0",
            id=f"appended-{self._number}",
            source=source,
            type=event.TYPE,
            subject=key,
            time=self.clock.now(),
            datacontenttype="application/json",
            data=msgspec.Raw(msgspec.json.encode(event)),
            actor="tests",
            commandid=f"command-{self._number}",
        )
        partition = partition_of(parent_of(key), log.partitions(TOPIC))
        writer = await log.writer(source, TOPIC, partition)
        await writer.append([NewRecord(key, encode_envelope(envelope))])

    async def types(self) -> list[str]:
        """Return the types of all events of photos, by partition."""
        records = await everything(self.shelf.log, TOPIC)
        return [decode_envelope(record.value).type for record in records]

    async def vote(self, photo: str, way: str | None, caller: Caller | None = None) -> Answered:
        """Vote up or down, or take the vote back."""
        if way is None:
            return await self.send("DELETE", f"/photos/{photo}/vote", caller=caller)
        return await self.send("PUT", f"/photos/{photo}/vote", {"way": way}, caller)

    async def comment(self, photo: str, text: str, caller: Caller | None = None) -> Answered:
        """Comment on a photo."""
        return await self.send("POST", f"/photos/{photo}/comments", {"text": text}, caller)

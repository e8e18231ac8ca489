"""The parts of a shelf in this process, as `bookshelf up` puts them together, without its doors."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

from bench import library
from bookshelf.cli.embedded import open_world
from bookshelf.config import Settings
from bookshelf.cqrs.view import View
from bookshelf.runtime.clock import SystemClock, SystemIds
from bookshelf.runtime.folder import Folder
from bookshelf.runtime.owner.command import Sent
from bookshelf.runtime.owner.host import AggregateHost
from bookshelf.runtime.owner.seat import Means
from bookshelf.runtime.telemetry import Meters
from bookshelf.runtime.view.host import ViewHost
from bookshelf.runtime.world import World
from bookshelf.shelf.book import BOOK, AddBook
from bookshelf.shelf.booklist import VIEW

_CLOCK = SystemClock()
_IDS = SystemIds(_CLOCK)


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """Open what services stand on."""
    made = Folder(folder)
    async with AsyncExitStack() as stack:
        stack.callback(made.close)
        yield await open_world(Settings(data=str(folder)), folder, stack)


@asynccontextmanager
async def newbook(there: World) -> AsyncIterator[AggregateHost]:
    """Run the aggregate that takes new books."""
    means = Means(there.log, there.ids, there.clock, Meters().owner(BOOK.name))
    host = AggregateHost(BOOK, means, there.states)
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


@asynccontextmanager
async def view(there: World, which: View = VIEW) -> AsyncIterator[ViewHost]:
    """Run a view, the list of books unless another is named."""
    host = ViewHost(which, there.log, there.storage, Meters().view(which.name))
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


def sent(number: int) -> Sent:
    """Return a command as the edge would send it: add the book of this number, under a new id."""
    now = _CLOCK.now()
    command_id = _IDS.new()
    subject = str(uuid5(NAMESPACE_OID, command_id))
    return Sent(
        subject=subject, command=AddBook(book=library.book(number), at=now), id=command_id, at=now, fresh=True
    )

"""The parts of a shelf in this process, as `bookshelf up` puts them together, without its doors."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

from bench import library
from bookshelf.cli.embedded import open_world
from bookshelf.config import Settings
from bookshelf.cqrs.view import View
from bookshelf.runtime.aggregate.command import CommandRequest
from bookshelf.runtime.aggregate.context import OwnerDependencies
from bookshelf.runtime.aggregate.host import AggregateHost
from bookshelf.runtime.clock import SystemClock, SystemIds
from bookshelf.runtime.data_folder import DataFolder
from bookshelf.runtime.infrastructure import Infrastructure
from bookshelf.runtime.metrics import Meters
from bookshelf.runtime.view.host import ViewHost
from bookshelf.shelf.book import BOOK, AddBook
from bookshelf.shelf.book_list import VIEW

_CLOCK = SystemClock()
_IDS = SystemIds(_CLOCK)


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[Infrastructure]:
    """Open what services stand on."""
    made = DataFolder(folder)
    async with AsyncExitStack() as stack:
        stack.callback(made.close)
        yield await open_world(Settings(data=str(folder)), folder, stack)


@asynccontextmanager
async def newbook(there: Infrastructure) -> AsyncIterator[AggregateHost]:
    """Run the aggregate that takes new books."""
    means = OwnerDependencies(there.log, there.ids, there.clock, Meters().owner(BOOK.name))
    host = AggregateHost(BOOK, means, there.states)
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


@asynccontextmanager
async def view(there: Infrastructure, which: View = VIEW) -> AsyncIterator[ViewHost]:
    """Run a view, the list of books unless another is named."""
    host = ViewHost(which, there.log, there.storage, Meters().view(which.name))
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


def sent(number: int) -> CommandRequest:
    """Return a command as the edge would send it: add the book of this number, under a new id."""
    now = _CLOCK.now()
    command_id = _IDS.new()
    subject = str(uuid5(NAMESPACE_OID, command_id))
    return CommandRequest(
        subject=subject, command=AddBook(book=library.book(number), at=now), id=command_id, at=now, fresh=True
    )

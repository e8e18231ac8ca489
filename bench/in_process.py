"""Runs parts of a shelf in this process, assembled as by `bookshelf up`, without listeners."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

from bench import sample_books
from bookshelf.cli.embedded import make_infrastructure
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
async def open_infrastructure(folder: Path) -> AsyncIterator[Infrastructure]:
    """Open the infrastructure of services on a data folder."""
    data_folder = DataFolder(folder)
    async with AsyncExitStack() as stack:
        stack.callback(data_folder.close)
        yield await make_infrastructure(Settings(data=str(folder)), folder, stack)


@asynccontextmanager
async def newbook(infrastructure: Infrastructure) -> AsyncIterator[AggregateHost]:
    """Run the owners of the aggregate `book`."""
    means = OwnerDependencies(
        infrastructure.log, infrastructure.ids, infrastructure.clock, Meters().owner(BOOK.name)
    )
    host = AggregateHost(BOOK, means, infrastructure.states)
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


@asynccontextmanager
async def view(infrastructure: Infrastructure, which: View = VIEW) -> AsyncIterator[ViewHost]:
    """Run a view; by default the list of books."""
    host = ViewHost(which, infrastructure.log, infrastructure.storage, Meters().view(which.name))
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


def sent(number: int) -> CommandRequest:
    """Return a command request, as an endpoint makes it, that adds a book under a new id."""
    now = _CLOCK.now()
    command_id = _IDS.new()
    subject = str(uuid5(NAMESPACE_OID, command_id))
    return CommandRequest(
        subject=subject,
        command=AddBook(book=sample_books.book(number), at=now),
        id=command_id,
        at=now,
        fresh=True,
    )

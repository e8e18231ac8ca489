"""The process of a service group on a log in memory: what `bookshelf child` does, without a broker.

Its arguments are those of `bookshelf child`: FOLDER ENTRY DATA LINE.
"""

import asyncio
import socket
import sys
from dataclasses import replace
from pathlib import Path

from support.shelf import Shelf

from bookshelf.cli.child import import_services
from bookshelf.cqrs.service import check_services
from bookshelf.http.client import LocalTransport
from bookshelf.runtime.agent.child import ChildReport, ChildServices, NodeLine, ReportedDiscovery
from bookshelf.runtime.infrastructure import InProcessListeners
from bookshelf.runtime.service import ServiceHost
from bookshelf.services import chosen


async def main(folder: str, entry: str, _data: str, line: str) -> None:
    """Run the services until the node ends."""
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=int(line)))
    node = NodeLine(reader, writer)
    shelf = Shelf(services=())
    try:
        services = import_services(Path(folder), entry)
        check_services([*(one.loaded() for one in chosen(["newbook"])), *services], {"gateway": 8000})
        infrastructure = replace(
            shelf.infrastructure,
            listen=InProcessListeners(LocalTransport()).listen,
            discovery=ReportedDiscovery(shelf.infrastructure.discovery, node.report),
        )
        group = ChildServices(
            lambda: [ServiceHost(one, infrastructure, "127.0.0.1", 0) for one in services], node.report
        )
        await group.load()
        await group.obey(node.commands())
        await group.stop()
    except Exception as fault:  # noqa: BLE001 (as `bookshelf child`)
        node.report(ChildReport("refused", why=f"{type(fault).__name__}: {fault}"))
    finally:
        await node.close()
        await shelf.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""`python -m support.stateful_program SERVICE FOLDER`: runs `stateful` or `sessions` on Kafka and Consul.

It prints its URL once it is ready, and ends with its input. It is no node of a domain, so it takes no part in
rollouts.
"""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from support.stateful import STATEFUL

from bookshelf.cli.instance import make_infrastructure
from bookshelf.cli.sessions import with_sessions
from bookshelf.cluster.services import CLUSTER_SERVICES
from bookshelf.config import read, read_network
from bookshelf.runtime.logs import configure
from bookshelf.runtime.service import ServiceHost

_SERVICES = {service.name: service for service in (STATEFUL, *CLUSTER_SERVICES)}


async def main(name: str, folder: Path) -> None:
    """Run the service until the input ends."""
    settings, network = read(os.environ), read_network(os.environ)
    configure(os.environ.get("BOOKSHELF_LOG_LEVEL", "warning"), "json")
    service = _SERVICES[name]
    async with AsyncExitStack() as stack:
        infrastructure = await make_infrastructure(settings, network, folder, stack, services=[service])
        infrastructure = await with_sessions(infrastructure, [service], settings, folder, stack)
        host = ServiceHost(service, infrastructure, "127.0.0.1", 0)
        stack.push_async_callback(host.stop)
        await host.start()
        sys.stdout.write(f"http://127.0.0.1:{host.port}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))

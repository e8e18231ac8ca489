"""Sends a request to any of the instances that can answer it."""

from collections.abc import Iterable

from bookshelf.discovery.port import Instance
from bookshelf.http.client import Transport, Unreachable
from bookshelf.http.message import Request, Response


async def send_to_any(instances: Iterable[Instance], transport: Transport, asked: Request) -> Response | None:
    """Return the response of the first instance that can be reached; None if there is none.

    Raises `NoResponse` of an instance that was reached: it may have carried the request out.
    """
    for instance in instances:
        try:
            return await transport.send(instance.address, instance.port, asked)
        except Unreachable:
            continue
    return None

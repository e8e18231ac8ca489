"""Answers that are sent as their pieces come."""

from collections.abc import AsyncIterator

from multidict import CIMultiDict

from bookshelf.runtime.http.listener.arrival import Arrival
from bookshelf.runtime.http.listener.outgoing import bodiless, head
from bookshelf.runtime.http.listener.wire import Wire
from bookshelf.runtime.http.message import BrokenBody, Response, let_go


async def streamed(wire: Wire, arrival: Arrival, response: Response, *, kept: bool) -> bool:
    """Send an answer as its pieces come; return whether another may follow it.

    Raises `ConnectionResetError` when they break off: the status is sent, and only a cut connection still
    tells the client that this is not all.
    """
    assert not isinstance(response.body, bytes)  # noqa: S101 (the caller looked)
    length = _length(response)
    framing = ""
    chunked = length is None and arrival.minor == 1 and not bodiless(arrival, response)
    if chunked:
        framing = "Transfer-Encoding: chunked\r\n"
    kept = kept and (chunked or length is not None or bodiless(arrival, response))
    try:
        await wire.send(head(arrival, response.status, response.headers, framing, kept=kept))
        if not bodiless(arrival, response):
            await (_chunks(wire, response.body) if chunked else _plain(wire, response.body, length))
    except BrokenBody as fault:
        raise ConnectionResetError("the body broke off") from fault
    finally:
        await let_go(response.body)
    return kept


def _length(response: Response) -> int | None:
    said = response.headers.get("Content-Length")
    return None if said is None else int(said)


async def _chunks(wire: Wire, pieces: AsyncIterator[bytes]) -> None:
    async for piece in pieces:
        if piece:
            await wire.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    await wire.send(b"0\r\n\r\n")


async def _plain(wire: Wire, pieces: AsyncIterator[bytes], length: int | None) -> None:
    left = length
    async for piece in pieces:
        if left is not None:
            left -= len(piece)
            if left < 0:
                break
        await wire.send(piece)
    if left:
        raise BrokenBody("the body is not as long as it was said to be")


async def switched(wire: Wire, arrival: Arrival, response: Response) -> None:
    """Send what comes, framed by no one, until either side closes: the connection is a tunnel now."""
    named = CIMultiDict(response.headers)
    named["Connection"] = "Upgrade"
    assert not isinstance(response.body, bytes)  # noqa: S101 (a tunnel's never is)
    try:
        await wire.send(head(arrival, response.status, named, "", kept=True))
        async for piece in response.body:
            await wire.send(piece)
    except BrokenBody as fault:
        raise ConnectionResetError("the tunnel broke off") from fault
    finally:
        await let_go(response.body)

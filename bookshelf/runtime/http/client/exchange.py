"""One request and its answer over one connection."""

import asyncio
from collections.abc import AsyncIterator

from bookshelf.runtime.http.client.answer import Answer
from bookshelf.runtime.http.client.faults import NoAnswer
from bookshelf.runtime.http.client.line import Line
from bookshelf.runtime.http.client.pool import Lines
from bookshelf.runtime.http.client.written import framed, head, upgrades
from bookshelf.runtime.http.message import BrokenBody, Bytes, Request, Response


class Exchange:
    """Sends a request; its answer's body comes from here. Whoever lets go of it gives the connection back."""

    def __init__(self, lines: Lines, line: Line, patience_s: float) -> None:
        self._lines = lines
        self._line: Line | None = line
        self._patience_s = patience_s
        self._upload: asyncio.Task[None] | None = None

    async def run(self, request: Request, host: str) -> Response:
        """Return the answer, whole if it is here already. Raises `NoAnswer`."""
        try:
            return await self._run(request, host)
        except BaseException:
            self._let_go()
            raise

    async def _run(self, request: Request, host: str) -> Response:
        line, body = self._line, request.body
        assert line is not None  # noqa: S101 (it begins with one)
        tunnel = upgrades(request.headers)
        answer = Answer(head_only=request.method == "HEAD", upgrades=tunnel)
        content = body.content if isinstance(body, Bytes) else b""
        line.ask(head(request, host) + content, answer)
        if not tunnel and not isinstance(body, Bytes):
            self._upload = asyncio.create_task(self._send(line, framed(request)))
        await self._answered(line)
        if answer.switched:
            self._upload = asyncio.create_task(self._tunnel(line, body.stream()))
        elif answer.done and (self._upload is None or self._upload.done()):
            whole = b"".join(answer.pieces)
            self._let_go()
            return Response(answer.status, answer.headers, whole)
        return Response(answer.status, answer.headers, self)

    async def _answered(self, line: Line) -> None:
        """Wait for the head. An upload that breaks off is the end of it, one that is refused is not."""
        try:
            await line.ready(self._patience_s)
        except NoAnswer:
            upload = self._upload
            if upload is not None and upload.done() and not upload.cancelled() and upload.exception():
                raise NoAnswer("the body broke off") from upload.exception()
            raise

    async def _send(self, line: Line, pieces: AsyncIterator[bytes]) -> None:
        try:
            async for piece in pieces:
                line.write(piece)
                await line.drain()
        except NoAnswer:
            pass  # it was answered before its end, or the connection is gone: who reads learns it
        except BaseException:
            line.close()  # half a body must not look whole
            raise

    async def _tunnel(self, line: Line, pieces: AsyncIterator[bytes]) -> None:
        await self._send(line, pieces)
        line.finish()

    def __aiter__(self) -> "Exchange":
        """Return itself: there is one reader."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece of the answer. Raises `BrokenBody`."""
        if self._line is None:
            raise StopAsyncIteration
        try:
            piece = await self._line.piece(self._patience_s)
        except BrokenBody:
            self._let_go()
            raise
        if not piece:
            self._let_go()
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Let go, wherever it stands."""
        self._let_go()

    def _let_go(self) -> None:
        line, self._line = self._line, None
        if line is None:
            return
        upload = self._upload
        if upload is not None:
            if not upload.done():
                line.close()  # the rest of the body would be taken for the next request
                upload.cancel()
            upload.add_done_callback(_heard)
        self._lines.give(line)


def _heard(upload: asyncio.Task[None]) -> None:
    """Take note of how it ended: who waited for the answer has been told."""
    if not upload.cancelled():
        upload.exception()

"""Between discovery and a real agent: passes everything on, or lets something go wrong."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from support.consul import HOST

Wrong = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: Changes the body of an answer that is passed on.
Rewrite = Callable[[bytes], Awaitable[bytes]]


class ConsulProxy:
    """A proxy. `wrong` answers in place of the agent, as long as it is set."""

    def __init__(self, agent: int, session: aiohttp.ClientSession) -> None:
        self._agent = f"http://{HOST}:{agent}"
        self._session = session
        self.wrong: Wrong | None = None
        self.rewrite: Rewrite | None = None
        self.port = 0
        self.asked = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        self.asked += 1
        if self.wrong is not None:
            return await self.wrong(request)  # type: ignore[arg-type]  # what goes wrong looks at no route
        body = await request.read()
        async with self._session.request(
            request.method, self._agent + request.raw_path, data=body
        ) as response:
            kept = {name: value for name, value in response.headers.items() if name.startswith("X-Consul")}
            answer = await response.read()
            if self.rewrite is not None and request.path.startswith("/v1/health/service/"):
                answer = await self.rewrite(answer)
            return web.Response(status=response.status, body=answer, headers=kept)


def responds(status: int, body: str, **headers: str) -> Wrong:
    """Answer this to everything."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=body, headers=named)

    return answer


async def hangs(_request: web.Request) -> web.StreamResponse:
    """Answer nothing, ever."""
    await asyncio.Event().wait()
    raise AssertionError


@asynccontextmanager
async def consul_proxy(agent: int) -> AsyncIterator[ConsulProxy]:
    """Open a port before an agent's."""
    async with aiohttp.ClientSession(auto_decompress=True) as session:
        proxy = ConsulProxy(agent, session)
        runner = web.ServerRunner(web.Server(proxy.handle), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        [(_, proxy.port)] = runner.addresses
        try:
            yield proxy
        finally:
            await runner.cleanup()

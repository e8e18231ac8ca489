"""Requests to a Consul agent, their retries, and what can go wrong with them."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import aiohttp
import msgspec
import structlog
from yarl import URL

from bookshelf.discovery.consul.settings import ConsulSettings
from bookshelf.discovery.port import DiscoveryFault


class AgentUnavailable(DiscoveryFault):
    """The agent is away, hung, or speaks something else: what was asked of it may or may not be done."""


class AgentError(DiscoveryFault):
    """The agent answered, and not with what was asked for."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def is_transient(fault: DiscoveryFault) -> bool:
    """Whether time may mend it: no agent or no leader yet, and not a token that is refused."""
    return isinstance(fault, AgentUnavailable) or (isinstance(fault, AgentError) and fault.status >= 500)  # noqa: PLR2004 (HTTP's own)


#: Bytes of an answer; ten thousand instances need half of it.
MOST_BYTES = 16 * 1024 * 1024
#: Characters of an agent's complaint that are passed on.
_TOLD = 200
_DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class AgentResponse(msgspec.Struct, frozen=True):
    """What the agent said, and at which index of its state."""

    index: int
    body: bytes


class Agent:
    """A few connections to the agent. Those who wait and those who write each have their own."""

    def __init__(self, settings: ConsulSettings, connections: int = 2) -> None:
        self._settings = settings
        headers = {"X-Consul-Token": settings.token} if settings.token else {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=_trust(settings)),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.pace.answer_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            # the agent is near: what packing would save costs more than it
            headers={**headers, "Accept-Encoding": "identity"},
        )

    async def get(self, path: str, params: Mapping[str, str], wait_s: float = 0.0) -> AgentResponse:
        """Ask; the agent may hold its answer for `wait_s`. Raises `AgentUnavailable`, `AgentError`."""
        asked = {**params, "dc": self._settings.datacenter} if self._settings.datacenter else params
        # Consul adds up to a sixteenth to a wait, so that not all waits end at once
        deadline_s = wait_s * 17 / 16 + self._settings.pace.answer_s
        return await self._send("GET", path, asked, None, deadline_s)

    async def put(self, path: str, body: bytes = b"") -> None:
        """Have the agent do something. Raises `AgentUnavailable`, `AgentError`."""
        await self._send("PUT", path, {}, body, self._settings.pace.answer_s)

    async def close(self) -> None:
        """Let the connections go."""
        await self._session.close()

    async def _send(
        self, method: str, path: str, params: Mapping[str, str], body: bytes | None, deadline_s: float
    ) -> AgentResponse:
        url = URL(self._settings.url + path, encoded=True)
        try:
            async with (
                asyncio.timeout(deadline_s),
                self._session.request(method, url, params=params, data=body, allow_redirects=False) as said,
            ):
                status, index, content = said.status, _index(said), await self._read(said)
        except TimeoutError as fault:
            raise AgentUnavailable(f"{self._who} has not answered within {deadline_s:.1f} s") from fault
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise AgentUnavailable(
                f"{self._who} does not answer: {_line(str(fault) or repr(fault))}"
            ) from fault
        if status != HTTPStatus.OK:
            raise self._complaint(status, content)
        return AgentResponse(index, content)

    async def _read(self, said: aiohttp.ClientResponse) -> bytes:
        content = bytearray()
        async for piece in said.content.iter_any():
            content += piece
            if len(content) > MOST_BYTES:
                raise AgentUnavailable(f"{self._who} says more than {MOST_BYTES} bytes")
        return bytes(content)

    def _complaint(self, status: int, content: bytes) -> AgentError:
        said = _line(content.decode(errors="replace")) or "nothing more"
        if status in _DENIED:
            token = "refuses the ACL token" if self._settings.token else "wants an ACL token"
            return AgentError(f"{self._who} {token} ({said}); docs/consul.md says what it must allow", status)
        return AgentError(f"{self._who} answers {status}: {said}", status)

    @property
    def _who(self) -> str:
        return f"Consul at {self._settings.url}"


def _index(said: aiohttp.ClientResponse) -> int:
    index = said.headers.get("X-Consul-Index", "0")
    return int(index) if index.isascii() and index.isdigit() else 0


def _line(text: str) -> str:
    shown = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(shown.split())[:_TOLD]


def _trust(settings: ConsulSettings) -> ssl.SSLContext | bool:
    if settings.scheme == "http":
        return True
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except OSError as fault:
        raise DiscoveryFault(
            f"{settings.ca_file} holds no certificates to trust Consul by: {fault}"
        ) from fault


#: Seconds before the first new try, doubled with every one, up to the last.
_FIRST_S = 0.1
_LAST_S = 2.0
_logger = structlog.get_logger(__name__)


async def retry_until_reached(work: Callable[[], Awaitable[None]], patience_s: float) -> None:
    """Do the work, again as long as time may mend its fault. Raises the last `DiscoveryFault`."""
    now = asyncio.get_running_loop().time
    end, wait_s = now() + patience_s, _FIRST_S
    while True:
        try:
            return await work()
        except DiscoveryFault as fault:
            if not is_transient(fault) or now() + wait_s > end:
                raise
            _logger.warning("waiting-for-consul", why=str(fault), again_in_s=wait_s)
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, _LAST_S)

"""HTTP requests to a Consul agent: deadlines, errors and retries."""

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
    """The agent did not answer, or not as Consul does: the request may or may not have been carried out."""


class AgentError(DiscoveryFault):
    """The agent answered with an error status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def is_transient(fault: DiscoveryFault) -> bool:
    """Return True if a retry can succeed: no agent or no leader yet; False for a refused token."""
    return isinstance(fault, AgentUnavailable) or (isinstance(fault, AgentError) and fault.status >= 500)  # noqa: PLR2004 (HTTP's own)


#: The most bytes of an answer; ten thousand instances need half of that.
MOST_BYTES = 16 * 1024 * 1024
#: Characters of an agent's error text that are passed on.
_ERROR_CHARACTERS = 200
_DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class AgentResponse(msgspec.Struct, frozen=True):
    """The body of an answer, and the index of the agent's state that it shows."""

    index: int
    body: bytes


class Agent:
    """A small connection pool to the agent; blocking queries and writes each use one of their own."""

    def __init__(self, settings: ConsulSettings, connections: int = 2) -> None:
        self._settings = settings
        headers = {"X-Consul-Token": settings.token} if settings.token else {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=_trust(settings)),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.pace.answer_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            # the agent runs on this machine: compression would cost more time than it saves
            headers={**headers, "Accept-Encoding": "identity"},
        )

    async def get(self, path: str, params: Mapping[str, str], wait_s: float = 0.0) -> AgentResponse:
        """Send a GET; the agent may hold its answer for `wait_s`. Raises `AgentUnavailable`, `AgentError`."""
        asked = {**params, "dc": self._settings.datacenter} if self._settings.datacenter else params
        # Consul prolongs a wait by up to a sixteenth, so that not all waits end at once
        deadline_s = wait_s * 17 / 16 + self._settings.pace.answer_s
        return await self._send("GET", path, asked, None, deadline_s)

    async def put(self, path: str, body: bytes = b"") -> None:
        """Send a PUT. Raises `AgentUnavailable`, `AgentError`."""
        await self._send("PUT", path, {}, body, self._settings.pace.answer_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _send(
        self, method: str, path: str, params: Mapping[str, str], body: bytes | None, deadline_s: float
    ) -> AgentResponse:
        url = URL(self._settings.url + path, encoded=True)
        try:
            async with (
                asyncio.timeout(deadline_s),
                self._session.request(
                    method, url, params=params, data=body, allow_redirects=False
                ) as response,
            ):
                status, index, content = response.status, _index(response), await self._read(response)
        except TimeoutError as fault:
            raise AgentUnavailable(f"{self._name} has not answered within {deadline_s:.1f} s") from fault
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise AgentUnavailable(
                f"{self._name} does not answer: {_line(str(fault) or repr(fault))}"
            ) from fault
        if status != HTTPStatus.OK:
            raise self._error(status, content)
        return AgentResponse(index, content)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        content = bytearray()
        async for piece in response.content.iter_any():
            content += piece
            if len(content) > MOST_BYTES:
                raise AgentUnavailable(f"the response of {self._name} has more than {MOST_BYTES} bytes")
        return bytes(content)

    def _error(self, status: int, content: bytes) -> AgentError:
        reason = _line(content.decode(errors="replace")) or "no reason given"
        if status in _DENIED:
            token = "refuses the ACL token" if self._settings.token else "wants an ACL token"
            hint = "docs/consul.md lists the rights that it needs"
            return AgentError(f"{self._name} {token} ({reason}); {hint}", status)
        return AgentError(f"{self._name} answers {status}: {reason}", status)

    @property
    def _name(self) -> str:
        return f"Consul at {self._settings.url}"


def _index(response: aiohttp.ClientResponse) -> int:
    index = response.headers.get("X-Consul-Index", "0")
    return int(index) if index.isascii() and index.isdigit() else 0


def _line(text: str) -> str:
    shown = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(shown.split())[:_ERROR_CHARACTERS]


def _trust(settings: ConsulSettings) -> ssl.SSLContext | bool:
    if settings.scheme == "http":
        return True
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except OSError as fault:
        raise DiscoveryFault(
            f"{settings.ca_file} has no certificate authority that can verify Consul's certificate: {fault}"
        ) from fault


#: Seconds before the first retry, doubled with each one up to the maximum.
_FIRST_S = 0.1
_LAST_S = 2.0
_logger = structlog.get_logger(__name__)


async def retry_until_reached(work: Callable[[], Awaitable[None]], patience_s: float) -> None:
    """Run `work`, and retry transient faults for up to `patience_s`. Raises the last `DiscoveryFault`."""
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

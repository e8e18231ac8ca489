"""HTTP requests to a Consul agent: deadlines, errors and retries."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from urllib.parse import urlencode

import msgspec
import structlog

from bookshelf.discovery.consul.settings import ConsulSettings, Pace
from bookshelf.discovery.port import DiscoveryFault
from bookshelf.http.client import NoResponse, RemoteHandler, Unreachable
from bookshelf.http.message import BrokenBody, Response, TooLarge, read_response, request


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
#: The header with the index of the state that an answer to a query shows.
_INDEX = "X-Consul-Index"
_DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class AgentResponse(msgspec.Struct, frozen=True):
    """The body of an answer, and the index of the agent's state that it shows."""

    index: int
    body: bytes


class Agent:
    """A small connection pool to the agent; blocking queries and writes each use one of their own."""

    def __init__(self, settings: ConsulSettings, connections: int = 2) -> None:
        self._settings = settings
        self._headers = {"X-Consul-Token": settings.token} if settings.token else {}
        self._remote = RemoteHandler(
            settings.url,
            connections,
            tls=_trust(settings),
            answer_s=_longest_s(settings.pace, settings.pace.wait_s),
        )

    async def get(self, path: str, params: Mapping[str, str], wait_s: float = 0.0) -> AgentResponse:
        """Send a GET; the agent may hold its answer for `wait_s`. Raises `AgentUnavailable`, `AgentError`."""
        asked = {**params, "dc": self._settings.datacenter} if self._settings.datacenter else params
        target = f"{path}?{urlencode(asked)}" if asked else path
        return await self._send("GET", target, b"", _longest_s(self._settings.pace, wait_s))

    async def put(self, path: str, body: bytes = b"") -> None:
        """Send a PUT. Raises `AgentUnavailable`, `AgentError`."""
        await self._send("PUT", path, body, self._settings.pace.answer_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._remote.close()

    async def _send(self, method: str, target: str, body: bytes, deadline_s: float) -> AgentResponse:
        try:
            async with asyncio.timeout(deadline_s):
                response = await self._remote.handle(request(method, target, body, **self._headers))
                content = await read_response(response, MOST_BYTES)
        except TimeoutError as fault:
            raise AgentUnavailable(f"{self._name} has not answered within {deadline_s:.1f} s") from fault
        except TooLarge as fault:
            raise AgentUnavailable(
                f"the response of {self._name} has more than {MOST_BYTES} bytes"
            ) from fault
        except (Unreachable, NoResponse, BrokenBody) as fault:
            raise AgentUnavailable(
                f"{self._name} does not answer: {_line(str(fault) or repr(fault))}"
            ) from fault
        if response.status != HTTPStatus.OK:
            raise self._error(response.status, content)
        if method == "GET" and _INDEX not in response.headers:
            await self._remote.close()  # another server has answered: the name is looked up again
            raise AgentUnavailable(f"{self._name} answers without an index, as Consul never does")
        return AgentResponse(_index(response), content)

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


def _longest_s(pace: Pace, wait_s: float) -> float:
    # Consul prolongs a wait by up to a sixteenth, so that not all waits end at once
    return wait_s * 17 / 16 + pace.answer_s


def _index(response: Response) -> int:
    index = response.headers.get(_INDEX, "0")
    return int(index) if index.isascii() and index.isdigit() else 0


def _line(text: str) -> str:
    shown = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(shown.split())[:_ERROR_CHARACTERS]


def _trust(settings: ConsulSettings) -> ssl.SSLContext | None:
    if settings.scheme == "http":
        return None
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


async def retry_until_reached(work: Callable[[], Awaitable[object]], patience_s: float) -> None:
    """Run `work`, and retry transient faults for up to `patience_s`. Raises the last `DiscoveryFault`."""
    now = asyncio.get_running_loop().time
    end, wait_s = now() + patience_s, _FIRST_S
    while True:
        try:
            await work()
        except DiscoveryFault as fault:
            if not is_transient(fault) or now() + wait_s > end:
                raise
            _logger.warning("waiting-for-consul", why=str(fault), again_in_s=wait_s)
        else:
            return
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, _LAST_S)

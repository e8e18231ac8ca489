"""Keys that whoever issues tokens serves at an address of the web.

They are asked for when they are needed, again when they are old, and when a token names one that is not
known: a new key is told of before it signs, but not everyone waits with it.
"""

import asyncio
import time
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout

from gateway.auth.jwks import MOST, BadKeys, Named, read
from gateway.auth.verifier import NoKeys

#: Seconds after which they are asked for again; between two questions, whatever tokens say; for an answer;
#: and that one request waits for that.
_OLD_S = 300.0
_BETWEEN_S = 10.0
_ANSWER_S = 5.0
_WAIT_S = 1.0
_OK = 200

_logger = structlog.get_logger(__name__)


class UrlKeys:
    """Keys at a URL. As long as it does not answer well, those that are known stay. Raises `BadKeys`."""

    def __init__(
        self, url: str, clock: Callable[[], float] = time.monotonic, between_s: float = _BETWEEN_S
    ) -> None:
        _check(url)
        self._url = url
        self._clock = clock
        self._between_s = between_s
        self._keys: Named | None = None
        self._content = b""
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    def now(self) -> Named:
        """Return those that are known, and ask for newer ones if they are old."""
        if self._keys is None:
            raise NoKeys("the keys of whoever issues tokens are not known yet")
        if self._clock() - self._asked_at > _OLD_S:
            self._ask()
        return self._keys

    async def renewed(self) -> bool:
        """Ask, unless that was just done; wait a moment for the answer."""
        before = self._keys
        if self._asking is None and self._clock() - self._asked_at >= self._between_s:
            self._ask()
        if self._asking is not None:
            await asyncio.wait([self._asking], timeout=_WAIT_S)
        return self._keys is not before

    def _ask(self) -> None:
        if self._asking is None:
            self._asked_at = self._clock()
            self._asking = asyncio.create_task(self._take(), name="keys of tokens")

    async def _take(self) -> None:
        try:
            content = await fetch(self._url)
            if self._keys is None or content != self._content:
                self._keys, self._content = read(content), content
                _logger.info("keys taken", count=len(self._keys))
        except (BadKeys, ClientError, TimeoutError, OSError) as fault:
            _logger.warning("keys not taken", why=str(fault) or type(fault).__name__)
        finally:
            self._asking = None


async def fetch(url: str) -> bytes:
    """Return what is served at an address, if it is not too much.

    Raises `BadKeys`, `aiohttp.ClientError`, TimeoutError. No redirect is followed, nothing is inflated.
    """
    session = ClientSession(timeout=ClientTimeout(total=_ANSWER_S), auto_decompress=False)
    headers = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}
    async with session, session.get(url, headers=headers, allow_redirects=False) as answer:
        if answer.status != _OK:
            raise BadKeys(f"the address of the keys answers {answer.status}")
        content = b""
        async for piece in answer.content.iter_chunked(MOST):
            content += piece
            if len(content) > MOST:
                break  # read() says so
        return content


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.username is not None or not parts.hostname:
        raise BadKeys("the address of the keys is https://HOST/PATH, without a name or password")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_here(parts.hostname)):
        raise BadKeys("keys are fetched over https; over http from this machine alone")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

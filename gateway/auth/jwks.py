"""Keys that tokens are verified with, from a file or a URL, and renewed when an unknown key is named."""

import asyncio
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import msgspec
import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from gateway.auth.verifier import NoKeys

#: Keys by `kid`.
Named = Mapping[str, OKPKey]
#: Seconds between two looks at the file; bytes and keys that one set may have.
_LOOK_S = 5.0
MOST = 64 << 10
_KEYS = 100


class BadKeys(ValueError):
    """The keys cannot be used; says why."""


class SigningKeys(Protocol):
    """Where the keys are from."""

    def now(self) -> Named:
        """Return them, the same object as long as they are the same. Raises `NoKeys` if none are known."""

    async def renewed(self) -> bool:
        """Look whether there are others, if that makes sense; return whether there are."""


def read(content: bytes) -> Named:
    """Return the keys of a set that can be used here. Raises `BadKeys`."""
    if len(content) > MOST:
        raise BadKeys(f"a set of keys has {MOST} bytes at the most")
    try:
        found = KeySet.import_key_set(msgspec.json.decode(content)).keys
    except (ValueError, KeyError, TypeError, RecursionError, msgspec.MsgspecError, JoseError) as fault:
        raise BadKeys(f"it is no JWKS: {type(fault).__name__}") from fault
    if len(found) > _KEYS:
        raise BadKeys(f"a set has {_KEYS} keys at the most")
    return {str(key.kid): key for key in found if isinstance(key, OKPKey) and _usable(key)}


def _usable(key: OKPKey) -> bool:
    return key.curve_name == "Ed25519" and key.kid is not None


class FileKeys:
    """Keys in a file, read again when it changes. Raises `BadKeys` for one that cannot be read at first."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._look_at = 0.0
        self._changed = 0
        self._keys = self._read()

    def now(self) -> Named:
        """Return them. What cannot be read any more leaves those there were."""
        if self._clock() >= self._look_at:
            try:
                self._keys = self._read()
            except BadKeys:
                self._look_at = self._clock() + _LOOK_S
        return self._keys

    async def renewed(self) -> bool:
        """Say no: the file is looked at all the time."""
        return False

    def _read(self) -> Named:
        self._look_at = self._clock() + _LOOK_S
        try:
            changed = self._path.stat().st_mtime_ns
            if changed == self._changed:
                return self._keys
            with self._path.open("rb") as file:
                keys = read(file.read(MOST + 1))
        except (OSError, BadKeys) as fault:
            why = fault.strerror if isinstance(fault, OSError) else fault
            raise BadKeys(f"{self._path.name} is no JWKS that can be read: {why}") from fault
        self._changed = changed
        return keys


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
                _logger.info("keys-loaded", count=len(self._keys))
        except (BadKeys, ClientError, TimeoutError, OSError) as fault:
            _logger.warning("keys-not-loaded", why=str(fault) or type(fault).__name__)
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

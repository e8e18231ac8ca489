"""Verifies signed tokens (JWT) with the public Ed25519 keys of their issuer (RFC 7519, 8037, 8725).

The keys are from a file or URL; an unknown key causes a reload.
"""

import asyncio
import re
import time
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from bookshelf.http.client import NoResponse, RemoteHandler, Unreachable
from bookshelf.http.message import BrokenBody, TooLarge, read_response, request
from bookshelf.http.request_check import is_loopback
from bookshelf.runtime.api.identity import RESERVED_NAMES, RESERVED_SCOPES
from gateway.auth import BadToken, Identity, NoKeys, UnknownKey

#: Keys by `kid`.
Named = Mapping[str, OKPKey]
#: Seconds between two checks of the file; the most bytes, and keys, of a key set.
_LOOK_S = 5.0
MOST = 64 << 10
_KEYS = 100


class BadKeys(ValueError):
    """The keys cannot be used; the message gives the reason."""


class SigningKeys(Protocol):
    """A source of public keys."""

    def now(self) -> Named:
        """Return the keys: the same object while they are unchanged. Raises `NoKeys` if there are none."""

    async def renewed(self) -> bool:
        """Reload the keys if it is time to; return True if they have changed."""


def read(content: bytes) -> Named:
    """Return the usable keys of a JWKS: Ed25519 keys with a `kid`. Raises `BadKeys`."""
    if len(content) > MOST:
        raise BadKeys(f"a key set may have at most {MOST} bytes")
    try:
        keys = KeySet.import_key_set(msgspec.json.decode(content)).keys
    except (ValueError, KeyError, TypeError, RecursionError, msgspec.MsgspecError, JoseError) as fault:
        raise BadKeys(f"it is not a JWKS: {type(fault).__name__}") from fault
    if len(keys) > _KEYS:
        raise BadKeys(f"a key set may have at most {_KEYS} keys")
    return {
        str(key.kid): key
        for key in keys
        if isinstance(key, OKPKey) and key.curve_name == "Ed25519" and key.kid is not None
    }


class FileKeys:
    """Keys in a file, read again when it changes. Raises `BadKeys` if the first read fails."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._look_at = 0.0
        self._changed = 0
        self._keys = self._read()

    def now(self) -> Named:
        """Return the keys; if the file cannot be read any more, those of the last successful read."""
        if self._clock() >= self._look_at:
            try:
                self._keys = self._read()
            except BadKeys:
                self._look_at = self._clock() + _LOOK_S
        return self._keys

    async def renewed(self) -> bool:
        """Return False: `now` checks the file already."""
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
            raise BadKeys(f"{self._path.name} is not a readable JWKS: {why}") from fault
        self._changed = changed
        return keys


#: Seconds: the age at which keys are fetched again; the least time between two fetches, however many unknown
#: keys tokens have; the timeout of a fetch; the time that one request waits for a fetch.
_OLD_S = 300.0
_BETWEEN_S = 10.0
_ANSWER_S = 5.0
_WAIT_S = 1.0
_OK = 200
#: Characters of a URL that are sent as they are (RFC 3986, 2.2 and 2.4).
_URL_CHARACTERS = "/?#[]@:!$&'()*+,;=%"

_logger = structlog.get_logger(__name__)


class FetchedKeys:
    """Keys of the JWKS that `fetch_keys` returns. If it raises `BadKeys`, the former keys stay."""

    def __init__(
        self,
        fetch_keys: Callable[[], Awaitable[bytes]],
        clock: Callable[[], float] = time.monotonic,
        between_s: float = _BETWEEN_S,
    ) -> None:
        self._fetch = fetch_keys
        self._clock = clock
        self._between_s = between_s
        self._keys: Named | None = None
        self._content = b""
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    def now(self) -> Named:
        """Return the keys of the last fetch; start another fetch if they are old. Raises `NoKeys`."""
        if self._keys is None:
            raise NoKeys("the keys of the token issuer are not known yet")
        if self._clock() - self._asked_at > _OLD_S:
            self._ask()
        return self._keys

    async def renewed(self) -> bool:
        """Fetch the keys unless that was just done; wait a moment; return True if they have changed."""
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
            content = await self._fetch()
            if self._keys is None or content != self._content:
                self._keys, self._content = read(content), content
                _logger.info("keys-loaded", count=len(self._keys))
        except (BadKeys, Unreachable, NoResponse, BrokenBody, TimeoutError) as fault:
            _logger.warning("keys-not-loaded", why=str(fault) or type(fault).__name__)
        finally:
            self._asking = None


class UrlKeys(FetchedKeys):
    """Keys at a URL. Raises `BadKeys` for an unsuitable URL."""

    def __init__(
        self, url: str, clock: Callable[[], float] = time.monotonic, between_s: float = _BETWEEN_S
    ) -> None:
        _check(url)
        super().__init__(partial(fetch, url), clock, between_s)


async def fetch(url: str) -> bytes:
    """Return the content at a URL. Redirects are not followed, and nothing is decompressed.

    Raises `BadKeys`, `Unreachable`, `NoResponse`, `BrokenBody`, TimeoutError.
    """
    parts = urlsplit(url)
    target = quote(urlunsplit(("", "", parts.path or "/", parts.query, "")), safe=_URL_CHARACTERS)
    issuer = RemoteHandler(url, answer_s=_ANSWER_S)
    try:
        async with asyncio.timeout(_ANSWER_S):
            answer = await issuer.handle(
                request("GET", target, Accept="application/jwk-set+json, application/json")
            )
            content = await read_response(answer, MOST)
    except TooLarge as fault:
        raise BadKeys(f"a key set may have at most {MOST} bytes") from fault
    finally:
        await issuer.close()
    if answer.status != _OK:
        raise BadKeys(f"the address of the keys answered with status {answer.status}")
    return content


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.username is not None or not parts.hostname:
        raise BadKeys("the address of the keys must be https://HOST/PATH, without a user name or password")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise BadKeys("keys are fetched over https only; over http only from this machine")


#: The most characters of a token, and the most tokens that are cached until they expire: checking a signature
#: takes 0.2 ms.
_MOST = 4096
_KEPT = 1024
_ALGORITHMS = ["Ed25519", "EdDSA"]
#: Seconds by which clocks may differ, and the longest lifetime of a token.
_LEEWAY_S = 5
_LONGEST_S = 31 * 86400
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_KID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_ACTOR = re.compile(r"[\x21-\x7e]{1,128}")
_HEADER = frozenset({"alg", "kid", "typ"})
#: The type of access tokens (RFC 9068, 4), in small letters.
_TYPES = frozenset({"at+jwt", "application/at+jwt"})


class _Claims(msgspec.Struct):
    sub: str
    exp: float
    iss: str
    aud: str | list[str]
    nbf: float = 0.0
    iat: float = 0.0
    scope: str = ""
    sid: str | None = None
    epoch: Any = 0


class Tokens:
    """Verifies tokens of one issuer for one audience.

    `any_type`: tokens need not name their type, `at+jwt`. `reserved`: subjects that no token may have.
    """

    def __init__(
        self,
        source: SigningKeys,
        issuer: str,
        audience: str,
        now: Callable[[], float] = time.time,
        *,
        any_type: bool = False,
        reserved: Collection[str] = RESERVED_NAMES,
    ) -> None:
        self._any_type = any_type
        self._reserved = reserved
        self._source = source
        self._issuer = issuer
        self._audience = audience
        self._now = now
        self._keys: Named = {}
        self._known: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()

    async def renewed(self) -> bool:
        """Reload the keys if it is time to; return True if they have changed."""
        return await self._source.renewed()

    def verify(self, token: str) -> Identity:
        """Return the identity that a token proves. Raises `BadToken`, `NoKeys`."""
        now, keys = self._now(), self._source.now()
        if keys is not self._keys:
            self._keys = keys
            self._known.clear()
        if len(token) > _MOST or _FORM.fullmatch(token) is None:
            raise BadToken("it is malformed or too long")
        digest = blake2b(token.encode(), digest_size=16).digest()
        cached = self._known.get(digest)
        if cached is None or cached[0] + _LEEWAY_S <= now:
            cached = self._known[digest] = self._checked(token, now)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return cached[1]

    def _checked(self, token: str, now: float) -> tuple[float, Identity]:
        encoded = token.partition(".")[0]
        try:
            header = msgspec.json.decode(
                urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)), type=dict[str, Any]
            )
            key = self._key(header)
            claims = msgspec.convert(jwt.decode(token, key, algorithms=_ALGORITHMS).claims, _Claims)
        except (JoseError, msgspec.MsgspecError, ValueError, RecursionError) as fault:
            raise BadToken(type(fault).__name__) from fault
        self._check(claims, now)
        scopes = frozenset(claims.scope.split()) - RESERVED_SCOPES
        epoch = claims.epoch if isinstance(claims.epoch, int) else 0
        return claims.exp, Identity(claims.sub, scopes, claims.sid, epoch, expires=claims.exp)

    def _key(self, header: dict[str, Any]) -> OKPKey:
        if not header.keys() <= _HEADER or header.get("alg") not in _ALGORITHMS:
            raise BadToken("its header has fields or an algorithm that are not supported")
        if not self._any_type and str(header.get("typ")).lower() not in _TYPES:
            raise BadToken("its type is not at+jwt")
        kid = header.get("kid")
        if not isinstance(kid, str) or _KID.fullmatch(kid) is None:
            raise BadToken("its header names no valid key id")
        if kid not in self._keys:
            raise UnknownKey("its key id is unknown")
        return self._keys[kid]

    def _check(self, claims: _Claims, now: float) -> None:
        audience = claims.aud if isinstance(claims.aud, list) else [claims.aud]
        if claims.iss != self._issuer or self._audience not in audience:
            raise BadToken("its issuer or audience is another one")
        if not now - _LEEWAY_S < claims.exp < now + _LONGEST_S:
            raise BadToken("it has expired, or its lifetime is too long")
        if max(claims.nbf, claims.iat) > now + _LEEWAY_S:
            raise BadToken("it is not valid yet")
        if _ACTOR.fullmatch(claims.sub) is None or claims.sub in self._reserved:
            raise BadToken("its subject is not 1 to 128 printable characters, or is reserved")
        if claims.sid is not None and _ACTOR.fullmatch(claims.sid) is None:
            raise BadToken("its session is not 1 to 128 printable characters")

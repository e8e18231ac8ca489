"""Signed tokens (JWT), verified with the public Ed25519 keys of whoever issues them (RFC 7519, 8037, 8725).

The keys say which algorithm counts, never the token; a token brings no keys and no addresses of keys.
"""

import re
import time
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from gateway.identity.port import BadToken, Identity

#: Characters of a token, and tokens that are remembered until they expire: a signature takes 0.2 ms to check.
_MOST = 4096
_KEPT = 1024
_ALGORITHMS = ["Ed25519", "EdDSA"]
#: Seconds by which clocks may differ, between two looks at the file, and that a token may live at the most.
_LEEWAY_S = 5
_LOOK_S = 5.0
_LONGEST_S = 31 * 86400
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_KID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_ACTOR = re.compile(r"[\x21-\x7e]{1,128}")
_HEADER = frozenset({"alg", "kid", "typ"})


class BadKeys(ValueError):
    """The file of keys cannot be used; says why."""


class _Claims(msgspec.Struct):
    sub: str
    exp: float
    iss: str
    aud: str | list[str]
    nbf: float = 0.0
    iat: float = 0.0
    scope: str = ""


class Tokens:
    """Verifies tokens of one issuer for one audience. Its keys (JWKS) are read anew when they change."""

    def __init__(self, jwks: Path, issuer: str, audience: str, now: Callable[[], float] = time.time) -> None:
        self._path = jwks
        self._issuer = issuer
        self._audience = audience
        self._now = now
        self._look_at = 0.0
        self._changed = 0
        self._keys: dict[str, OKPKey] = {}
        self._known: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()
        self._look()

    def verify(self, token: str) -> Identity:
        """Return who it is. Raises `BadToken`."""
        now = self._now()
        if now >= self._look_at:
            self._look()
        if len(token) > _MOST or _FORM.fullmatch(token) is None:
            raise BadToken("it has not the form of one, or is too long")
        digest = blake2b(token.encode(), digest_size=16).digest()
        found = self._known.get(digest)
        if found is None or found[0] + _LEEWAY_S <= now:
            found = self._known[digest] = self._checked(token, now)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return found[1]

    def _checked(self, token: str, now: float) -> tuple[float, Identity]:
        try:
            header = msgspec.json.decode(_unpadded(token.partition(".")[0]), type=dict[str, Any])
            key = self._key(header)
            claims = msgspec.convert(jwt.decode(token, key, algorithms=_ALGORITHMS).claims, _Claims)
        except (JoseError, msgspec.MsgspecError, ValueError, RecursionError) as fault:
            raise BadToken(type(fault).__name__) from fault
        self._check(claims, now)
        return claims.exp, Identity(claims.sub, frozenset(claims.scope.split()))

    def _key(self, header: dict[str, Any]) -> OKPKey:
        if not header.keys() <= _HEADER or header.get("alg") not in _ALGORITHMS:
            raise BadToken("its header asks for something that is not done here")
        kid = header.get("kid")
        if not isinstance(kid, str) or _KID.fullmatch(kid) is None or kid not in self._keys:
            raise BadToken("it names no key that is known")
        return self._keys[kid]

    def _check(self, claims: _Claims, now: float) -> None:
        audience = claims.aud if isinstance(claims.aud, list) else [claims.aud]
        if claims.iss != self._issuer or self._audience not in audience:
            raise BadToken("it is from or for someone else")
        if not now - _LEEWAY_S < claims.exp < now + _LONGEST_S:
            raise BadToken("it has expired, or lives for too long")
        if max(claims.nbf, claims.iat) > now + _LEEWAY_S:
            raise BadToken("it is not valid yet")
        if _ACTOR.fullmatch(claims.sub) is None:
            raise BadToken("it names no one that can be written down")

    def _look(self) -> None:
        """Read the keys if the file has changed. One that cannot be read leaves those there were, if any."""
        self._look_at = self._now() + _LOOK_S
        try:
            changed = self._path.stat().st_mtime_ns
            if changed == self._changed:
                return
            keys = KeySet.import_key_set(msgspec.json.decode(self._path.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, msgspec.MsgspecError, JoseError) as fault:
            if self._keys:
                return
            raise BadKeys(f"{self._path.name} is no JWKS that can be read: {type(fault).__name__}") from fault
        self._changed = changed
        self._keys = {str(key.kid): key for key in keys.keys if isinstance(key, OKPKey) and _usable(key)}
        self._known.clear()


def _usable(key: OKPKey) -> bool:
    return key.curve_name == "Ed25519" and key.kid is not None


def _unpadded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))

"""Verifies signed tokens (JWT) with the public Ed25519 keys of their issuer (RFC 7519, 8037, 8725).

The keys determine the algorithm, never the token; keys, or addresses of keys, in a token are refused.
"""

import re
import time
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from gateway.auth.jwks import Named, SigningKeys
from gateway.auth.verifier import BadToken, Identity, UnknownKey

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


class _Claims(msgspec.Struct):
    sub: str
    exp: float
    iss: str
    aud: str | list[str]
    nbf: float = 0.0
    iat: float = 0.0
    scope: str = ""


class Tokens:
    """Verifies tokens of one issuer for one audience."""

    def __init__(
        self, source: SigningKeys, issuer: str, audience: str, now: Callable[[], float] = time.time
    ) -> None:
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
        return claims.exp, Identity(claims.sub, frozenset(claims.scope.split()))

    def _key(self, header: dict[str, Any]) -> OKPKey:
        if not header.keys() <= _HEADER or header.get("alg") not in _ALGORITHMS:
            raise BadToken("its header has fields or an algorithm that are not supported")
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
        if _ACTOR.fullmatch(claims.sub) is None:
            raise BadToken("its subject is not 1 to 128 printable characters")

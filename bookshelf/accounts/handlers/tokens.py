"""Access tokens (RFC 9068, signed with Ed25519: RFC 8037, RFC 9864), and the keys that sign them.

The id of a key, its `kid`, is the time from which it signs: a month (`2026-11`), or the second of a rotation
(`2026-11-26T183000`). It is also the key's id in the keyring, so that several instances make one key.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from bookshelf.keyring.port import KeyStore

#: Keys are published this long before they sign: gateways fetch them every 5 minutes.
AHEAD = timedelta(minutes=10)
#: The longest validity of a token; so long a key stays after the last one that it has signed.
TOKEN_MAX = timedelta(hours=1)
_PREFIX = "signing-"
_MONTH, _SECOND = "%Y-%m", "%Y-%m-%dT%H%M%S"


class TokenClaims(msgspec.Struct, frozen=True, kw_only=True):
    """What an access token states of its person and session; times are seconds since 1970."""

    iss: str
    sub: str
    aud: str
    exp: int
    iat: int
    jti: str
    client_id: str
    scope: str
    sid: str
    epoch: int
    auth_time: int
    groups: tuple[str, ...]


class SigningKeyring:
    """The signing keys, of which one signs at a time."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    async def sign(self, claims: TokenClaims, now: datetime) -> str:
        """Return the token with these claims."""
        from joserfc import jwt  # noqa: PLC0415 (only sign-in needs it)
        from joserfc.jwk import OKPKey  # noqa: PLC0415 (as above)

        kid = max(kid for kid in await self._kids(now) if _begins(kid) <= now)
        key = OKPKey.import_key({**_private(await self._secret(kid)), "kid": kid})
        header = {"alg": "Ed25519", "kid": kid, "typ": "at+jwt"}
        return jwt.encode(header, msgspec.to_builtins(claims), key, algorithms=["Ed25519"])

    async def public(self, now: datetime) -> Mapping[str, Any]:
        """Return the public keys as a JWKS (RFC 7517): also those that do not sign yet, or no more."""
        return {"keys": [await self._public(kid) for kid in await self._kids(now)]}

    async def rotate(self, now: datetime, *, at_once: bool = False) -> str:
        """Make a new key, and return its id. It signs once it is known everywhere.

        With `at_once` it signs from now on, and all older keys are destroyed, which ends their tokens.
        """
        older = [_PREFIX + kid for kid in await self._kids(now) if _begins(kid) <= now]
        begins = now if at_once else now + AHEAD + timedelta(minutes=1)
        kid = begins.strftime(_SECOND)
        await self._secret(kid)
        if at_once:
            await self._keys.destroy(*(key_id for key_id in older if key_id != _PREFIX + kid))
        return kid

    async def _kids(self, now: datetime) -> Iterable[str]:
        """Return the ids of all keys; that of this month is made first, and the next one if it is time."""
        kids = await self._ids()
        wanted = {(now + AHEAD).strftime(_MONTH), now.strftime(_MONTH)}
        # the key of a month may have been destroyed by a rotation: then there is a later one that signs
        signing = {kid for kid in kids if _begins(kid) <= now}
        missing = {month for month in wanted if month not in kids and not any(kid > month for kid in signing)}
        for month in missing:
            await self._secret(month)
        return await self._ids() if missing else kids

    async def _ids(self) -> list[str]:
        return [key_id.removeprefix(_PREFIX) for key_id in await self._keys.ids(_PREFIX)]

    async def _secret(self, kid: str) -> bytes:
        return await self._keys.make(_PREFIX + kid, None, _ends(kid))

    async def _public(self, kid: str) -> dict[str, str]:
        private = _private(await self._secret(kid))
        public = {name: value for name, value in private.items() if name != "d"}
        return {**public, "kid": kid, "alg": "Ed25519", "use": "sig"}


def _begins(kid: str) -> datetime:
    form = _SECOND if "T" in kid else _MONTH
    return datetime.strptime(kid, form).replace(tzinfo=UTC)


def _ends(kid: str) -> datetime:
    """Return when a key's last token has expired: it signs until the next month at the latest."""
    begins = _begins(kid)
    next_month = (begins.replace(day=1, hour=0, minute=0, second=0) + timedelta(days=32)).replace(day=1)
    return next_month + 2 * TOKEN_MAX


def _private(secret: bytes) -> dict[str, str]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 (as above)

    public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    return {"kty": "OKP", "crv": "Ed25519", "d": _base64(secret), "x": _base64(public)}


def _base64(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()

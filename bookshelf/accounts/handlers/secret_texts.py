"""Texts that only this context can make: refresh tokens, session cookies and device cookies.

Each ends with an HMAC of its parts, so that it can be made again, and none must be stored.
"""

import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import NamedTuple

_REFRESH = re.compile(r"(s-[A-Za-z0-9-]{1,64})\.([0-9]{1,9})\.([\w-]{43})", re.ASCII)
_COOKIE = re.compile(r"(s-[A-Za-z0-9-]{1,64})\.([\w-]{43})", re.ASCII)
_DEVICE = re.compile(r"([\w-]{22})\.([0-9]{1,12})\.([\w-]{43})", re.ASCII)
#: How long a device is known.
DEVICE_AGE = timedelta(days=180)


class RefreshToken(NamedTuple):
    """The session of a refresh token, and its number."""

    session: str
    n: int


class SecretTexts:
    """Makes and reads the texts, with a secret of the keyring."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def _mac(self, purpose: str, *parts: object) -> str:
        content = "\n".join((purpose, *map(str, parts))).encode()
        digest = hmac.digest(self._secret, content, "sha256")
        return urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _is_right(self, mac: str, purpose: str, *parts: object) -> bool:
        return hmac.compare_digest(mac, self._mac(purpose, *parts))

    def refresh_token(self, session: str, n: int) -> str:
        """Return refresh token number `n` of a session."""
        return f"{session}.{n}.{self._mac('refresh', session, n)}"

    def read_refresh_token(self, text: str) -> RefreshToken | None:
        """Return what a refresh token is of; None if it was not made here."""
        match = _REFRESH.fullmatch(text)
        if match is None or not self._is_right(match[3], "refresh", match[1], int(match[2])):
            return None
        return RefreshToken(match[1], int(match[2]))

    def cookie(self, session: str) -> str:
        """Return the value of a browser's session cookie."""
        return f"{session}.{self._mac('cookie', session)}"

    def read_cookie(self, text: str) -> str | None:
        """Return the session of a cookie; None if it was not made here."""
        match = _COOKIE.fullmatch(text)
        if match is None or not self._is_right(match[2], "cookie", match[1]):
            return None
        return match[1]

    def device_cookie(self, account: str, at: datetime, device: str | None = None) -> str:
        """Return the value of the cookie of a device that has signed in to an account."""
        device = device or secrets.token_urlsafe(16)
        moment = int(at.timestamp())
        return f"{device}.{moment}.{self._mac('device', account, device, moment)}"

    def read_device_cookie(self, text: str, account: str, at: datetime) -> str | None:
        """Return the device that has signed in to this account, in the last 180 days; else None."""
        match = _DEVICE.fullmatch(text)
        if match is None or not self._is_right(match[3], "device", account, match[1], int(match[2])):
            return None
        age_s = at.timestamp() - int(match[2])
        return match[1] if age_s <= DEVICE_AGE.total_seconds() else None

    def client(self, program: str, network: str) -> str:
        """Return the hash of a client: its program and its network."""
        return self._mac("client", program, network)[:16]

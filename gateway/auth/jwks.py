"""The public keys of whoever issues tokens (JWKS, RFC 7517; Ed25519, RFC 8037), by their names."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

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

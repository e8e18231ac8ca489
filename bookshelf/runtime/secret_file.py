"""Reads and creates the file with the secret of the accounts."""

import os
import secrets
from pathlib import Path

#: Bytes of a new secret, and the least and most bytes of a file.
_NEW = 32
_LEAST = 16
_MOST = 4096
_MODE = 0o600


class BadSecretFile(Exception):
    """The file cannot be used; the message names it and the reason."""


def read_secret(path: Path) -> bytes:
    """Return the content of the file, without white space around it. Raises `BadSecretFile`."""
    try:
        with path.open("rb") as file:
            secret = file.read(_MOST).strip()
    except OSError as fault:
        raise BadSecretFile(f"cannot read {path}: {fault.strerror}") from None
    if len(secret) < _LEAST:
        raise BadSecretFile(f"{path} must have at least {_LEAST} bytes")
    return secret


def read_or_create_secret(path: Path) -> bytes:
    """Return the secret in the file; create it first if it is not there, for its user only (mode 0600).

    Raises `BadSecretFile`.
    """
    if path.exists():  # it may be on a file system that is read only
        return read_secret(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    except FileExistsError:
        return read_secret(path)
    except OSError as fault:
        raise BadSecretFile(f"cannot create {path}: {fault.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_hex(_NEW).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return read_secret(path)

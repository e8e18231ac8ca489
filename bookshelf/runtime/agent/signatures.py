"""Signs the digests of packages with Ed25519 (RFC 8032), and verifies such signatures.

A file of signatures has one in each line, in base64, so that several keys can sign one package.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

#: What is signed begins with this, so that no signature of something else is one of a package.
_PURPOSE = b"bookshelf package sha256:"
#: The most bytes of a file of signatures, and lines that are looked at.
SIGNATURE_BYTES = 16 << 10
_MOST = 100


class BadKey(Exception):
    """A key cannot be used; the message gives the reason and never the key."""


def read_public_keys(texts: Iterable[str]) -> tuple[Ed25519PublicKey, ...]:
    """Return public keys in base64. Raises `BadKey`."""
    return tuple(map(_public_key, texts))


def _public_key(text: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(b64decode(text, validate=True))
    except (ValueError, binascii.Error):
        raise BadKey(f"{text[:60]!r} is no public key; one is 32 bytes in base64") from None


def read_private_key(pem: bytes) -> Ed25519PrivateKey:
    """Return the private key of a PEM file without a password. Raises `BadKey`."""
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        raise BadKey("it is no private key in PEM without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey("it is a private key of another kind than Ed25519")
    return key


def public_text(key: Ed25519PrivateKey) -> str:
    """Return the public key of a private key in base64, as the setting `cluster_keys` has it."""
    return b64encode(key.public_key().public_bytes_raw()).decode()


def sign(digest: str, key: Ed25519PrivateKey) -> str:
    """Return the line of a signature."""
    return b64encode(key.sign(_PURPOSE + digest.encode())).decode()


def is_signed(digest: str, signatures: bytes, keys: Iterable[Ed25519PublicKey]) -> bool:
    """Return True if one of the signatures of a file is by one of the keys."""
    known = tuple(keys)
    for line in signatures.split(b"\n")[:_MOST]:
        try:
            signature = b64decode(line.strip(), validate=True)
        except binascii.Error:
            continue
        if any(_verifies(key, signature, digest) for key in known):
            return True
    return False


def _verifies(key: Ed25519PublicKey, signature: bytes, digest: str) -> bool:
    try:
        key.verify(signature, _PURPOSE + digest.encode())
    except InvalidSignature:
        return False
    return True

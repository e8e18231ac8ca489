"""Seals texts with one key: deterministic AES-256-GCM.

The nonce is an HMAC of field and text, as in RFC 5297 (SIV): equal texts of one field are equal when sealed,
so that a change to the same text is recognised without opening it. Two texts share a nonce only if the first
96 bits of their HMAC-SHA256 are equal.

A sealed text is `SEALED`, then FIELD:BASE64URL(nonce, ciphertext, tag):KEY-ID. Key id and field are the
associated data.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from bookshelf.cqrs.message import SEALED
from bookshelf.keyring.port import SealBroken

_NONCE_BYTES = 12
_HASH_BYTES = 16
_FORM = re.compile(rf"{SEALED}([a-z0-9_]+):([A-Za-z0-9_=-]+):(.+)", re.DOTALL)


class SealedParts(NamedTuple):
    """A sealed text in its parts: the field it was sealed as, what is encrypted, and the id of the key."""

    field: str
    content: bytes
    key_id: str


def split_sealed(text: str) -> SealedParts:
    """Return the parts of a sealed text. Raises `SealBroken`."""
    match = _FORM.fullmatch(text)
    try:
        content = urlsafe_b64decode(match[2]) if match is not None else b""
    except ValueError:
        content = b""
    if match is None or not content:
        raise SealBroken("a sealed text does not have the form of one")
    return SealedParts(match[1], content, match[3])


class Cipher:
    """Seals and opens the texts of one key, and makes hashes that only its holders can compute."""

    def __init__(self, key_id: str, key: bytes) -> None:
        self._key_id = key_id
        self._texts = AESGCM(_derived(key, b"texts"))
        self._nonces = _derived(key, b"nonces")
        self._hashes = _derived(key, b"hashes")

    def seal(self, field: str, text: str) -> str:
        """Return a text sealed as a field; an empty text stays as it is."""
        if not text:
            return text
        plain, about = text.encode(errors="surrogatepass"), self._about(field, self._key_id)
        nonce = hmac.digest(self._nonces, about + plain, "sha256")[:_NONCE_BYTES]
        content = urlsafe_b64encode(nonce + self._texts.encrypt(nonce, plain, about)).decode()
        return f"{SEALED}{field}:{content}:{self._key_id}"

    def open(self, parts: SealedParts) -> str:
        """Return the plain text of a sealed text. Raises `SealBroken` if it was changed."""
        about = self._about(parts.field, parts.key_id)
        nonce, encrypted = parts.content[:_NONCE_BYTES], parts.content[_NONCE_BYTES:]
        try:
            plain = self._texts.decrypt(nonce, encrypted, about)
        except (InvalidTag, ValueError):
            msg = f"a text sealed as {parts.field} with the key {self._key_id} was changed"
            raise SealBroken(msg) from None
        return plain.decode(errors="surrogatepass")

    def keyed(self, content_hash: str) -> str:
        """Return the HMAC of a hash: without the key, no guess at the content can be checked."""
        return hmac.digest(self._hashes, content_hash.encode(), "sha256")[:_HASH_BYTES].hex()

    @staticmethod
    def _about(field: str, key_id: str) -> bytes:
        return b"%s\0%s\0" % (field.encode(), key_id.encode())


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDFExpand(SHA256(), 32, b"bookshelf " + purpose).derive(key)

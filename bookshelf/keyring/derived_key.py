"""Derives keys for their purposes from the content of the secret file."""


def derive_key(secret: bytes, purpose: str) -> bytes:
    """Return the key of 32 bytes for a purpose: HKDF with SHA-256 (RFC 5869), `purpose` as its info."""
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 (with accounts only)
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415 (as above)

    return HKDF(SHA256(), 32, None, purpose.encode()).derive(secret)

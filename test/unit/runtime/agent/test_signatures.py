"""Signatures of packages: only one of a listed key over this very digest counts."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from bookshelf.runtime.agent.signatures import (
    BadKey,
    is_signed,
    public_text,
    read_private_key,
    read_public_keys,
    sign,
)

A, B = "a" * 64, "b" * 64
KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
LISTED = read_public_keys([public_text(KEY)])


def test_a_signature_of_a_listed_key_counts_wherever_it_stands() -> None:
    lines = f"{sign(A, OTHER)}\nno base64!\n{sign(A, KEY)}\n"
    assert is_signed(A, lines.encode(), LISTED)


def test_signatures_of_other_keys_and_of_other_digests_do_not_count() -> None:
    assert not is_signed(A, f"{sign(A, OTHER)}\n{sign(B, KEY)}\n".encode(), LISTED)
    assert not is_signed(A, sign(A, KEY).encode(), ())


def test_a_signature_of_the_bare_digest_does_not_count() -> None:
    assert not is_signed(A, b64encode(KEY.sign(A.encode())), LISTED)


@given(st.binary(max_size=300))
def test_no_other_bytes_count(content: bytes) -> None:
    assert not is_signed(A, content, LISTED)


@pytest.mark.parametrize("text", ["", "x", "AAAA", "ä" * 44, b64encode(b"x" * 33).decode()])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(BadKey, match="is no public key"):
        read_public_keys([text])


def test_only_a_private_key_of_ed25519_without_a_password_is_read() -> None:
    written = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert public_text(read_private_key(written)) == public_text(KEY)
    rsa = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(BadKey, match="another kind"):
        read_private_key(rsa)
    locked = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    for content in (b"", b"x", written[:40], locked):
        with pytest.raises(BadKey, match="no private key"):
            read_private_key(content)

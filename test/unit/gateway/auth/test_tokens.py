"""Which tokens are accepted: the attacks on JWT of RFC 8725, with keys of the test."""

import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwk, jws, jwt

from gateway.auth import BadToken, Identity
from gateway.jwt import BadKeys, FileKeys, Tokens

NOW = 1_800_000_000
KEY, OTHER = (jwk.OKPKey.generate_key("Ed25519", {"kid": "k1"}) for _ in "ab")
RSA = jwk.RSAKey.generate_key(2048, {"kid": "r1"})
GOOD: dict[str, Any] = {"sub": "ann", "iss": "me", "aud": "books", "exp": NOW + 60, "scope": "read write"}


def public(key: jwk.OKPKey | jwk.RSAKey) -> dict[str, Any]:
    return dict(key.as_dict(private=False))


def write(path: Path, *keys: dict[str, Any], stamp: int = 1) -> Path:
    path.write_text(json.dumps({"keys": keys}))
    os.utime(path, ns=(stamp, stamp))
    return path


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(tmp_path: Path, clock: Clock) -> Tokens:
    path = write(tmp_path / "jwks.json", public(KEY), public(RSA))
    return Tokens(FileKeys(path, clock), "me", "books", clock)


def part(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed(claims: dict[str, Any] | None = None, key: jwk.OKPKey = KEY, **header: Any) -> str:  # noqa: ANN401
    head = {"alg": "Ed25519", "kid": "k1", "typ": "at+jwt", **header}
    registry = jws.JWSRegistry(algorithms=["Ed25519"], strict_check_header=False)
    return jwt.encode(head, GOOD if claims is None else claims, key, registry=registry)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


def confused() -> str:
    """Sign with the public key, as if it were the secret of an HMAC."""
    secret = jwk.OctKey.import_key(json.dumps(public(KEY)))
    return jwt.encode({"alg": "HS256", "kid": "k1"}, GOOD, secret, algorithms=["HS256"])


def rsa() -> str:
    return jwt.encode({"alg": "RS256", "kid": "r1"}, GOOD, RSA, algorithms=["RS256"])


def none(signature: str = "") -> str:
    return f"{part({'alg': 'none', 'kid': 'k1'})}.{part(GOOD)}.{signature}"


def with_head(head: object) -> str:
    return f"{part(head)}.{signed().partition('.')[2]}"


def tampered() -> str:
    head, _, signature = signed().split(".")
    return f"{head}.{part({**GOOD, 'sub': 'root'})}.{signature}"


def cut() -> str:
    head, claims, _ = signed().split(".")
    return f"{head}.{claims}.AA"


def test_a_valid_token_identifies_its_subject(tokens: Tokens) -> None:
    for _ in range(2):
        assert tokens.verify(signed()) == Identity("ann", frozenset({"read", "write"}))
    assert tokens.verify(signed({**GOOD, "aud": ["else", "books"]})).actor == "ann"


ATTACKS: dict[str, Callable[[], str]] = {
    "no algorithm": none,
    "no algorithm, with a signature": lambda: none("AA"),
    "None": lambda: none().replace(part({"alg": "none", "kid": "k1"}), part({"alg": "None", "kid": "k1"})),
    "the public key as a secret": confused,
    "another kind of key that is in the file": rsa,
    "another key under a known name": lambda: signed(key=OTHER),
    "its own key in the header": lambda: signed(key=OTHER, jwk=public(OTHER)),
    "the address of its own keys": lambda: signed(key=OTHER, jku="https://evil.example/jwks.json"),
    "a certificate's address": lambda: signed(x5u="https://evil.example/"),
    "a critical extension": lambda: with_head({"alg": "Ed25519", "kid": "k1", "crit": ["exp"]}),
    "a key's name that is a path": lambda: signed(kid="../../../../dev/null"),
    "a key's name that is a query": lambda: signed(kid="k1' OR '1'='1"),
    "a key's name that is unknown": lambda: signed(kid="k2"),
    "a key's name that is no text": lambda: with_head({"alg": "Ed25519", "kid": []}),
    "no key's name": lambda: with_head({"alg": "Ed25519"}),
    "of another type": lambda: signed(typ="JWT"),
    "an identity token": lambda: signed(typ="id_token+jwt"),
    "of no type": lambda: with_head({"alg": "Ed25519", "kid": "k1"}),
    "about the local reader": lambda: signed({**GOOD, "sub": "reader"}),
    "about a guest": lambda: signed({**GOOD, "sub": "guest"}),
    "with a session that is a header": lambda: signed({**GOOD, "sid": "1\r\nX-Admin: 1"}),
    "other claims under a good signature": tampered,
    "half a signature": cut,
    "expired": lambda: signed({**GOOD, "exp": NOW - 6}),
    "too long": lambda: signed({**GOOD, "exp": NOW + 10**9}),
    "without an expiry": lambda: signed(without("exp")),
    "not a number": lambda: signed({**GOOD, "exp": "soon"}),
    "infinite": lambda: signed({**GOOD, "exp": 1e308}),
    "not valid yet": lambda: signed({**GOOD, "nbf": NOW + 60}),
    "from the future": lambda: signed({**GOOD, "iat": NOW + 60}),
    "for someone else": lambda: signed({**GOOD, "aud": "shop"}),
    "without an audience": lambda: signed(without("aud")),
    "from someone else": lambda: signed({**GOOD, "iss": "you"}),
    "without an issuer": lambda: signed(without("iss")),
    "without a subject": lambda: signed(without("sub")),
    "about a header": lambda: signed({**GOOD, "sub": "ann\r\nX-Admin: 1"}),
    "about someone endless": lambda: signed({**GOOD, "sub": "a" * 129}),
    "huge": lambda: signed({**GOOD, "x": "y" * 5000}),
    "deep": lambda: f"{part({'alg': 'Ed25519', 'kid': 'k1'})}.{'W' * 3000}.AA",
    "encrypted": lambda: ".".join(["e30"] * 5),
    "nothing": lambda: "",
    "dots": lambda: "..",
    "no base64": lambda: "é.é.é",
}


@pytest.mark.parametrize("made", ATTACKS.values(), ids=ATTACKS.keys())
def test_invalid_tokens_are_rejected(tokens: Tokens, made: Callable[[], str]) -> None:
    with pytest.raises(BadToken):
        tokens.verify(made())


def test_a_token_of_any_type_is_accepted_if_the_settings_admit_it(tmp_path: Path, clock: Clock) -> None:
    keys = FileKeys(write(tmp_path / "jwks.json", public(KEY)), clock)
    token = signed({**GOOD, "sid": "s-1"}, typ="JWT")
    assert Tokens(keys, "me", "books", clock, any_type=True).verify(token).session == "s-1"
    strict = Tokens(keys, "me", "books", clock)
    assert strict.verify(signed(typ="application/AT+JWT")).actor == "ann"
    with pytest.raises(BadToken):
        strict.verify(token)


def test_a_cached_token_is_rejected_after_it_has_expired(tokens: Tokens, clock: Clock) -> None:
    token = signed()
    tokens.verify(token)
    clock.now += 64
    tokens.verify(token)  # clocks differ
    clock.now += 2
    with pytest.raises(BadToken):
        tokens.verify(token)


def test_removing_a_key_invalidates_its_tokens(tmp_path: Path, tokens: Tokens, clock: Clock) -> None:
    tokens.verify(signed())
    write(tmp_path / "jwks.json", {**public(OTHER), "kid": "k2"}, stamp=2)
    clock.now += 6
    with pytest.raises(BadToken):
        tokens.verify(signed())
    assert tokens.verify(signed(key=OTHER, kid="k2")).actor == "ann"
    (tmp_path / "jwks.json").write_text("half writ")
    clock.now += 6
    assert tokens.verify(signed(key=OTHER, kid="k2")).actor == "ann"


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"keys": 1}', '{"keys": [{"kty": "x"}]}'])
def test_a_file_without_keys_is_reported(tmp_path: Path, content: str) -> None:
    (tmp_path / "jwks.json").write_text(content)
    with pytest.raises(BadKeys):
        FileKeys(tmp_path / "jwks.json")
    with pytest.raises(BadKeys):
        FileKeys(tmp_path / "none.json")

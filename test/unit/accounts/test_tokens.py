"""Access tokens as the gateway reads them, and the life of the keys that sign them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from bookshelf.accounts.handlers.tokens import SigningKeyring, TokenClaims
from bookshelf.keyring.keyring import Keyring
from bookshelf.keyring.memory import MemoryKeyTable
from gateway.auth import BadToken, UnknownKey
from gateway.jwt import Named, Tokens, read

NOW = datetime(2026, 11, 26, 18, 30, tzinfo=UTC)
ISSUER, AUDIENCE = "https://books.example", "bookshelf"


class Moment:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class PublishedKeys:
    """The keys as the gateway has fetched them."""

    def __init__(self, published: Any) -> None:  # noqa: ANN401 (JSON)
        self._keys = read(msgspec.json.encode(published))

    def now(self) -> Named:
        return self._keys

    async def renewed(self) -> bool:
        return False


@pytest.fixture
def moment() -> Moment:
    return Moment()


@pytest.fixture
def keys(moment: Moment) -> SigningKeyring:
    return SigningKeyring(Keyring(MemoryKeyTable(), b"secret of 16 bytes", moment))


def claims(at: datetime) -> TokenClaims:
    return TokenClaims(
        iss=ISSUER,
        sub="a-1",
        aud=AUDIENCE,
        exp=int(at.timestamp()) + 600,
        iat=int(at.timestamp()),
        jti="t-1",
        client_id="bookshelf",
        scope="read write",
        sid="s-1",
        epoch=0,
        auth_time=int(at.timestamp()),
        groups=("reader",),
    )


def kids(published: Any) -> list[str]:  # noqa: ANN401 (JSON)
    return [key["kid"] for key in published["keys"]]


def verifier(published: Any, now: Callable[[], datetime]) -> Tokens:  # noqa: ANN401 (JSON)
    return Tokens(PublishedKeys(published), ISSUER, AUDIENCE, lambda: now().timestamp())


async def test_the_gateway_accepts_a_token_with_the_published_keys(
    keys: SigningKeyring, moment: Moment
) -> None:
    token = await keys.sign(claims(NOW), NOW)
    published = await keys.public(NOW)
    identity = verifier(published, moment).verify(token)
    assert (identity.actor, identity.scopes) == ("a-1", frozenset({"read", "write"}))
    assert kids(published) == ["2026-11"]
    assert all("d" not in key for key in published["keys"])
    with pytest.raises(BadToken):
        verifier(published, moment).verify(token[:-4] + "AAAA")


async def test_two_instances_make_one_key_for_a_month(moment: Moment) -> None:
    table = MemoryKeyTable()
    first, second = (SigningKeyring(Keyring(table, b"secret of 16 bytes", moment)) for _ in range(2))
    token = await first.sign(claims(NOW), NOW)
    assert verifier(await second.public(NOW), moment).verify(token).actor == "a-1"


async def test_a_key_is_published_before_it_signs_and_stays_until_its_tokens_have_expired(
    keys: SigningKeyring, moment: Moment
) -> None:
    await keys.public(NOW)
    month = datetime(2026, 12, 1, tzinfo=UTC)
    moment.now = month - timedelta(minutes=11)
    assert kids(await keys.public(moment.now)) == ["2026-11"]
    moment.now = month - timedelta(minutes=10)
    ahead = await keys.public(moment.now)
    assert kids(ahead) == ["2026-11", "2026-12"]
    late = await keys.sign(claims(moment.now), moment.now)
    moment.now = month + timedelta(seconds=1)
    early = await keys.sign(claims(moment.now), moment.now)
    for token in (late, early):
        assert verifier(ahead, moment).verify(token).actor == "a-1"
    with pytest.raises(UnknownKey):
        verifier({"keys": ahead["keys"][:1]}, moment).verify(early)
    moment.now = month + timedelta(hours=3)
    assert kids(await keys.public(moment.now)) == ["2026-12"]


async def test_a_rotation_is_published_before_it_signs(keys: SigningKeyring, moment: Moment) -> None:
    await keys.public(NOW)
    made = await keys.rotate(NOW)
    published = await keys.public(NOW)
    assert kids(published) == ["2026-11", made]
    token = await keys.sign(claims(NOW), NOW)
    verifier({"keys": published["keys"][:1]}, moment).verify(token)
    moment.now = NOW + timedelta(minutes=12)
    token = await keys.sign(claims(moment.now), moment.now)
    verifier({"keys": published["keys"][1:]}, moment).verify(token)


async def test_a_rotation_at_once_ends_all_older_tokens(keys: SigningKeyring, moment: Moment) -> None:
    former = await keys.sign(claims(NOW), NOW)
    moment.now = NOW + timedelta(seconds=5)
    made = await keys.rotate(moment.now, at_once=True)
    published = await keys.public(moment.now)
    assert kids(published) == [made]
    with pytest.raises(UnknownKey):
        verifier(published, moment).verify(former)
    verifier(published, moment).verify(await keys.sign(claims(moment.now), moment.now))
    moment.now = datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC)
    assert "2026-12" in kids(await keys.public(moment.now))

"""The password hasher: cost, outdated hashes, the same work for unknown accounts, bounded waiting."""

import asyncio
from collections.abc import Iterator

import pytest

from bookshelf.http.problem import Problem
from bookshelf.runtime.passwords import PasswordHasher

PASSWORD = "correct horse battery staple"  # noqa: S105 (a test's)


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    made = PasswordHasher(memory_kib=64, passes=1, threads=1, waiting=1)
    yield made
    made.close()


async def test_a_hash_names_its_parameters_and_matches_its_password_only(hasher: PasswordHasher) -> None:
    hashed = await hasher.hash(PASSWORD)
    assert hashed.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert hashed != await hasher.hash(PASSWORD)
    assert await hasher.verify(hashed, PASSWORD)
    assert not await hasher.verify(hashed, PASSWORD + " ")
    assert not await hasher.verify("no hash", PASSWORD)


async def test_an_unknown_account_costs_a_verification(hasher: PasswordHasher) -> None:
    assert not await hasher.verify(None, PASSWORD)
    assert hasher.verified == 1


async def test_production_hashes_with_19_mib_and_2_passes() -> None:
    hasher = PasswordHasher()
    hashed = await hasher.hash(PASSWORD)
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not hasher.is_outdated(hashed)
    assert PasswordHasher(memory_kib=64, passes=1).is_outdated(hashed)
    hasher.close()


async def test_more_hashes_than_may_wait_are_answered_503(hasher: PasswordHasher) -> None:
    results = await asyncio.gather(*(hasher.hash(PASSWORD) for _ in range(4)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, Problem)]
    assert [problem.kind for problem in refused] == ["unavailable"] * 2
    assert (await hasher.hash(PASSWORD)).startswith("$argon2id$")


def test_a_hasher_that_was_never_used_has_no_threads_to_end() -> None:
    PasswordHasher().close()

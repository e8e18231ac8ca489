"""The services of a group in one process compete for its primary as one."""

import asyncio

from support.until import eventually

from bookshelf.runtime.election.candidate import PrimaryCandidate, candidate_for
from bookshelf.runtime.election.leases import Locks
from bookshelf.runtime.election.local import LocalElection


def has_token(candidate: PrimaryCandidate) -> bool:
    return candidate.token is not None


async def test_two_services_of_a_process_have_one_token_until_the_last_has_stopped() -> None:
    election = LocalElection()
    here, there = Locks(election, "here"), Locks(election, "there")
    first, second = candidate_for(here, "counters"), candidate_for(here, "counters")
    first.start("a service")
    second.start("another service")

    async def is_primary() -> bool:
        return first.token is not None and first.token == second.token

    await eventually(is_primary, "both have the token")
    backup = candidate_for(there, "counters")
    backup.start("a service")
    await first.stop("a service")
    await first.stop("a service")
    assert has_token(second)
    await second.stop("another service")
    assert not has_token(second)

    async def took_over() -> bool:
        return backup.token is not None

    async with asyncio.timeout(30):
        await eventually(took_over, "the backup is the primary")
    first.start("a service")
    await first.stop("a service")
    await backup.stop("a service")

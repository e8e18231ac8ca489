"""Hashes passwords with argon2id (RFC 9106), in threads: the reference C code releases the interpreter lock.

19 MiB, 2 passes, 1 lane: the second recommendation of OWASP. One hash took 31 ms where this was chosen;
46 MiB and 1 pass took 87 ms, and the library's default 466 ms.
"""

import asyncio
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from bookshelf.http.problem import Problem

if TYPE_CHECKING:
    import argon2

T = TypeVar("T")
#: Hashes that may wait for a thread.
WAITING_MAX = 64


class PasswordHasher:
    """Hashes and verifies passwords; `threads` at the same time, and at most `waiting` more wait.

    `memory_kib` and `passes` are the cost of a new hash. The library is imported with the first hash.
    """

    def __init__(
        self,
        memory_kib: int = 19 * 1024,
        passes: int = 2,
        threads: int | None = None,
        waiting: int = WAITING_MAX,
    ) -> None:
        self._memory_kib = memory_kib
        self._passes = passes
        self._threads = threads or os.cpu_count() or 1
        self._waiting = waiting
        self._running = 0
        #: How many hashes were verified, those in place of an unknown account's included.
        self.verified = 0

    @cached_property
    def _argon2(self) -> "argon2.PasswordHasher":
        import argon2  # noqa: PLC0415 (only sign-in needs it)

        return argon2.PasswordHasher(self._passes, self._memory_kib, 1)

    @cached_property
    def _executor(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, thread_name_prefix="passwords")

    @cached_property
    def _dummy(self) -> str:
        made: str = self._argon2.hash(secrets.token_hex())
        return made

    async def hash(self, password: str) -> str:
        """Return the hash of a password, with its parameters and salt. Raises `Problem`: unavailable."""
        made: str = await self._run(lambda: self._argon2.hash(password))
        return made

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Return True if the hash is of this password. None costs the same work. Raises `Problem`."""
        self.verified += 1
        right = await self._run(lambda: self._matches(hashed or self._dummy, password))
        return right and hashed is not None

    def _matches(self, hashed: str, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 (as above)

        try:
            return bool(self._argon2.verify(hashed, password))
        except (VerificationError, InvalidHashError):
            return False

    def is_outdated(self, hashed: str) -> bool:
        """Return True if the hash was made with other parameters than new ones are."""
        outdated: bool = self._argon2.check_needs_rehash(hashed)
        return outdated

    async def _run(self, work: Callable[[], T]) -> T:
        if self._running >= self._threads + self._waiting:
            raise Problem("unavailable", "too many sign-ins at the same time; try again in a moment")
        self._running += 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        future.add_done_callback(self._done)
        return await future

    def _done(self, _future: "asyncio.Future[T]") -> None:
        self._running -= 1

    def close(self) -> None:
        """End the threads once their hashes are made."""
        if "_executor" in self.__dict__:
            self._executor.shutdown()

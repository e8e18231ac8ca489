"""`python -m support.registration_program FOLDER POINT [BROKER]`: people register, change, and are forgotten.

The log is a file in the folder, or on a broker. The program kills itself -9 `before` the second append of the
process `registration` or its connector, or `after` the first; with `never` it runs to its end. Each run is
then at most one append further than the one before, so that every append is hit. It repeats what was not
answered in earlier runs.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from support.crashing_log import CrashingLog, open_log
from support.until import eventually
from support.users import ANN, BEN, PASSWORD, USERS, Users, caller

from bookshelf.accounts.forgetting import FORGETTING
from bookshelf.accounts.registration import REGISTRATION
from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.keyring.sqlite import SqliteKeyTable
from bookshelf.runtime.clock import SystemClock, SystemIds

SENDERS = {REGISTRATION.name, FORGETTING.name}
_PARTS = [part for part in USERS.runs if isinstance(part, Aggregate)]
TOPICS = (
    *{part.topic for part in _PARTS},
    *(part.commands for part in _PARTS),
    *(name for sender in (REGISTRATION, FORGETTING) for name in (sender.answers, sender.dead_letters)),
)
NEW_EMAIL = "ann@example.net"
#: What is answered to each step.
STEPS = ("ann", "ben", "eve", "email", "forget")


class Steps:
    """What people do with their accounts. A step that was answered is not repeated by a later run."""

    def __init__(self, users: Users, folder: Path) -> None:
        self._users = users
        self._folder = folder

    async def once(self, step: str, carry_out: Callable[[], Awaitable[str]]) -> str:
        """Carry out a step unless it was answered in an earlier run; return what it has led to."""
        file = self._folder / f"answered-{step}"
        if not file.exists():
            result = await carry_out()
            file.with_suffix(".part").write_text(result)
            file.with_suffix(".part").rename(file)
        return file.read_text()

    async def register(self, step: str, **fields: str) -> str:
        """Register; return the status and the id, with the same key in each run."""

        async def send() -> str:
            answer = await self._users.send("POST", "/accounts", fields, Idempotency_Key=f"key-of-{step}")
            assert answer.status in {201, 409}, answer.body
            return f"{answer.status} {answer.json.get('id', '')}"

        return await self.once(step, send)

    async def change_email(self, account: str) -> str:
        """Change an address."""

        async def send() -> str:
            changes = {"email": NEW_EMAIL, "password": PASSWORD}

            async def changed() -> bool:
                answer = await self._users.send("PATCH", "/accounts/me", changes, caller(account))
                assert answer.status in {200, 409}, answer.body
                return answer.status == 200  # 409: that of an earlier run is not decided yet

            await eventually(changed, "the address is changed", 60)
            return "200"

        return await self.once("email", send)

    async def forget(self, account: str) -> str:
        """Be forgotten; 401 if that was done in a run without an answer."""

        async def send() -> str:
            gone = {"password": PASSWORD}
            answer = await self._users.send("DELETE", "/accounts/me", gone, caller(account))
            assert answer.status in {202, 401}, answer.body
            return str(answer.status)

        return await self.once("forget", send)


async def main(folder: Path, point: str, broker: str = "") -> None:
    """Run until all steps are answered and all claims are as they should be, or the point is reached."""
    table = await SqliteKeyTable.open(folder / "keyring.sqlite")
    async with open_log(folder, TOPICS, broker) as opened:
        log = CrashingLog(opened, point, SENDERS)
        # ids that no run before has used
        async with Users(log=log, table=table, ids=SystemIds(SystemClock())) as users:
            steps = Steps(users, folder)
            status, _, ann = (await steps.register("ann", **ANN)).partition(" ")
            assert status == "201"
            status, _, ben = (await steps.register("ben", **BEN)).partition(" ")
            assert status == "201"
            taken = {**BEN, "handle": "eve", "email": ANN["email"]}
            assert (await steps.register("eve", **taken)).startswith("409")
            await steps.change_email(ann)
            await steps.forget(ben)
            await users.released("eve", ANN["email"], "ben", BEN["email"])
            await users.destroyed(ben)
    await table.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))

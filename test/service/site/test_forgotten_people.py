"""What a site keeps of people is deleted once their keys are destroyed: jobs, their files, covers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.fixed_infrastructure import FixedClock
from support.pages import Ports, ScriptedApi

from bookshelf.cqrs.handler import LOCAL, Caller
from bookshelf.http.message import BytesBody
from bookshelf.http.problem import Problem
from bookshelf.keyring.keyring import Keyring
from bookshelf.keyring.memory import MemoryKeyTable
from bookshelf.keyring.sqlite import SqliteKeyTable
from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.media.folder import FolderBlobs
from bookshelf.runtime.api.identity import LOCAL_READER, LocalReader
from bookshelf.runtime.backup import restore_backup, write_backup
from bookshelf.runtime.job_backup import copy_jobs
from bookshelf.runtime.keyring_backup import KEYRING_FILE
from bookshelf.shelf.pages.cover_files import covers_of, erase_covers
from bookshelf.site.erasure import AGAIN, Erasure
from bookshelf.site.jobs import CallerJobs, JobRun, Jobs

ANN, BEN = (Caller(actor=name, account=name, owner=name) for name in ("a-ann", "a-ben"))
ADMIN = Caller(actor=LOCAL_READER, account=LOCAL_READER)
#: A text in everything that a job has: its file, the file's name, parameters, report and lines.
TEXT = "xylograph"


class Kept(NamedTuple):
    """A site that has run, and what erases."""

    jobs: Jobs
    erasure: Erasure
    ports: Ports
    folder: Path

    def holds(self, text: str) -> bool:
        """Return True if any file of the folder has a text in its content or its name."""
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        return any(text.encode() in path.read_bytes() or text in path.name for path in paths)

    async def put_cover(self, owner: str | None) -> str:
        content = b"the cover of %r" % owner
        name = f"{covers_of(owner)}/{blake2b(content, digest_size=32).hexdigest()}"
        await self.ports.blobs.put(name, BytesBody(content).stream())
        await self.ports.blobs.put(f"{name}-240", BytesBody(content).stream())
        return name

    async def has_cover(self, name: str) -> bool:
        found = [await self.ports.blobs.stat(each) for each in (name, f"{name}-240")]
        return None not in found


async def note(run: JobRun) -> dict[str, Any]:
    """Put the texts of the job's parameters into its report and its lines."""
    await run.add_lines("refused", [(0, run.job.parameters), (1, run.job.parameters)])
    return run.job.parameters


async def stall(run: JobRun) -> dict[str, Any]:
    """Go on without end."""
    run.show(run.job.parameters)
    await asyncio.Event().wait()
    return {}


@asynccontextmanager
async def site(folder: Path, keyring: Keyring | None, clock: FixedClock) -> AsyncIterator[Kept]:
    ports = Ports(ScriptedApi(), clock, str(folder / "site"), LocalReader())
    ports.keys, ports.blobs = keyring, FolderBlobs(folder / "blobs")
    jobs = Jobs({"note": note, "stall": stall}, ports, lambda _owner, _name: None)

    async def erase(accounts: Any) -> None:  # noqa: ANN401 (ids)
        await erase_covers(ports, accounts)

    erasure = Erasure(ports, (jobs.erase, erase))
    async with jobs.open(erasure.look):
        yield Kept(jobs, erasure, ports, folder)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def keyring(clock: FixedClock) -> Keyring:
    return Keyring(MemoryKeyTable(), b"secret", clock.now)


@pytest.fixture
async def kept(tmp_path: Path, keyring: Keyring, clock: FixedClock) -> AsyncIterator[Kept]:
    async with site(tmp_path, keyring, clock) as kept:
        yield kept


async def run_job(kept: Kept, caller: Caller, text: str) -> str:
    """Run a job with a text in everything; return its id once it has ended."""
    jobs: CallerJobs = kept.jobs.of(caller)
    job = await jobs.start("note", {"said": text}, file=text.encode() * 5000, name=f"{text}.csv")
    await jobs.wait(job.id, 60)
    found = await jobs.get(job.id, "note")
    assert found is not None
    assert found.state == "done"
    return job.id


async def test_jobs_files_and_covers_of_a_forgotten_person_leave_no_trace(
    kept: Kept, keyring: Keyring
) -> None:
    await run_job(kept, ANN, TEXT)
    others = [await run_job(kept, caller, "lithograph") for caller in (BEN, ADMIN, LOCAL)]
    covers = [await kept.put_cover(owner) for owner in (ANN.owner, BEN.owner, None)]
    assert await kept.erasure.look()
    assert kept.holds(TEXT)
    await keyring.destroy("a-ann")
    assert await kept.erasure.look()
    assert not kept.holds(TEXT)
    copy_jobs(kept.folder / "site", kept.folder / "backup")
    assert not kept.holds(TEXT)
    assert kept.holds("lithograph")
    assert {job.id for job in await kept.jobs.all()} == set(others)
    assert [await kept.has_cover(name) for name in covers] == [False, True, True]


async def test_running_jobs_are_canceled_and_new_ones_refused(kept: Kept, keyring: Keyring) -> None:
    jobs = kept.jobs.of(ANN)
    job = await jobs.start("stall", {"said": TEXT}, file=b"")
    other = await kept.jobs.of(BEN).start("stall", {}, file=b"")
    await keyring.destroy("a-ann")
    await kept.erasure.look()
    await jobs.wait(job.id, 60)
    assert await jobs.get(job.id, "stall") is None
    for begun in (jobs.start("note", {"said": TEXT}), jobs.again(job, {})):
        with pytest.raises(Problem, match="forgotten"):
            await begun
    assert not kept.holds(TEXT)
    assert [job.id for job in await kept.jobs.all()] == [other.id]


async def test_a_job_that_is_stored_while_its_person_is_forgotten_does_not_begin(
    kept: Kept, keyring: Keyring
) -> None:
    jobs = kept.jobs.of(ANN)
    starting = asyncio.create_task(jobs.start("note", {"said": TEXT}))
    await asyncio.sleep(0)  # sleep: one turn of the loop, after which the job is being stored
    await keyring.destroy("a-ann")
    await kept.erasure.look()
    job = await starting
    await jobs.wait(job.id, 60)
    assert await jobs.get(job.id, "note") is None


async def test_what_a_backup_brings_back_is_deleted_before_jobs_go_on(
    tmp_path: Path, keyring: Keyring, clock: FixedClock
) -> None:
    async with site(tmp_path, keyring, clock) as kept:
        await kept.jobs.of(ANN).start("stall", {"said": TEXT}, file=TEXT.encode())
        cover = await kept.put_cover(ANN.owner)
    await keyring.destroy("a-ann")
    assert kept.holds(TEXT)
    async with site(tmp_path, keyring, clock) as kept:
        assert await kept.jobs.all() == []
        assert not await kept.has_cover(cover)
        assert not kept.holds(TEXT)


@asynccontextmanager
async def keyring_of(data: Path, clock: FixedClock) -> AsyncIterator[Keyring]:
    """Open the keyring of a data folder."""
    table = await SqliteKeyTable.open(data / KEYRING_FILE)
    yield Keyring(table, b"secret", clock.now)
    await table.close()


async def test_a_restored_backup_brings_no_key_job_or_cover_of_a_forgotten_person_back(
    tmp_path: Path, clock: FixedClock
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    await (await SqliteLog.open(data / "log.sqlite", 1)).close()
    async with keyring_of(data, clock) as keyring:
        for person in (ANN, BEN):
            await keyring.make(str(person.account))
        async with site(data, keyring, clock) as kept:
            for person in (ANN, BEN):
                await run_job(kept, person, str(person.account))
            covers = [await kept.put_cover(person.owner) for person in (ANN, BEN)]
            shown = f"files/{blake2b(b'a picture of the shop', digest_size=32).hexdigest()}"
            await kept.ports.blobs.put(shown, BytesBody(b"a picture of the shop").stream())
        backup, _ = write_backup(data, tmp_path / "backups", clock.now())
        await keyring.destroy("a-ann")
        async with site(data, keyring, clock) as kept:
            assert [job.name for job in await kept.jobs.all()] == ["a-ben.csv"]
    restore_backup(backup, data, clock.now(), replace=True)
    async with keyring_of(data, clock) as keyring:
        assert await keyring.destroyed() == {"a-ann"}
        assert await keyring.find("a-ben")
        assert (data / "blobs" / covers[0].partition("/")[0]).exists()
        async with site(data, keyring, clock) as kept:
            assert [job.name for job in await kept.jobs.all()] == ["a-ben.csv"]
            assert [await kept.has_cover(name) for name in covers] == [False, True]
            assert await kept.ports.blobs.stat(shown) is not None


async def test_what_a_late_request_leaves_is_deleted_at_a_later_look(
    kept: Kept, keyring: Keyring, clock: FixedClock
) -> None:
    await keyring.destroy("a-ann")
    await kept.erasure.look()
    clock.move(AGAIN - timedelta(minutes=1))
    cover = await kept.put_cover(ANN.owner)
    await kept.erasure.look()
    assert not await kept.has_cover(cover)


async def test_an_erasure_that_fails_is_done_at_the_next_look(
    tmp_path: Path, keyring: Keyring, clock: FixedClock
) -> None:
    fails = [OSError("the disk is away")]
    erased = []

    async def erase(accounts: Any) -> None:  # noqa: ANN401 (ids)
        if fails:
            raise fails.pop()
        erased.append(set(accounts))

    ports = Ports(ScriptedApi(), clock, str(tmp_path), LocalReader())
    ports.keys = keyring
    await keyring.destroy("a-ann")
    erasure = Erasure(ports, [erase])
    assert [await erasure.look(), await erasure.look()] == [True, True]
    assert erased == [{"a-ann"}]


async def test_without_a_keyring_nothing_is_looked_for(tmp_path: Path, clock: FixedClock) -> None:
    async with site(tmp_path, None, clock) as kept:
        await run_job(kept, LOCAL, TEXT)
        assert not await kept.erasure.look()
        await kept.erasure.watch()
        assert kept.holds(TEXT)

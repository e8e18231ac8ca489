"""Runs the jobs of a page service: in the background, with progress, and again after a restart.

A job is begun anew after a restart, so each of its steps compares with the API first.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TypeVar

import structlog
from msgspec.structs import replace

from bookshelf.cqrs.api_client import ApiAnswer, ApiClient
from bookshelf.cqrs.handler import Caller, HandlerPorts
from bookshelf.cqrs.phrases import Phrase
from bookshelf.http.client import NoResponse, Unreachable
from bookshelf.http.message import BrokenBody, Handler, TooLarge, read_response, request
from bookshelf.http.problem import Problem
from bookshelf.site.api_adapters import answer_of, encode_body
from bookshelf.site.job_store import Job, JobStore

#: Jobs that run at the same time; others wait.
_AT_ONCE = 4
#: Seconds between two notes of a job's progress, and between two tries of a request.
_PROGRESS_S = 0.4
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.05, 2.0
_AGAIN = frozenset({429, 502, 503, 504})
_ANSWER_S = 60.0
_MOST = 256 << 20
_logger = structlog.get_logger(__name__)
T = TypeVar("T")


#: Sends the name of a job that has changed to the open pages of an owner.
Publish = Callable[[str | None, str], None]


class JobFault(Exception):
    """A job cannot be done; the reason is a sentence for the reader."""

    def __init__(self, reason: Phrase | str) -> None:
        super().__init__(reason)
        self.reason = reason


class JobRun:
    """What the function of a kind of job gets: the job, its file, the API, and where its results go."""

    def __init__(self, job: Job, path: Path, api: ApiClient, jobs: "Jobs") -> None:
        self.job = job
        self.path = path
        self.api = api
        self._jobs = jobs

    @property
    def ports(self) -> HandlerPorts:
        """The ports of the service, for its blobs and pictures."""
        return self._jobs.ports

    def progress(self, done: int, total: int) -> None:
        """Note how far the job is."""
        self._jobs.note(self.job.id, done, total)

    def show(self, report: dict[str, Any]) -> None:
        """Show a report as far as it is known while the job runs; it is kept only in memory."""
        self._jobs.show(self.job.id, report)

    async def add_lines(self, name: str, lines: Iterable[tuple[int, Any]]) -> None:
        """Keep lines of one list of the report."""
        await self._jobs.put_lines(self.job.id, name, lines)


#: Does a job; returns its report. Raises `JobFault`.
JobKind = Callable[[JobRun], Awaitable[dict[str, Any]]]


class JobApi:
    """The API client of jobs: repeats requests while the API is busy or away; commands have keys."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def get(self, target: str, headers: Mapping[str, str] | None = None) -> ApiAnswer:
        """Return the answer to a query."""
        return await self._patiently("GET", target, b"", headers or {})

    async def send(self, method: str, target: str, body: object, headers: Mapping[str, str]) -> ApiAnswer:
        """Return the answer to a command."""
        content, typed = encode_body(body)
        return await self._patiently(method, target, content, {**typed, **headers})

    async def _patiently(
        self, method: str, target: str, content: bytes, headers: Mapping[str, str]
    ) -> ApiAnswer:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                async with asyncio.timeout(_ANSWER_S):
                    response = await self._handler.handle(request(method, target, content, **headers))
                    body = await read_response(response, _MOST)
                if response.status not in _AGAIN:
                    return answer_of(response, body)
            except (Unreachable, NoResponse, BrokenBody, TooLarge, TimeoutError):
                pass  # it is asked again
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LAST_PAUSE_S)


class Jobs:
    """The jobs of one instance of a page service, of all people: `of` returns those of one."""

    def __init__(self, kinds: Mapping[str, JobKind], ports: HandlerPorts, publish: Publish) -> None:
        self._kinds = kinds
        self.ports = ports
        self._publish = publish
        #: The least seconds that `wait` waits for a job: more than 0 where no person waits.
        self.waits_least_s = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jobs")
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._progress: dict[str, tuple[int, int]] = {}
        self._shown: dict[str, dict[str, Any]] = {}
        #: Accounts that were forgotten: they get no new jobs.
        self._forgotten: frozenset[str] = frozenset()
        self._store: JobStore | None = None

    @asynccontextmanager
    async def open(self, first: Callable[[], Awaitable[Any]]) -> AsyncIterator[None]:
        """Continue all jobs that have not ended; at the end stop them, to be continued at the next start.

        `first` is awaited before: it erases those of forgotten accounts.
        """
        folder = Path(self.ports.folder)
        try:
            self._store = await self._call(partial(JobStore, folder, self.ports.now()))
            try:
                await first()
                for job in await self._call(self._opened.all):
                    if job.is_running:
                        self._begin(job)
                yield
            finally:
                for task in self._tasks.values():
                    task.cancel()
                await asyncio.gather(*self._tasks.values(), return_exceptions=True)
                await self._call(self._opened.close)
        finally:
            self._thread.shutdown()

    @property
    def _opened(self) -> JobStore:
        assert self._store is not None  # noqa: S101 (set by `open`)
        return self._store

    async def _call(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    def of(self, caller: Caller) -> "CallerJobs":
        """Return the jobs of a person, for pages."""
        return CallerJobs(self, caller)

    async def start(self, job: Job, file: Path | bytes | None) -> None:
        """Begin a new job. Raises `Problem`: its id is taken, or the person was forgotten."""
        self._refuse_forgotten(job)
        await self._call(partial(self._add, job, file))
        self._begin(job)

    def _add(self, job: Job, file: Path | bytes | None) -> None:
        known = self._opened.get(job.id)
        if known is not None and known.caller.owner != job.caller.owner:
            raise Problem("conflict", "the name of this job is taken; send the form again")
        if not isinstance(file, bytes):
            self._opened.add(job, file)
            return
        with NamedTemporaryFile() as pasted:
            pasted.write(file)
            pasted.flush()
            self._opened.add(job, Path(pasted.name))

    async def again(self, job: Job, parameters: dict[str, Any], *, draft: bool = False) -> None:
        """Begin a job anew, with other parameters and an empty report."""
        self._refuse_forgotten(job)
        await self._cancel(job.id)
        renewed = replace(
            job, parameters=parameters, draft=draft, state="running", done=0, report={}, fault="", starts=0
        )
        await self._call(partial(self._opened.put, renewed))
        self._begin(renewed)

    async def erase(self, accounts: Collection[str]) -> None:
        """Cancel and remove all jobs of forgotten accounts, and begin no more for them.

        Raises `sqlite3.Error`, `OSError`; it may be repeated.
        """
        self._forgotten |= frozenset(accounts)
        for job in await self._call(self._opened.all):
            if job.caller.account in accounts:
                await self._cancel(job.id)
        await self._call(partial(self._opened.erase, accounts))

    async def _cancel(self, job_id: str) -> None:
        if (task := self._tasks.pop(job_id, None)) is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._progress.pop(job_id, None)
        self._shown.pop(job_id, None)

    def _refuse_forgotten(self, job: Job) -> None:
        if job.caller.account in self._forgotten:
            raise Problem("forbidden", "this account was forgotten")

    def _begin(self, job: Job) -> None:
        if job.caller.account in self._forgotten:
            return  # forgotten while the job was stored
        self._tasks[job.id] = asyncio.create_task(self._run(job))

    async def _run(self, job: Job) -> None:
        async with self._slots:
            job = replace(job, starts=job.starts + 1)
            await self._call(partial(self._opened.put, job))
            await self._call(partial(self._opened.clear, job.id))
            api = JobApi(self.ports.api(job.caller))
            run = JobRun(job, self._opened.path(job.id), api, self)
            ticking = asyncio.create_task(self._tick(job))
            try:
                report = await self._kinds[job.kind](run)
                ended = replace(job, state="done", report=report)
            except JobFault as fault:
                ended = replace(job, state="failed", fault=fault.reason)
            except Exception:
                _logger.exception("job-failed", job=job.id, kind=job.kind)
                ended = replace(job, state="failed", fault="")
            finally:
                ticking.cancel()
            done, total = self._progress.pop(job.id, (0, 0))
            self._shown.pop(job.id, None)
            await self._call(partial(self._opened.put, replace(ended, done=done, total=total)))
            del self._tasks[job.id]
            self._tell(job)

    def _tell(self, job: Job) -> None:
        self._publish(job.caller.owner, f"job:{job.id}")

    async def _tick(self, job: Job) -> None:
        """Send the job's name to the open pages as long as it gets on, until cancelled."""
        before = None
        while True:
            await asyncio.sleep(_PROGRESS_S)
            if (now := self._progress.get(job.id)) != before:
                before = now
                self._tell(job)

    def note(self, job_id: str, done: int, total: int) -> None:
        """Note how far a job is."""
        self._progress[job_id] = (done, total)

    def show(self, job_id: str, report: dict[str, Any]) -> None:
        """Show a report of a job as far as it is known while it runs."""
        self._shown[job_id] = report

    async def wait(self, job_id: str, seconds: float) -> None:
        """Wait until a job has ended, for a bounded time."""
        if (task := self._tasks.get(job_id)) is not None:
            await asyncio.wait((task,), timeout=max(seconds, self.waits_least_s))

    async def get(self, job_id: str) -> Job | None:
        """Return a job with its present progress and report; None if there is none."""
        job = await self._call(partial(self._opened.get, job_id))
        return None if job is None else self._present(job)

    async def all(self) -> list[Job]:
        """Return all jobs with their present progress and reports, the newest first."""
        return [self._present(job) for job in await self._call(self._opened.all)]

    def _present(self, job: Job) -> Job:
        done, total = self._progress.get(job.id, (job.done, job.total))
        return replace(job, done=done, total=total, report=self._shown.get(job.id, job.report))

    async def put_report(self, job: Job, report: dict[str, Any]) -> None:
        """Keep another report of a job that has ended."""
        await self._call(partial(self._opened.put, replace(job, report=report)))
        self._tell(job)

    async def put_lines(self, job_id: str, name: str, lines: Iterable[tuple[int, Any]]) -> None:
        """Keep lines of one list of a report, by their numbers."""
        await self._call(partial(self._opened.put_lines, job_id, name, lines))

    async def lines(self, job_id: str, name: str, after: int = -1, limit: int = 1) -> list[tuple[int, Any]]:
        """Return lines of one list of a report, from the one after `after` on."""
        return await self._call(partial(self._opened.lines, job_id, name, after, limit))

    def path(self, job_id: str) -> Path:
        """Return the path of a job's uploaded file."""
        return self._opened.path(job_id)


class CallerJobs:
    """The jobs of one person: to anyone else they are as if they were not there."""

    def __init__(self, jobs: Jobs, caller: Caller) -> None:
        self._jobs = jobs
        self._caller = caller
        self.again = jobs.again
        self.wait = jobs.wait
        self.put_report = jobs.put_report
        self.lines = jobs.lines
        self.put_lines = jobs.put_lines
        self.path = jobs.path

    @property
    def api(self) -> ApiClient:
        """The API, for a step of a job that a page carries out itself."""
        return JobApi(self._jobs.ports.api(self._caller))

    async def start(
        self,
        kind: str,
        parameters: dict[str, Any],
        *,
        job_id: str = "",
        file: Path | bytes | None = None,
        name: str = "",
        draft: bool = False,
    ) -> Job:
        """Begin a new job, with a given id or a new one. `file` is copied, or is the content itself."""
        job = Job(
            id=job_id or self._jobs.ports.new_id(),
            kind=kind,
            made=self._jobs.ports.now(),
            parameters=parameters,
            name=name,
            draft=draft,
            caller=self._caller,
        )
        await self._jobs.start(job, file)
        return job

    async def get(self, job_id: str, kind: str) -> Job | None:
        """Return a job of a kind with its present progress; None if there is none."""
        job = await self._jobs.get(job_id)
        return None if job is None or job.kind != kind or not self._is_own(job) else job

    async def all(self) -> list[Job]:
        """Return all jobs with their present progress, the newest first."""
        return [job for job in await self._jobs.all() if self._is_own(job)]

    def _is_own(self, job: Job) -> bool:
        return job.caller.owner == self._caller.owner

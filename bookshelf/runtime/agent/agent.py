"""The agent of a node: reads the records of its domain, carries out its steps, and sends its votes."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import structlog

from bookshelf.cqrs.errors import Malformed, Refused
from bookshelf.cqrs.item import Kind
from bookshelf.cqrs.message import Command
from bookshelf.log.port import Log, LogFault, OutOfRange, Record, partition_of
from bookshelf.runtime.agent.contact import LogContact
from bookshelf.runtime.agent.deployment import Deployment
from bookshelf.runtime.agent.gate import NotDrained
from bookshelf.runtime.agent.item import ItemKind, ItemRefused
from bookshelf.runtime.agent.machine import NodeMachine, PhaseOf
from bookshelf.runtime.agent.pause import Pause

#: Sends a command to the owner of the domain. Raises `Refused`, or another fault: then it is sent again.
Send = Callable[[str, Command], Awaitable[None]]
_MOST = 500
#: Seconds until a command is sent again: after a fault, and after an answer without a record.
_AGAIN_S, _RECORDED_S = 0.25, 1.0
#: Seconds until a revision that could not be loaded is loaded again.
_LOAD_AGAIN_S = 1.0
#: Seconds for one command.
_SEND_S = 2.0
#: Seconds after the last event for which other nodes may not have read it yet.
_BEHIND_S = 10.0
#: Why a node is not ready that is no member yet, or no more.
_JOINING = "it is joining its domain"
#: Steps of a phase that end when the phase does.
_INTERRUPTED = frozenset({"load", "drain"})
_logger = structlog.get_logger(__name__)


class NodeAgent:
    """Keeps one node at the revision of its domain.

    `contact_s`: see `lose_contact` in cluster/member.py. `silence_s`: seconds without news in an open rollout
    after which it looks whether it still reads the log.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what it stands on)
        self,
        domain: str,
        machine: NodeMachine,
        log: Log,
        kinds: Mapping[Kind, ItemKind],
        pause: Pause,
        send: Send,
        now: Callable[[], datetime],
        *,
        drain_s: float,
        contact_s: float,
        silence_s: float,
    ) -> None:
        self.machine = machine
        self.pause = pause
        self.deployment = Deployment(kinds)
        #: Why the node is not ready, None if it is.
        self.fault: str | None = _JOINING
        #: The name of its domain.
        self.domain = domain
        self._log = log
        self._send = send
        self._now = now
        self._drain_s = drain_s
        self._contact_s = contact_s
        self._silence_s = silence_s
        #: Whether the node reads the log, as far as that matters: in a rollout that it knows of.
        self.contact = LogContact(log, machine.topic)
        #: The records up to the end of the log are of the past: their steps are not carried out.
        self._replays = False
        self._steps: asyncio.Queue[tuple[str, PhaseOf]] = asyncio.Queue()
        self._news = asyncio.Event()
        #: When the node has read the last event, and when it had contact (monotonic seconds).
        self._read_at = self._looked_at = 0.0
        self._working: tuple[str, asyncio.Task[None]] | None = None
        self._phase_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._joined = asyncio.Event()

    async def start(self) -> None:
        """Read the log to its end, then join the domain in the background. Raises `LogFault`."""
        self.pause.refuse("")
        self.contact.partition = partition_of(self.domain, self._log.partitions(self.machine.topic))
        # what a process did in rollouts before it started is none of this one's steps
        self._replays = True
        await self._replay()
        tasks = (self._tail(), self._work(), self._vote(), self._watch())
        self._tasks = [asyncio.create_task(task) for task in tasks]

    @property
    def may_be_paused(self) -> bool:
        """True if a service of the domain may be paused: in a rollout, and until all have read its end."""
        return bool(self.machine.phase[0]) or time.monotonic() < self._read_at + _BEHIND_S

    async def joined(self) -> None:
        """Return once the node is a member, and admits requests."""
        await self._joined.wait()
        _logger.info("joined", domain=self.domain)

    async def stop(self) -> None:
        """Leave the domain, if its owner answers in time, and stop."""
        if (leaving := self.machine.leave(self._now())) is not None:
            try:
                async with asyncio.timeout(_SEND_S):
                    await self._send(*leaving)
            except Exception as fault:  # noqa: BLE001 (the node is evicted then)
                _logger.warning("domain-not-left", why=str(fault))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.deployment.close()

    # reading

    async def _tail(self) -> None:
        while True:
            try:
                if self._replays:
                    await self._replay()
                await self._read(None)
            except OutOfRange as fault:
                _logger.error("domain-read-anew", domain=self.domain, why=str(fault))  # noqa: TRY400 (no defect)
                self._forget()
            except LogFault as fault:
                _logger.warning("domain-not-read", why=str(fault))
                await asyncio.sleep(_AGAIN_S)

    def _forget(self) -> None:
        """Begin as a new process would, because the log was set back: it lacks what this one has read.

        What is in force here, a later revision maybe, is replaced by what the domain has by this log.
        """
        self.pause.refuse("")
        self.fault = _JOINING
        self.machine.begin_anew()
        self._interrupt()
        while not self._steps.empty():
            self._steps.get_nowait()
        self.contact.move(0, "")
        self._replays = True

    async def _replay(self) -> None:
        """Read the log to its end, then join the domain. Raises `LogFault`."""
        await self._read(await self._log.end(self.machine.topic, self.contact.partition))
        self._replays = False
        self._put(("join",))

    async def _read(self, end: int | None) -> None:
        """Read the records of the domain up to `end`, or without end. Raises `LogFault`."""
        contact = self.contact
        if end is not None and contact.position >= end:
            return
        tail = await contact.open_tail()
        try:
            while end is None or contact.position < end:
                for record in await tail.take(_MOST):
                    self._take(record)
                contact.move(tail.position, tail.mark)
        finally:
            await tail.close()

    def _take(self, record: Record) -> None:
        self.contact.position = record.offset + 1
        if record.key != self.domain:
            return
        try:
            _, event = self.machine.catalogue.read(record.value)
        except Malformed as fault:
            _logger.warning("domain-record-unreadable", offset=record.offset, why=str(fault))
            return
        if event is None:
            return
        before = self.machine.phase
        steps = self.machine.read(event)
        self._read_at = self._looked_at = time.monotonic()
        if self.machine.phase != before:
            self._phase_at = self._read_at
            self._interrupt()
        self._put(steps)

    def _interrupt(self) -> None:
        """End a step of a phase that is over."""
        if self._working is not None and self._working[0] in _INTERRUPTED:
            self._working[1].cancel()

    def _put(self, steps: tuple[str, ...]) -> None:
        for step in () if self._replays else steps:
            if step == "refuse":
                self._refuse()
            elif step != "vote":
                self._steps.put_nowait((step, self.machine.phase))
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _refuse(self) -> None:
        rollout = self.machine.phase[0]
        self.pause.refuse(rollout, self.deployment.concerns(self.machine.changes) if rollout else None)

    # steps, one after the other

    async def _work(self) -> None:
        while True:
            step, phase = await self._steps.get()
            if step in _INTERRUPTED and phase != self.machine.phase:
                continue
            task = asyncio.create_task(self._carry_out(step, phase))
            self._working = (step, task)
            try:
                await asyncio.wait({task})
            finally:
                if not task.done():
                    task.cancel()
                self._working = None
            if not task.cancelled() and (fault := task.exception()) is not None:
                _logger.error("step-failed", step=step, exc_info=fault)
                self.fault = f"the step {step} of a rollout has failed"

    async def _carry_out(self, step: str, phase: PhaseOf) -> None:
        steps: dict[str, Callable[[PhaseOf], Awaitable[None]]] = {
            "load": self._load,
            "drain": self._drain,
            "deploy": self._deploy,
            "restore": self._restore,
            "synchronise": self._synchronise,
            "join": self._join,
        }
        if step in steps:
            await steps[step](phase)
        elif step == "admit":
            self._admit()
        elif step == "settle":
            await self.deployment.settle()
        elif step == "discard":
            await self.deployment.undo()
        elif step == "unready":
            self.fault = "the log is away, and the decision of a rollout is not known"

    def _admit(self) -> None:
        if self.machine.is_member and not self.machine.is_waiting:
            self.pause.admit()
            self.fault = None
            self._joined.set()

    async def _load(self, phase: PhaseOf) -> None:
        try:
            digests = await self.deployment.load(self.machine.changes)
        except ItemRefused as refused:
            problems = "; ".join(str(problem) for problem in refused.problems)
            self._put(self.machine.end(phase, "", f"{refused}{problems and ': '}{problems}"))
            return
        self._put(self.machine.end(phase, self.machine.digest(digests), ""))

    async def _drain(self, phase: PhaseOf) -> None:
        reason = ""
        try:
            await self.pause.drain(self._drain_s)
        except NotDrained as fault:
            reason = str(fault)
        self._put(self.machine.end(phase, "", reason))

    async def _deploy(self, phase: PhaseOf) -> None:
        # all gates are drained; what comes now was admitted by a node that is no member any more
        self.pause.close()
        try:
            await self.pause.drain(self._drain_s)
            digests = await self.deployment.deploy(self.machine.changes)
        except (ItemRefused, NotDrained) as refused:
            self._put(self.machine.end(phase, "", str(refused)))
            return
        self._put(self.machine.end(phase, self.machine.digest(digests), ""))

    async def _restore(self, phase: PhaseOf) -> None:
        reason = ""
        self.pause.close()
        try:
            await self.deployment.undo()
        except Exception as fault:
            _logger.exception("revision-not-restored")
            reason = f"its revision could not be restored: {fault}"
        self._put(self.machine.end(phase, "", reason))

    async def _synchronise(self, _phase: PhaseOf) -> None:
        """Load the revision of the domain, again and again; until then the node admits nothing."""
        while not await self._has_loaded() and self.machine.is_member:
            await _wait(self._news, _LOAD_AGAIN_S)

    async def _has_loaded(self) -> bool:
        """Load the revision of the domain; return False after a fault, as while the repository is away."""
        try:
            await self.deployment.synchronise(self.machine.contents)
        except Exception as fault:  # noqa: BLE001 (whatever it is: the revision is loaded again)
            _logger.warning("revision-not-loaded", why=str(fault))
            self.fault = f"the revision of its domain cannot be loaded: {fault}"
            return False
        return True

    async def _join(self, _phase: PhaseOf) -> None:
        """Load the revision of the domain and join; again and again, until the node is a member."""
        while not self.machine.is_member:
            news = self._news
            if not await self._has_loaded():
                await _wait(news, _LOAD_AGAIN_S)
                continue
            self.fault = _JOINING
            joining = self.machine.join(self._now())
            if joining is not None:
                await self._attempt(*joining)
            if not self.machine.is_member:
                await _wait(news, _AGAIN_S)

    async def _attempt(self, command_id: str, command: Command) -> bool:
        """Send a command; return False after a fault, which is logged: it is sent again."""
        try:
            async with asyncio.timeout(_SEND_S):
                await self._send(command_id, command)
        except Refused as refused:
            _logger.info("domain-refuses", command=command.TYPE, why=refused.detail)
        except Exception as fault:  # noqa: BLE001 (whatever it is: the command is sent again)
            _logger.info("domain-does-not-answer", command=command.TYPE, why=repr(fault))
        else:
            return True
        return False

    # votes, and the loss of contact

    async def _vote(self) -> None:
        """Send each vote until it is recorded, or its phase is over."""
        sent, again_at = "", 0.0
        while True:
            news, now = self._news, time.monotonic()
            voting = self.machine.vote(round((now - self._phase_at) * 1000), self._now())
            if voting is None:
                await news.wait()
                continue
            if voting[0] != sent or now >= again_at:
                answered = await self._attempt(*voting)
                sent, again_at = voting[0], time.monotonic() + (_RECORDED_S if answered else _AGAIN_S)
            await _wait(news, again_at - time.monotonic())

    async def _watch(self) -> None:
        """In a rollout, look whether the node still reads the log, and act without it as far as is safe."""
        while True:
            news = self._news
            if not self.machine.phase[0]:
                self.contact.is_there = True  # it has read the end of the rollout, or of its membership
                await news.wait()
                continue
            if self.contact.is_there:
                await _wait(news, self._looked_at + self._silence_s - time.monotonic())
                if time.monotonic() < self._looked_at + self._silence_s:
                    continue  # another record, maybe the decision
            await self._look()

    async def _look(self) -> None:
        """Look for the log; without it resume, or be not ready, if the decision is waited for for long."""
        had, rollout = self.contact.is_there, self.machine.phase[0]
        self.contact.is_there = await self.contact.look()
        if had != self.contact.is_there:
            _logger.warning("log-is-back" if self.contact.is_there else "log-is-away", rollout=rollout)
        now = time.monotonic()
        if self.contact.is_there:
            self._looked_at = now
        else:
            await asyncio.sleep(_AGAIN_S)
        if not self.machine.is_waiting or now < self._read_at + self._contact_s:
            return
        self._read_at = now
        if not self.contact.is_there:
            _logger.warning("domain-out-of-contact", rollout=rollout)
            self._put(self.machine.lose_contact())


async def _wait(news: asyncio.Event, seconds: float) -> None:
    """Wait for news, at most so many seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0.0)):
            await news.wait()

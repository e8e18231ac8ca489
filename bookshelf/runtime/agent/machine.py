"""What an agent runs: the state machine of a node, which a context has and the command line passes on."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.item import ItemChange, Kind
from bookshelf.cqrs.message import Command, Event

#: A rollout, its phase, and the number of its changes.
PhaseOf = tuple[str, str, int]
#: A command with its id, which is the same whenever it is sent.
Sent = tuple[str, Command]


class NodeMachine(Protocol):
    """The state of a node in its domain; bookshelf/cluster/member.py describes the steps that it returns."""

    @property
    def topic(self) -> str:
        """The topic of the domain's records."""

    @property
    def catalogue(self) -> Catalogue:
        """The events of that topic."""

    @property
    def is_member(self) -> bool:
        """True if the domain has the node, in its present epoch."""

    @property
    def is_waiting(self) -> bool:
        """True if the node is paused until the decision of a rollout."""

    @property
    def has_ballot(self) -> bool:
        """True if a vote is to be sent."""

    @property
    def phase(self) -> PhaseOf:
        """The phase that the node has read last."""

    @property
    def changes(self) -> tuple[ItemChange, ...]:
        """All changes of the open rollout."""

    @property
    def contents(self) -> tuple[ItemChange, ...]:
        """The items of the domain's revision."""

    def read(self, event: Event) -> tuple[str, ...]:
        """Return the steps that follow from the next event."""

    def begin_anew(self) -> None:
        """Forget all that was read, and be a new process of the node."""

    def digest(self, digests: Mapping[tuple[Kind, str], str]) -> str:
        """Return the digest of all items, with those of the changed ones as they are here."""

    def end(self, phase: PhaseOf, digest: str, reason: str) -> tuple[str, ...]:
        """Return the steps that follow from the end of a step of a phase."""

    def lose_contact(self) -> tuple[str, ...]:
        """Return the steps that follow while the log is away."""

    def revision_of(self, service: str) -> int:
        """Return the last revision that changed an item which concerns a service."""

    def join(self, at: datetime) -> Sent | None:
        """Return the command to join; None while the node has to wait."""

    def leave(self, at: datetime) -> Sent | None:
        """Return the command to leave; None if the node is no member."""

    @property
    def processes(self) -> Mapping[tuple[str, int], tuple[str, str]]:
        """The address of each member, and its process, by its name and its epoch."""

    def evict(self, node: str, epoch: int, at: datetime) -> Sent:
        """Return the command that removes a node."""

    def vote(self, took_ms: int, at: datetime) -> Sent | None:
        """Return the vote that is not recorded yet."""

"""The records of the topic of a process's dead letters; in each, `position` names the record set aside."""

from typing import ClassVar

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.message import Event


class LetterAdded(Event, frozen=True):
    """A record became a dead letter of a process, or failed again. `behind`: an earlier one holds it back.

    If its aggregate refused a command without deciding it, `to` is the aggregate and `command` the text of
    the command message; `position` is then that of the refusal.
    """

    TYPE: ClassVar[str] = "bookshelf.dead-letter-added.v1"
    position: str
    reason: str
    behind: bool = False
    to: str = ""
    command: str = ""


class LetterRetried(Event, frozen=True):
    """A request to send the commands of a dead letter. This record is the origin that they have."""

    TYPE: ClassVar[str] = "bookshelf.dead-letter-retried.v1"
    position: str


class LetterDropped(Event, frozen=True):
    """A request of an operator to give up a dead letter."""

    TYPE: ClassVar[str] = "bookshelf.dead-letter-dropped.v1"
    position: str


class LetterSettled(Event, frozen=True):
    """A dead letter is one no more: its commands are sent, or it was given up."""

    TYPE: ClassVar[str] = "bookshelf.dead-letter-settled.v1"
    position: str


#: The events that a topic of dead letters can have.
DEAD_LETTERS = Catalogue(LetterAdded, LetterRetried, LetterDropped, LetterSettled)

"""The base classes of events, commands and states, which are immutable values."""

from typing import ClassVar

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact about an aggregate, named in the past tense. `TYPE` is its name in the log and never changes.

    A type is literal and versioned (`shelf.book-added.v1`), never a class path: code may move, and the log
    stays. Unknown fields are skipped when a record is read, so that older readers can read newer records.
    """

    TYPE: ClassVar[str]


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request to change one aggregate, named in the imperative. `TYPE` is its name in a command message."""

    TYPE: ClassVar[str]


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state that an aggregate decides with: a fold of its events, and of nothing else."""

"""Events, commands and states: immutable values that say what happened, what is asked, what is."""

from typing import ClassVar

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened, in the past tense. `TYPE` is its name on the wire, for ever.

    A type is literal and versioned (`shelf.book-added.v1`), never a class path: code may move,
    the log stays. Unknown fields are skipped on read, so a newer writer harms no older reader.
    """

    TYPE: ClassVar[str]


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something asked of one aggregate, in the imperative. `TYPE` is its name on the wire."""

    TYPE: ClassVar[str]


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an aggregate remembers to decide with: a fold of its events, and nothing else."""

"""What a log must have of clients that changed one book, and what each must have been answered."""

from collections.abc import Iterable
from typing import NamedTuple

from chaos.expected_state import ExpectedState
from support.load import Load, Sent

from bookshelf.shelf.events import TOPIC


class Findings(NamedTuple):
    """Counts of what is wrong; all are to be 0."""

    refused: int
    unanswered: int
    foreign: int
    lost: int
    doubled: int


def findings(expected: ExpectedState, load: Load) -> Findings:
    """Judge what was sent by the log of an embedded shelf."""
    sent = load.sent
    commands = {f"{TOPIC}/0@{line.offset}": line.envelope.commandid for line in expected.lines}

    def lost(one: Sent) -> bool:
        command = commands.get(one.position)
        return expected.marks[one.mark] == 0 or command is None or one.key not in {command, None}

    def doubled(one: Sent) -> bool:
        return expected.marks[one.mark] > 1 or expected.keys[one.key or "-"] > 1

    return Findings(
        refused=_count(one.refused for one in sent),
        unanswered=_count(one.key is not None and not one.acknowledged for one in sent),
        foreign=len(load.foreign),
        lost=_count(one.acknowledged and lost(one) for one in sent),
        doubled=_count(map(doubled, sent)),
    )


def _count(found: Iterable[bool]) -> int:
    return sum(found)

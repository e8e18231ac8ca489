"""Answers of queries, kept while the rows of their view stay the same."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

#: The most answers of one service; they are small.
_MOST = 4096


class KeptAnswers:
    """A least-recently-used cache of what queries have returned, by view and key."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, Hashable], tuple[Hashable, Any]] = OrderedDict()

    def get(self, view: str, key: Hashable, revision: Hashable) -> tuple[Any] | None:
        """Return the answer of this revision of the rows as a tuple of one value; None if there is none."""
        kept = self._answers.get((view, key))
        if kept is None or kept[0] != revision:
            return None
        self._answers.move_to_end((view, key))
        return (kept[1],)

    def keep(self, view: str, key: Hashable, revision: Hashable, answer: Any) -> None:  # noqa: ANN401 (any answer)
        """Keep an answer that was found once the rows had this revision."""
        self._answers[view, key] = revision, answer
        self._answers.move_to_end((view, key))
        if len(self._answers) > _MOST:
            self._answers.popitem(last=False)

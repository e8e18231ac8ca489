"""What takes a change back: its slots with their values, and the requests that restore the former ones."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

#: What a change changed: a path of names, like ("reading", 1, "stars"); () is the whole book or list.
Slot = tuple[str | int, ...]


class UndoRequest(msgspec.Struct, frozen=True):
    """One request to send, below /bookshelf. `if_match` is null for the requests after the first."""

    method: Annotated[Literal["POST", "PUT", "PATCH", "DELETE"], Meta(examples=["PATCH"])]
    path: Annotated[str, Meta(examples=["/books/0c9b6f0e-6a9b-5d0c-9f43-8f9a7a1f2b11"])]
    body: Annotated[dict[str, Any] | None, Meta(examples=[{"title": "Dune"}])] = None
    if_match: Annotated[str | None, Meta(description="for the header If-Match", examples=['"42"'])] = None


class Inverse:
    """Collects what a change changed and how that is taken back.

    `waits` are the slots whose later changes block that. `opened` is the reading that the change opened,
    `opens` the one that the undo opens, and `hindered_by` the open one that prevents it.
    """

    def __init__(self) -> None:
        self.values: dict[Slot, tuple[Any, Any]] = {}
        self.waits: set[Slot] = set()
        self.requests: list[UndoRequest] = []
        self.opened: int | None = None
        self.opens: int | None = None
        self.hindered_by: int | None = None

    def changed(self, slot: Slot, before: object, after: object, waits: Slot | None = None) -> None:
        """Note that a slot changed; `waits`: the undo waits for another slot than this one."""
        self.values[slot] = (before, after)
        self.waits.add(slot if waits is None else waits)

    def ask(self, method: Any, path: str, body: dict[str, Any] | None = None) -> None:  # noqa: ANN401 (a literal)
        """Add a request."""
        self.requests.append(UndoRequest(method, path, body))

    def is_undone_by(self, later: Sequence["Inverse"]) -> bool:
        """Return True if later changes restored every value that this one had changed, and nothing else."""
        restored: dict[Slot, tuple[Any, Any]] = {}
        for inverse in later:
            for slot, (before, after) in inverse.values.items():
                restored[slot] = (restored.get(slot, (before,))[0], after)
        return {slot: (after, before) for slot, (before, after) in self.values.items()} == restored

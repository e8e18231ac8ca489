"""The offsets of an aggregate's unreadable records: an immutable tree of which a change copies one path."""

from bisect import bisect_right
from operator import attrgetter

import msgspec

#: Offsets of a leaf, and parts of another node, at the most.
_WIDTH = 32
#: What a node and an offset take in memory, about.
_NODE_BYTES = 200
_OFFSET_BYTES = 40
_first = attrgetter("first")


class UnreadableOffsets(msgspec.Struct, frozen=True, array_like=True):
    """A node of the tree: either `offsets`, of a leaf, or `parts`, all of one depth; both are sorted.

    It is never empty. `first` is its lowest offset, and `memory` the bytes that it takes, about.
    """

    first: int
    memory: int
    offsets: tuple[int, ...] = ()
    parts: tuple["UnreadableOffsets", ...] = ()


def add_offset(node: UnreadableOffsets | None, offset: int) -> UnreadableOffsets:
    """Return the offsets with one more, which is higher than all of them."""
    if node is None:
        return _leaf((offset,))
    return _appended(node, offset) or _inner((node, _single(offset, node)))


def remove_offset(node: UnreadableOffsets | None, offset: int) -> UnreadableOffsets | None:
    """Return the offsets without this one: `node` itself if it has no such offset, None if none is left."""
    if node is None or offset < node.first:
        return node
    if not node.parts:
        if offset not in node.offsets:
            return node
        offsets = tuple(other for other in node.offsets if other != offset)
        return _leaf(offsets) if offsets else None
    index = bisect_right(node.parts, offset, key=_first) - 1
    part = remove_offset(node.parts[index], offset)
    if part is node.parts[index]:
        return node
    parts = (*node.parts[:index], *(() if part is None else (part,)), *node.parts[index + 1 :])
    return _inner(parts) if parts else None


def _appended(node: UnreadableOffsets, offset: int) -> UnreadableOffsets | None:
    """Return the node with a higher offset; None if it is full."""
    if not node.parts:
        return _leaf((*node.offsets, offset)) if len(node.offsets) < _WIDTH else None
    last = _appended(node.parts[-1], offset)
    if last is not None:
        return _inner((*node.parts[:-1], last))
    if len(node.parts) < _WIDTH:
        return _inner((*node.parts, _single(offset, node.parts[-1])))
    return None


def _single(offset: int, beside: UnreadableOffsets) -> UnreadableOffsets:
    """Return a node of one offset, as deep as the one beside it."""
    return _inner((_single(offset, beside.parts[0]),)) if beside.parts else _leaf((offset,))


def _leaf(offsets: tuple[int, ...]) -> UnreadableOffsets:
    return UnreadableOffsets(offsets[0], _NODE_BYTES + _OFFSET_BYTES * len(offsets), offsets)


def _inner(parts: tuple[UnreadableOffsets, ...]) -> UnreadableOffsets:
    memory = _NODE_BYTES + sum(part.memory for part in parts)
    return UnreadableOffsets(parts[0].first, memory, (), parts)

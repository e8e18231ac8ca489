"""Separates most keys that were never stored from those that may have been, by about ten bits for each key.

Source: B. H. Bloom, Space/Time Trade-offs in Hash Coding with Allowable Errors, CACM 13(7), 1970.
"""

from collections.abc import Iterable
from threading import Lock

#: Keys of the first part; each further part takes four times as many as the one before.
_FIRST, _GROWTH = 4096, 4
#: Bits for each key, and bits that are set for it: one of fifty new keys is taken for a stored one.
_BITS_EACH, _SET_EACH = 10, 4
#: Of one hash: the first bit's place, and the distance to the next.
_HALF = 32


class _Part:
    """The bits of up to `most` keys."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.left = most
        self._mask = (1 << (most * _BITS_EACH - 1).bit_length()) - 1
        self._bits = bytearray((self._mask + 1) // 8)

    def add(self, hashed: int) -> None:
        bits, mask, place, step = self._bits, self._mask, hashed, hashed >> _HALF | 1
        for _ in range(_SET_EACH):
            bits[(place & mask) >> 3] |= 1 << (place & 7)
            place += step
        self.left -= 1

    def has(self, hashed: int) -> bool:
        bits, mask, place, step = self._bits, self._mask, hashed, hashed >> _HALF | 1
        for _ in range(_SET_EACH):
            if not bits[(place & mask) >> 3] >> (place & 7) & 1:
                return False
            place += step
        return True


class KeyFilter:
    """Has every key that was added, and about one of fifty others. Any thread may add, and ask."""

    def __init__(self) -> None:
        self._adding = Lock()
        self._parts = [_Part(_FIRST)]

    def add(self, keys: Iterable[str]) -> None:
        """Add keys."""
        with self._adding:
            for key in keys:
                if key in self:
                    continue
                if not self._parts[-1].left:
                    self._parts.append(_Part(_GROWTH * self._parts[-1].most))
                self._parts[-1].add(hash(key))

    def __contains__(self, key: str) -> bool:
        """Return False for a key that was not added, and True for most others not."""
        hashed = hash(key)
        return any(part.has(hashed) for part in self._parts)

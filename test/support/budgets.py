"""What is left of the bounds in each situation of an exploration."""

from support.alike import Reductions
from support.situations import ANY, COST, Bounds


class Budgets:
    """Numbers for what is left, and for sets of it of which none has as much of everything as another.

    What can follow with less left can follow with more: faults are all that is counted, none is ever
    required, and no invariant depends on what is left. So of what is known of one situation the
    greatest are enough.
    """

    def __init__(self, bounds: Bounds, reductions: Reductions) -> None:
        self.reductions = reductions
        self._lefts: list[tuple[int, ...]] = []
        self._numbers: dict[tuple[int, ...], int] = {}
        self._sets: list[frozenset[int]] = [frozenset()]
        self._set_numbers: dict[frozenset[int], int] = {frozenset(): 0}
        self._paid: dict[tuple[int, int], int] = {}
        self._added: dict[tuple[int, int], int] = {}
        self._first = tuple(bounds[: COST.total + 1])
        self.start = self._number(tuple(int(each) for each in self._first))

    def _number(self, left: tuple[int, ...]) -> int:
        if left not in self._numbers:
            self._numbers[left] = len(self._lefts)
            self._lefts.append(left)
        return self._numbers[left]

    def spent(self, number: int) -> int:
        """Return how much was paid so far."""
        return sum(self._lefts[0]) - sum(self._lefts[number])

    def pay(self, number: int, cost: int) -> int:
        """Return what is left then; -1 if it is not enough. A fault is counted in the total too."""
        key = (number, cost)
        if key not in self._paid:
            left = list(self._lefts[number])
            for place in {cost} | ({COST.total} if cost >= COST.crash else set()):
                if left[place] != ANY:
                    left[place] -= 1
            self._paid[key] = -1 if min(left) < 0 else self._number(tuple(left))
        return self._paid[key]

    def add(self, known: int, left: int) -> int:
        """Return the set with one more; -1 if that adds nothing."""
        key = (known, left)
        if key not in self._added:
            self._added[key] = self._add(self._sets[known], left)
        return self._added[key]

    def _add(self, known: frozenset[int], left: int) -> int:
        if not self.reductions.budgets:
            return -1 if left in known else self._set_number(known | {left})
        if any(self._has_all(each, left) for each in known):
            return -1
        return self._set_number(frozenset(each for each in known if not self._has_all(left, each)) | {left})

    def _has_all(self, more: int, less: int) -> bool:
        return all(a >= b for a, b in zip(self._lefts[more], self._lefts[less], strict=True))

    def _set_number(self, known: frozenset[int]) -> int:
        if known not in self._set_numbers:
            self._set_numbers[known] = len(self._sets)
            self._sets.append(known)
        return self._set_numbers[known]

    def is_best(self, known: int, left: int) -> bool:
        """Return False if by now more is left in the same situation."""
        return left in self._sets[known]

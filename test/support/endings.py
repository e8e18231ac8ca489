"""Whether what can happen without faults and administrators comes to an end."""

from array import array


class Endings:
    """The steps of progress among situations, by the numbers of these."""

    def __init__(self) -> None:
        self._sources, self._targets = array("L"), array("L")
        self._noted = set[int]()

    def note(self, source: int, targets: list[int]) -> None:
        """Note all steps from a situation; once is enough."""
        if source not in self._noted:
            self._noted.add(source)
            self._sources.extend([source] * len(targets))
            self._targets.extend(targets)

    def endless(self, number: int) -> set[int]:
        """Return the situations, of `number`, from which steps can go on without end.

        A situation without a step is at rest. Whatever leads to nothing but what comes to rest does so too;
        the others are the endless ones.
        """
        open_steps = array("L", [0]) * number
        before: list[list[int] | None] = [None] * number
        for source, target in zip(self._sources, self._targets, strict=True):
            open_steps[source] += 1
            if (known := before[target]) is None:
                before[target] = [source]
            else:
                known.append(source)
        resting = [place for place in range(number) if not open_steps[place]]
        left = number
        while resting:
            left -= 1
            for source in before[resting.pop()] or ():
                open_steps[source] -= 1
                if not open_steps[source]:
                    resting.append(source)
        return {place for place in range(number) if open_steps[place]} if left else set()

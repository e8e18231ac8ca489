"""Counts the requests that wait in the gateway: while it is paused, and for a service that is away."""


class Waits:
    """What waits now, and what has waited since the beginning; `seconds` is the time of all together.

    `refused` are the requests that have waited too long, or in whose place too many others wait.
    """

    __slots__ = ("now", "refused", "requests", "seconds")

    def __init__(self) -> None:
        self.now = self.requests = self.refused = 0
        self.seconds = 0.0

"""Whether a client takes what it is sent, judged by what is left to be sent."""

from bookshelf.runtime.http.guard import Guard


class Unread:
    """The slow reader's clock. It begins anew whenever nothing is left, or enough has gone."""

    __slots__ = ("_guard", "_left", "_since")

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._since: float | None = None
        self._left = 0

    def flowed(self) -> None:
        """Note that much was taken just now."""
        self._since = None

    def too_long(self, left: int, now: float) -> bool:
        """Return whether so many bytes have been left for too long."""
        if not left:
            self._since = None
        elif self._since is None:
            self._since, self._left = now, left
        elif now - self._since > self._guard.unread_s:
            if self._left - left < self._guard.unread_rate * self._guard.unread_s:
                return True
            self._since, self._left = now, left
        return False

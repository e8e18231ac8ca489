"""The revisions of services that instances must have at least: no client gets an answer of an earlier one.

Each domain counts its own. They are known from answers, and those of the gateway's own domain from the log,
so that also a gateway which has just started, or which no client has asked yet, has no answer of an instance
that was left behind.
"""

from collections.abc import Callable, Iterable

from bookshelf.discovery.port import Instance
from bookshelf.runtime.election.candidate import DOMAIN, PACKAGE

#: Returns the revision of a service, of a group or of none, by the log of the gateway's domain.
ByLog = Callable[[str, str], int]
#: A domain, a service, and its group, or nothing.
_Key = tuple[str, str, str]
#: A longer number is no revision.
_DIGITS = 12


class ServiceRevision:
    """The revision of one service in one domain, as far as it is known; 0 without a domain."""

    __slots__ = ("_by_log", "_key", "_seen", "_text")

    def __init__(self, key: _Key, by_log: ByLog | None) -> None:
        self._key = key
        self._by_log = by_log
        self._seen = 0
        self._text = ""  # of the last answer: nearly all have the same

    @property
    def newest(self) -> int:
        """The newest revision that an answer had, or that the log has."""
        if self._by_log is None:
            return self._seen
        return max(self._seen, self._by_log(*self._key[1:]))

    def learn(self, text: str) -> None:
        """Note the revision that an answer had."""
        if text == self._text:
            return
        self._text = text
        if text.isascii() and text.isdigit() and len(text) < _DIGITS:
            self._seen = max(self._seen, int(text))


class Revisions:
    """The revisions of all services. What answers had is forgotten with the last instance of a service.

    Instances that come later may follow a log that was restored to an earlier revision.
    """

    def __init__(self) -> None:
        self._known: dict[_Key, ServiceRevision] = {}
        self._domain = ""
        self._by_log: ByLog | None = None

    def follow(self, domain: str, by_log: ByLog) -> None:
        """Heed the log of a domain from now on, for instances that are seen from now on."""
        self._domain, self._by_log = domain, by_log
        self._known.clear()

    def update(self, instances: Iterable[Instance]) -> None:
        """Keep only what is known of these instances."""
        self._known = {key: self._at(key) for key in map(_key_of, instances)}

    def of(self, instance: Instance) -> ServiceRevision:
        """Return the revision of an instance's service."""
        key = _key_of(instance)
        known = self._known[key] = self._at(key)
        return known

    def _at(self, key: _Key) -> ServiceRevision:
        is_ours = bool(self._domain) and key[0] == self._domain
        return self._known.get(key) or ServiceRevision(key, self._by_log if is_ours else None)


def _key_of(instance: Instance) -> _Key:
    domain = "" if instance.foreign else instance.meta.get(DOMAIN, "")
    return domain, instance.service, instance.meta.get(PACKAGE, "") if domain else ""

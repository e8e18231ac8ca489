"""The revisions of services for a gateway, from the log of its domain."""

from bookshelf.cluster.node import DomainNode
from bookshelf.runtime.agent.contact import LogContact


class KnownRevisions:
    """Answers from memory while the node has read nothing new: it is asked for every request."""

    def __init__(self, machine: DomainNode, contact: LogContact) -> None:
        self._machine = machine
        self._contact = contact
        self._of = (machine.domain, contact.is_there)
        self._known: dict[tuple[str, str], int] = {}

    def of(self, service: str, group: str) -> int:
        """Return the revision that an instance of a service, of a group or of none, must have at least."""
        domain, reads_log = self._machine.domain, self._contact.is_there
        if domain is not self._of[0] or reads_log != self._of[1]:
            self._of = (domain, reads_log)
            self._known.clear()
        known = self._known.get((service, group))
        if known is None:
            groups = (group,) if group else ()
            known = self._machine.revision_ahead(service, groups, reads_log=reads_log)
            self._known[service, group] = known
        return known

"""What services serve, as far as is known: their routes, and one document of all."""

from collections.abc import Set as AbstractSet

from bookshelf.runtime.http.router import Router
from gateway.routes.document import Document
from gateway.routes.merge import merged
from gateway.routes.routing import Route, routes
from gateway.upstream.pool import Pools

#: A service, and the version of some of its instances.
Edition = tuple[str, str]


class Known:
    """The documents of the editions that were met, and what follows from them.

    A service stays known when its instances go: what is only away is not said not to exist.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._documents: dict[Edition, Document] = {}
        self.pools = Pools()
        self.router: Router[Route] = Router()
        self.document = merged((), prefix)

    @property
    def editions(self) -> AbstractSet[Edition]:
        """The editions that are known."""
        return self._documents.keys()

    @property
    def services(self) -> set[str]:
        """The services of which at least one edition is known."""
        return {service for service, _ in self._documents}

    def learn(self, edition: Edition, document: Document) -> None:
        """Take in the document of an edition; it goes before those learned earlier."""
        self._documents[edition] = document
        self._rebuild()

    def forget_former(self, ready: AbstractSet[Edition]) -> None:
        """Forget the editions that no one runs any more, of services that have a newer one known."""
        renewed = {service for service, _ in ready & self.editions}
        former = {edition for edition in self.editions - ready if edition[0] in renewed}
        if former:
            self._documents = {key: one for key, one in self._documents.items() if key not in former}
            self._rebuild()

    def _rebuild(self) -> None:
        latest_first = reversed(self._documents.items())
        ordered = [document for _, document in sorted(latest_first, key=lambda item: item[0][0])]
        self.router = routes(ordered, self.pools, self._prefix)
        self.document = merged(ordered, self._prefix)

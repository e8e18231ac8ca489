"""Makes of a request and its route a call: what it may take, and what makes it safe to repeat."""

from collections.abc import Mapping

from multidict import CIMultiDictProxy

from bookshelf.http.message import BytesBody, Headers, Request
from bookshelf.runtime.api.header_fields import KEY, TRY
from bookshelf.runtime.clock import Ids
from gateway.upstream.call import READS, Call, Clock
from gateway.upstream.patience import Patience
from gateway.upstream.route import Route


class Calls:
    """Gives commands that have no Idempotency-Key one, where the service knows what that is."""

    def __init__(self, patience: Patience, ids: Ids, clock: Clock) -> None:
        self._patience = patience
        self._ids = ids
        self._clock = clock

    def make(self, request: Request, route: Route, path: Mapping[str, str]) -> Call:
        """Return the call. The request's headers are the gateway's own to change."""
        deadline_s = route.deadline_s or self._patience.answer_s
        repeatable = self._repeatable(request, route)
        return Call(
            request=request,
            pool=route.pool,
            end=self._clock() + deadline_s,
            again=repeatable or (KEY in request.headers and isinstance(request.body, BytesBody)),
            repeatable=repeatable,
            owner=route.owner(request, path),
        )

    def _repeatable(self, request: Request, route: Route) -> bool:
        """Whether it may be sent twice: nothing is done twice by it, and its body is still here."""
        if not isinstance(request.body, BytesBody):
            return False
        if request.method in READS:
            return True
        if route.keyed and KEY not in request.headers:
            self._name(request.headers)
        return route.keyed

    def _name(self, headers: Headers) -> None:
        assert not isinstance(headers, CIMultiDictProxy)  # noqa: S101 (the gateway has made them)
        headers[KEY] = self._ids.new_command()
        headers[TRY] = "1"

"""The endpoint of a command route whose requests may prefer to wait: they are answered with a query.

Source: RFC 7240 (Prefer: wait).
"""

import asyncio
from collections.abc import Mapping

from multidict import CIMultiDict

from bookshelf.http.message import BytesBody, Request, Response
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.commands import DEADLINE_S, CommandEndpoint
from bookshelf.runtime.api.endpoint import as_problem
from bookshelf.runtime.api.identity import Callers
from bookshelf.runtime.api.queries import QueryEndpoint

_OK, _NO_CONTENT, _DONE = 200, 204, range(200, 300)
#: What the answer of the query replaces in that of the command.
_OF_BODY = ("Content-Type", "ETag", "Cache-Control")


class WaitingEndpoint:
    """Answers a command with the query of what it has changed, once that is at rest or the time is over.

    `template` is the path of the query, with {id}.
    """

    def __init__(
        self, command: CommandEndpoint, query: QueryEndpoint, template: str, callers: Callers
    ) -> None:
        self._command = command
        self._query = query
        self._template = template
        self._callers = callers

    async def __call__(self, request: Request, path: Mapping[str, str]) -> Response:
        """Carry out the command, then wait. Raises what the command's endpoint raises."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        response = await self._command(request, path)
        wait_s = header_fields.wait_s(request.headers)
        # an instance that the command was forwarded to has waited already
        if wait_s is None or response.status not in _DONE or header_fields.APPLIED in response.headers:
            return response
        subject = path.get("id") or response.headers["Location"].rpartition("/")[2]
        left_s = header_fields.time_left(request.headers, DEADLINE_S) - (loop.time() - began)
        asked = self._query_request(request, response, subject, f"{max(0.0, left_s):.3f}")
        try:
            answer = await self._query(asked, {"id": subject})
        except Exception as fault:
            if as_problem(fault) is None:
                raise
            return response  # the command was carried out, whatever prevents the query
        headers = CIMultiDict(response.headers)
        headers.update((name, answer.headers[name]) for name in (*_OF_BODY, header_fields.APPLIED))
        return Response(_OK if response.status == _NO_CONTENT else response.status, headers, answer.body)

    def _query_request(self, request: Request, response: Response, subject: str, left_s: str) -> Request:
        headers = CIMultiDict(
            {
                header_fields.PREFER: ", ".join(request.headers.getall(header_fields.PREFER)),
                header_fields.TIME_LEFT: left_s,
                header_fields.AFTER: response.headers.get(header_fields.POSITION, ""),
            }
        )
        asked = Request("GET", self._template.format(id=subject), headers, BytesBody())
        self._callers.sign(self._callers.of(request), asked)
        return asked

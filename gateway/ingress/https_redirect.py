"""What the plain port answers when there is TLS: go there."""

import re

from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem, problem_response

_NAME = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(?::\d{1,5})?")
_TARGET = re.compile(r"/[\x21\x22\x24-\x7e]*")
_HTTPS = 443


class HttpsRedirect:
    """A handler that sends everyone to the same address over TLS, with the method kept."""

    def __init__(self, port: int) -> None:
        self._port = "" if port == _HTTPS else f":{port}"

    async def handle(self, request: Request) -> Response:
        """Send there."""
        host = _NAME.fullmatch(request.headers.get("Host", ""))
        if host is None or _TARGET.fullmatch(request.target) is None:
            return problem_response(Problem("malformed", "ask over https"))
        location = f"https://{host[1]}{self._port}{request.target}"
        return Response(308, {"Location": location, "Cache-Control": "no-store"})

"""Reads the bodies of requests and makes answers, for the handlers of the shop."""

from typing import Any

import msgspec

from bookshelf.http.message import Request, Response
from bookshelf.runtime.api.commands import check_media_type
from bookshelf.runtime.decoding import Decoder

_BODY_BYTES = 64 << 10
_encode = msgspec.json.Encoder().encode


async def read_json(request: Request, decoder: Decoder) -> Any:  # noqa: ANN401 (the decoder's type)
    """Return the decoded JSON of a request. Raises `Problem`."""
    content = await request.body.read(_BODY_BYTES)
    check_media_type(request, content)
    return decoder.body(content)


def json_answer(status: int, body: msgspec.Struct, **headers: str) -> Response:
    """Return an answer that is not cached, header names with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kept = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Response(status, {**kept, **named}, _encode(body))

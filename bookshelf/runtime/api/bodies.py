"""Reads the bodies of requests and makes answers, for handlers."""

from collections.abc import Mapping
from typing import Any

import msgspec

from bookshelf.http.message import Request, Response
from bookshelf.runtime.api.commands import check_media_type
from bookshelf.runtime.decoding import Decoder

_BODY_BYTES = 64 << 10
_encode = msgspec.json.Encoder().encode


async def read_body(request: Request, decoder: Decoder) -> Any:  # noqa: ANN401 (the decoder's type)
    """Return the decoded JSON of a request; no body is an object without fields. Raises `Problem`."""
    content = await request.body.read(_BODY_BYTES)
    check_media_type(request, content)
    return decoder.body(content or b"{}")


def json_answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer that no cache keeps."""
    named = {"Content-Type": "application/json", "Cache-Control": "no-store", **(headers or {})}
    return Response(status, named, _encode(body))


def no_content(status: int = 204, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer without a body."""
    return Response(status, {"Cache-Control": "no-store", **(headers or {})})

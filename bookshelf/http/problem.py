"""Error responses as problem details (RFC 9457). docs/problems.md describes every `type`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from bookshelf.http.message import Response

MEDIA_TYPE = "application/problem+json"

#: The kinds of problems, named by the last part of their `type`, and the HTTP status of each.
STATUS: Mapping[str, HTTPStatus] = {
    "malformed": HTTPStatus.BAD_REQUEST,
    "invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "unreadable": HTTPStatus.UNPROCESSABLE_ENTITY,
    "key-reused": HTTPStatus.UNPROCESSABLE_ENTITY,
    "refused": HTTPStatus.CONFLICT,
    "conflict": HTTPStatus.CONFLICT,
    "held-back": HTTPStatus.CONFLICT,
    "fenced": HTTPStatus.CONFLICT,
    "not-found": HTTPStatus.NOT_FOUND,
    "no-route": HTTPStatus.NOT_FOUND,
    "gone": HTTPStatus.GONE,
    "forbidden": HTTPStatus.FORBIDDEN,
    "not-yours": HTTPStatus.FORBIDDEN,
    "cross-origin": HTTPStatus.FORBIDDEN,
    "misdirected": HTTPStatus.MISDIRECTED_REQUEST,
    "method": HTTPStatus.METHOD_NOT_ALLOWED,
    "changed": HTTPStatus.PRECONDITION_FAILED,
    "timeout": HTTPStatus.REQUEST_TIMEOUT,
    "condition-needed": HTTPStatus.PRECONDITION_REQUIRED,
    "too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "head-too-large": HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "range": HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    "too-many": HTTPStatus.TOO_MANY_REQUESTS,
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "media-type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
    "bad-gateway": HTTPStatus.BAD_GATEWAY,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "reloading": HTTPStatus.SERVICE_UNAVAILABLE,
    "behind": HTTPStatus.SERVICE_UNAVAILABLE,
    "gateway-timeout": HTTPStatus.GATEWAY_TIMEOUT,
}

#: Seconds in the `Retry-After` header of a 503.
RETRY_AFTER_S = 1


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One wrong value of a request: what is wrong, and where (a JSON pointer, a parameter or a header)."""

    detail: str
    pointer: str = ""
    parameter: str = ""
    header: str = ""


class Problem(Exception):
    """An error that becomes a response: its kind (a key of STATUS), a detail and the wrong values.

    `members` are further members of the response's JSON object (RFC 9457, 3.2).
    """

    def __init__(self, kind: str, detail: str, *faults: Fault, **headers: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.faults = faults
        self.members: Mapping[str, str] = {}
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def problem_response(problem: Problem) -> Response:
    """Return the response that describes a problem."""
    status = STATUS[problem.kind]
    body: dict[str, Any] = {
        "type": f"urn:bookshelf:problem:{problem.kind}",
        "title": status.phrase,
        "status": status.value,
        "detail": problem.detail,
        **problem.members,
    }
    if problem.faults:
        body["errors"] = problem.faults
    headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", **problem.headers}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    return Response(status.value, headers, msgspec.json.encode(body))

"""Errors as problem details (RFC 9457). Every `type` has a line in docs/problems.md."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from bookshelf.http.message import Response

MEDIA_TYPE = "application/problem+json"

#: What can go wrong, by the last word of the problem's `type`, and the status that it is answered with.
STATUS: Mapping[str, HTTPStatus] = {
    "malformed": HTTPStatus.BAD_REQUEST,
    "invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "key-reused": HTTPStatus.UNPROCESSABLE_ENTITY,
    "refused": HTTPStatus.CONFLICT,
    "conflict": HTTPStatus.CONFLICT,
    "held-back": HTTPStatus.CONFLICT,
    "not-found": HTTPStatus.NOT_FOUND,
    "no-route": HTTPStatus.NOT_FOUND,
    "forbidden": HTTPStatus.FORBIDDEN,
    "cross-origin": HTTPStatus.FORBIDDEN,
    "misdirected": HTTPStatus.MISDIRECTED_REQUEST,
    "method": HTTPStatus.METHOD_NOT_ALLOWED,
    "changed": HTTPStatus.PRECONDITION_FAILED,
    "timeout": HTTPStatus.REQUEST_TIMEOUT,
    "too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "head-too-large": HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "too-many": HTTPStatus.TOO_MANY_REQUESTS,
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "media-type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
    "bad-gateway": HTTPStatus.BAD_GATEWAY,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "behind": HTTPStatus.SERVICE_UNAVAILABLE,
    "gateway-timeout": HTTPStatus.GATEWAY_TIMEOUT,
}

#: Seconds after which a 503 says to come again.
RETRY_AFTER_S = 1


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One value to mend: where it stands (a JSON pointer, or a parameter's name), and how."""

    detail: str
    pointer: str = ""
    parameter: str = ""
    header: str = ""


class Problem(Exception):
    """A fault that is answered: its kind (a key of STATUS), and what to mend.

    `members` are further members of the answer's JSON object (RFC 9457, 3.2).
    """

    def __init__(self, kind: str, detail: str, *faults: Fault, **headers: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.faults = faults
        self.members: Mapping[str, str] = {}
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def problem_response(problem: Problem) -> Response:
    """Write a problem down."""
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

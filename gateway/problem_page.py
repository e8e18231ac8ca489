"""Answers problems of the gateway itself: a page for a browser that asked for one, else problem details."""

from base64 import b64encode
from hashlib import sha256
from html import escape
from http import HTTPStatus

from bookshelf.http.message import Request, Response
from bookshelf.http.problem import STATUS, Problem, problem_response

#: What the paths of the API begin with.
PREFIX = "/bookshelf"
#: Seconds after which a page that is unavailable is asked for again.
_AGAIN_S = 5
_STYLE = (
    ":root{color-scheme:light dark}body{font:1.0625rem/1.6 system-ui,sans-serif;max-width:34rem;"
    "margin:18vh auto;padding:0 1.5rem}h1{font:600 1.75rem/1.2 Georgia,serif}small{opacity:.7}"
)
_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
}


def answer_problem(request: Request, problem: Problem) -> Response:
    """Return the response that describes a problem."""
    response = problem_response(problem)
    path = request.target.partition("?")[0]
    if f"{path}/".startswith(f"{PREFIX}/") or "text/html" not in request.headers.get("Accept", ""):
        return response
    page = _page(request, problem, STATUS[problem.kind])
    return Response(response.status, {**response.headers, **_HEADERS}, page)


def _page(request: Request, problem: Problem, status: HTTPStatus) -> bytes:
    again = ""
    if status is HTTPStatus.SERVICE_UNAVAILABLE and request.method == "GET":
        again = f'<meta http-equiv="refresh" content="{_AGAIN_S}">'
    number = f"<p><small>Request {escape(request.id)}</small></p>" if request.id else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{status.phrase}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{again}'
        f"<style>{_STYLE}</style></head><body><main><h1>{status.phrase}</h1>"
        f"<p>{escape(problem.detail)}</p>{number}</main></body></html>"
    ).encode()

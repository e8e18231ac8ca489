"""Answers the requests for the pages of one site: reads the request, calls the page function, renders."""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qsl

import msgspec
from multidict import CIMultiDict

from bookshelf.cqrs.errors import Refused
from bookshelf.cqrs.handler import GUEST, LOCAL, HandlerPorts, RequestContext
from bookshelf.http.message import BrokenBody, Request, Response, TooLarge
from bookshelf.http.problem import STATUS, Problem
from bookshelf.site.api_adapters import AFTER, CLIENT, ApiProblem, FieldFault, PageApi, form_key, target
from bookshelf.site.error_pages import refusal_text
from bookshelf.site.form_decoding import FormRefused, decode_form, group_pairs, read_form
from bookshelf.site.jobs import CallerJobs
from bookshelf.site.page import FORM_BYTES, SIGN_IN, Page, PageRoute, Redirect, Result, SiteParts
from bookshelf.site.page_request import PageRequest, Submission
from bookshelf.site.page_response import PageRenderer, Visit, download_response
from bookshelf.site.preferences import LANGUAGES, read_cookies

_SHOWN, _SEE_OTHER = 200, 303
_INVALID, _UNAUTHENTICATED = STATUS["invalid"].value, STATUS["unauthenticated"].value
_READS = frozenset({"GET", "HEAD"})
#: Kinds of problems whose page shows what was typed.
_TYPED_AGAIN = frozenset({"cross-origin", "unauthenticated", "forbidden"})
#: Statuses of the API after which the form is shown again with what was typed.
_FORM_AGAIN = frozenset({400, 403, 409, 412, 413, 422, 429, 502, 503, 504})


class PageEndpoint:
    """Answers the requests for the pages of one site."""

    def __init__(self, parts: SiteParts) -> None:
        self._parts = parts
        self.renderer = PageRenderer(parts)

    async def respond(
        self,
        route: PageRoute,
        request: Request,
        context: RequestContext,
        ports: HandlerPorts,
        jobs: CallerJobs | None = None,
    ) -> Response:
        """Return the response of a page; errors are pages too. `jobs` are those of the caller."""
        visit = self.renderer.visit(request, context.caller)
        headers = _client(request) if visit.has_accounts else {}
        api = PageApi(ports.api(context.caller), after=request.headers.get(AFTER, ""), headers=headers)
        asked = replace(self._page_request(visit, context, api, ports), running=jobs)
        if request.method != "POST":
            return await self._answer(route, asked, visit)
        async with read_form(request, route.most, route.files) as form:
            sent = Submission(values=form.fields, files=form.files)
            api.key = _key(request, sent, context.caller.owner, ports)
            return await self._answer(route, replace(asked, submission=sent), visit)

    async def _answer(self, route: PageRoute, asked: PageRequest, visit: Visit) -> Response:
        try:
            asked = replace(asked, query=_query(route, asked))
            if asked.submission is not None:
                return await self._submit(route, asked, visit)
            return self._result(route, await self._with_counts(await route.get(asked), asked), asked, visit)
        except (ApiProblem, Problem, Refused) as fault:
            if _status(fault) == _UNAUTHENTICATED and asked.method in _READS and visit.has_accounts:
                return sign_in_first(asked.address)
            detail = str(fault)
            foreign = isinstance(fault, ApiProblem) and visit.language != LANGUAGES[0]
            if foreign and asked.translate(detail) == detail:
                detail = ""  # the page of the error has a text of its own for each status
            return self.renderer.error(_status(fault), detail, visit, asked.submission, asked.api)

    def _page_request(
        self, visit: Visit, context: RequestContext, api: PageApi, ports: HandlerPorts
    ) -> PageRequest:
        templates = self.renderer.templates[visit.language]
        request = visit.request
        pairs = parse_qsl(request.target.partition("?")[2], keep_blank_values=True)
        return PageRequest(
            method=request.method,
            address=request.target,
            path=context.path,
            parameters=group_pairs(pairs),
            query=None,
            now=context.at.astimezone(visit.zone),
            language=visit.language,
            preferences=visit.preferences,
            api=api,
            translate=templates.translate,
            plural=templates.plural,
            ports=ports,
            caller=context.caller,
            cookies=read_cookies(request),
            program=request.headers.get("User-Agent", ""),
            secure=_is_secure(request),
            host=request.headers.get("X-Forwarded-Host") or request.headers.get("Host") or "localhost",
        )

    async def _submit(self, route: PageRoute, asked: PageRequest, visit: Visit) -> Response:
        """Return the response to a form: a redirect, or the page with what was typed and what is wrong.

        Raises `ApiProblem`, `Problem`, `Refused`.
        """
        assert route.post is not None  # noqa: S101 (the route has a POST)
        assert asked.submission is not None  # noqa: S101 (read before)
        kind, detail, status = "invalid", "", _INVALID
        faults: list[FieldFault] = []
        try:
            form = None
            if route.form is not None:
                sent = asked.submission
                form, faults = decode_form(route.form, sent.values, asked.translate, sent.files)
            if not faults:
                result = await self._with_counts(await route.post(asked, form), asked)
                return self._result(route, result, asked, visit)
        except FormRefused as refused:
            faults = list(refused.faults)
        except ApiProblem as problem:
            status = problem.answer.status
            if status not in _FORM_AGAIN:
                raise
            kind, faults = problem.kind or "unavailable", problem.faults
            detail = _explained(asked, kind, problem.answer.detail)
            faults = [fault._replace(detail=_explained(asked, kind, fault.detail)) for fault in faults]
        failed = replace(asked.submission, kind=kind, detail=detail, faults=tuple(faults))
        return await self._again(route, replace(asked, submission=failed), visit, status)

    async def _again(self, route: PageRoute, asked: PageRequest, visit: Visit, status: int) -> Response:
        """Return the page of a form that was not carried out, with everything that was typed."""
        page = await route.get(asked)
        if isinstance(page, Page):
            page = await self._with_counts(replace(page, status=status, sent=asked.submission), asked)
            return self._result(route, page, asked, visit)
        detail = asked.submission.detail if asked.submission is not None else ""
        return self.renderer.error(status, detail, visit, asked.submission, asked.api)

    async def _with_counts(self, result: Result, asked: PageRequest) -> Result:
        """Return a page with the numbers at the links of the bar; other results as they are."""
        if self._parts.counts is None or not isinstance(result, Page):
            return result
        return replace(result, counts=await self._parts.counts(asked))

    def _result(self, route: PageRoute, result: Result, asked: PageRequest, visit: Visit) -> Response:
        match result:
            case Page():
                titled = (
                    result
                    if result.title is not None
                    else replace(result, title=asked.translate(route.title))
                )
                return self.renderer.page(titled, visit, section=route.section, asked=asked)
            case Redirect():
                return self.renderer.redirect(result, asked.api)
        return download_response(result)

    async def problem_response(self, request: Request, problem: Problem) -> Response:
        """Return the page that a problem outside of page functions is answered with, with what was typed.

        From a page that needs an account a guest is sent to sign in, and comes back.
        """
        guest = problem.kind == "unauthenticated"
        if guest and request.method in _READS:
            return sign_in_first(request.target)
        visit = self.renderer.visit(request, GUEST if guest else LOCAL)
        typed = await _typed(request) if problem.kind in _TYPED_AGAIN else None
        status, kind = STATUS[problem.kind].value, problem.kind
        response = self.renderer.error(status, problem.detail, visit, typed, kind=kind)
        return Response(response.status, CIMultiDict({**response.headers, **problem.headers}), response.body)

    def example(self, request: Request, context: RequestContext) -> Response:
        """Return one state of one page, as /design lists them. Raises `Problem`."""
        for route in self._parts.pages:
            page = route.examples().get(context.path["state"])
            if page is not None and page.template == f"{context.path['page']}.html":
                visit = self.renderer.visit(request)
                title = page.title or self.renderer.templates[visit.language].translate(route.title)
                return self.renderer.page(
                    replace(page, title=title, status=_SHOWN), visit, section=route.section
                )
        raise Problem("no-route", "there is no such state of a page; /design lists them")


async def _typed(request: Request) -> Submission | None:
    """Return the texts of a form that was not carried out; None if there is none that can be read."""
    try:
        async with read_form(request, FORM_BYTES) as form:
            return Submission(values=form.fields)
    except (Problem, TooLarge, BrokenBody):
        return None


def _explained(asked: PageRequest, kind: str, detail: str) -> str:
    """Return the text of a refusal of the API in the language of the person."""
    return refusal_text(kind, detail, asked.translate, as_it_is=asked.language == LANGUAGES[0])


def _client(request: Request) -> Mapping[str, str]:
    """Return the header that names the client, whose failed sign-ins are counted."""
    headers = request.headers
    address = headers.get("X-Forwarded-For", request.peer)
    return {CLIENT: f"{address} {'https' if _is_secure(request) else 'http'}"}


def _is_secure(request: Request) -> bool:
    """Return True if the browser has sent the request over TLS."""
    return request.secure or request.headers.get("X-Forwarded-Proto") == "https"


def sign_in_first(address: str) -> Response:
    """Return the redirect to the page of signing in, which leads back to an address."""
    location = target(SIGN_IN, next=address)
    return Response(_SEE_OTHER, {"Location": location, "Cache-Control": "no-store"})


def _key(request: Request, sent: Submission, owner: str | None, ports: HandlerPorts) -> str:
    """Return the key of a form's commands: without a version or a key in the form, each sending is new."""
    seed = sent.text("_version") or sent.text("_key") or ports.new_id()
    seed = seed if owner is None else f"{owner}\n{seed}"
    digests = [(name, file.digest) for name, files in sent.files.items() for file in files]
    return form_key(request.target, seed, msgspec.json.encode((sent.values, digests)))


def _query(route: PageRoute, asked: PageRequest) -> object:
    """Return the parameters as the route declares them. Raises `Problem`."""
    if route.params is None:
        return None
    query, faults = decode_form(route.params, asked.parameters, asked.translate)
    if query is None:
        raise Problem("invalid", "; ".join(f"{fault.field}: {fault.detail}" for fault in faults))
    return query


def _status(fault: ApiProblem | Problem | Refused) -> int:
    match fault:
        case ApiProblem():
            return fault.answer.status
        case Problem():
            return STATUS[fault.kind].value
    return STATUS[fault.KIND].value

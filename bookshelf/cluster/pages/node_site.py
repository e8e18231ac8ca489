"""The pages of one node, at /console of its admin API: signing in, and what it runs."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from bookshelf.cluster.node_report import (
    NodeReport,
    OwnDifference,
    ReportedGroup,
    ReportedItem,
    ReportedMember,
    ReportedService,
    ReportedVote,
    own_differences,
)
from bookshelf.cluster.pages.example_cluster import example_differences
from bookshelf.cluster.pages.models import STAGE_NAMES
from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.site.api_adapters import ApiProblem, FieldFault
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.frame_pages import SAVED, preference_pages
from bookshelf.site.page import Form, Link, Model, Page, PageRoute, Redirect, SiteParts, _
from bookshelf.site.page_request import PageRequest
from bookshelf.site.preferences import read_cookies
from bookshelf.site.routes import Site

ROOT = "/console"
#: Signing in with an account, and with the token of the node.
SIGN_IN, TOKEN, SIGN_OUT = f"{ROOT}/sign-in", f"{ROOT}/token", f"{ROOT}/sign-out"
#: Returns the cookies of a request by name.
cookies_of = read_cookies
_UNAUTHENTICATED, _FORBIDDEN, _TOO_MANY, _UNAVAILABLE = 401, 403, 429, 503
#: Why a person is not signed in, by the status of the refusal.
_REFUSED: Mapping[int, str] = {
    _UNAUTHENTICATED: _("Login and password do not fit together, or sign-in is locked for a time."),
    _FORBIDDEN: _("This account may not see the cluster. Ask an administrator for the scope cluster:read."),
    _TOO_MANY: _("Too many sign-ins have failed from your network. Try again in 15 minutes."),
    _UNAVAILABLE: _("The accounts cannot be reached now. Sign in with the token of the node."),
}
_NAMES: Mapping[str, str] = {
    "gateway_compress": _("compression"),
    "gateway_access_log": _("access log"),
    "gateway_rate": _("rate limit"),
    "gateway_cors": _("allowed origins of other sites"),
    "gateway_total_s": _("time limit of a whole request"),
    "gateway_requests": _("limit of concurrent requests"),
}


def cookie_name(host: str) -> str:
    """Return the name of the cookie of a signed-in browser: another one for each port of a host."""
    port = host.rpartition(":")[2]
    return f"bookshelf-node-{port}" if port.isascii() and port.isdigit() else "bookshelf-node"


class TokenForm(Form):
    """The token of the node."""

    secret: Annotated[str, Meta(max_length=1000)]


class LoginForm(Form):
    """The login and the password of a person."""

    login: Annotated[str, Meta(max_length=1000)]
    password: Annotated[str, Meta(max_length=5000)]


class NodeEntryModel(Model):
    """The pages of signing in show nothing of the node. `other`: the address of the other way, or none."""

    other: str


class NodeAccountsAnswer(msgspec.Struct, frozen=True):
    """If people can sign in at this node by their accounts."""

    has_accounts: bool


class NodeSession(msgspec.Struct, frozen=True):
    """The value of a browser's cookie."""

    session: str


class ConsoleNodeModel(Model):
    """A node, and how it differs from its domain."""

    report: NodeReport
    differences: tuple[OwnDifference, ...]
    stage_names: Mapping[str, str]
    middleware: tuple[str, ...]
    sign_out: str


async def show_console_node(request: PageRequest) -> Page:
    """Show what the node runs, and what it differs in."""
    return _page((await request.api.get("/node", kind=NodeReport)).body)


def _page(report: NodeReport) -> Page:
    model = ConsoleNodeModel(
        report=report,
        differences=own_differences(report),
        stage_names=STAGE_NAMES,
        middleware=tuple(_NAMES.get(name, name) for name in report.middleware),
        sign_out=SIGN_OUT,
    )
    return Page("console_node.html", model, title=report.node)


async def _has_accounts(request: PageRequest) -> bool:
    found = await request.api.get("/node/accounts", kind=NodeAccountsAnswer)
    return bool(found.body.has_accounts)


async def show_token(request: PageRequest) -> Page:
    """Show the form that takes the token of the node."""
    other = SIGN_IN if await _has_accounts(request) else ""
    return Page("console_token.html", NodeEntryModel(other=other))


async def show_sign_in(request: PageRequest) -> Page | Redirect:
    """Show the form that takes login and password; without accounts, lead to that for the token."""
    if not await _has_accounts(request):
        return Redirect(TOKEN)
    return Page("console_sign_in.html", NodeEntryModel(other=TOKEN))


async def take_login(request: PageRequest, form: LoginForm) -> Redirect:
    """Sign a person in. Raises `FormRefused` with one text for every wrong login."""
    try:
        made = await request.api.post(
            "/node/people", {"login": form.login.strip(), "password": form.password}
        )
    except ApiProblem as problem:
        text = _REFUSED.get(problem.answer.status)
        if text is None:
            raise
        raise FormRefused(FieldFault("", request.translate(text))) from None
    return _signed_in(request, made)


def _signed_in(request: PageRequest, made: ApiAnswer) -> Redirect:
    session = msgspec.convert(made.body, NodeSession).session
    return Redirect(ROOT, cookies=(_cookie(session, request),))


async def take_token(request: PageRequest, form: TokenForm) -> Redirect:
    """Sign a browser in. Raises `FormRefused` for another token."""
    try:
        made = await request.api.post("/node/sessions", {"token": form.secret.strip()})
    except ApiProblem as problem:
        if problem.answer.status != _FORBIDDEN:
            raise
        raise FormRefused(FieldFault("secret", request.translate(_("This is not its token.")))) from None
    return _signed_in(request, made)


async def leave(request: PageRequest, _form: None) -> Redirect:
    """Sign a browser out."""
    await request.api.post(
        "/node/sessions/ended", {"session": request.cookies.get(cookie_name(request.host), "")}
    )
    return Redirect(ROOT, cookies=(f"{_cookie('', request)}; Max-Age=0",))


def _cookie(value: str, request: PageRequest) -> str:
    secure = "; Secure" if request.secure else ""
    return f"{cookie_name(request.host)}={value}; Path={ROOT}; HttpOnly; SameSite=Strict{secure}"


async def show_left(_request: PageRequest) -> Redirect:
    """Lead from the address of signing out, which has a form only, to the node."""
    return Redirect(ROOT)


def example_report(**fields: object) -> NodeReport:
    """Return a node with a group of two services."""
    counters = ReportedService(
        name="counters",
        group="counters",
        scope="application",
        exclude={"*": ("local_*",), "service": ("*_cache",)},
        policy="deadline_s = 2\n",
        revision=40,
        routes=("GET /counters/{id}", "POST /counters/{id}/more"),
    )
    report = NodeReport(
        node="node1",
        address="http://10.0.0.1:8140",
        version="0.1.0",
        domain="blue",
        epoch=17,
        revision=41,
        runs_groups=True,
        services=(counters, ReportedService(name="newbook", revision=41, routes=("POST /books",))),
        groups=(
            ReportedGroup(
                name="counters",
                version="1.0.0",
                digest="5f" * 32,
                pid=4211,
                memory=61 << 20,
            ),
        ),
        items=(
            ReportedItem(kind="package", name="counters", digest="5f" * 32, since=40),
            ReportedItem(
                kind="settings", name="", digest="6e" * 32, since=41, content='log_level = "debug"\n'
            ),
        ),
        votes=(_vote("load", ""), _vote("deploy", "")),
        members=tuple(ReportedMember(node=f"node{n}", version="0.1.0") for n in (1, 2, 3)),
        middleware=("gateway_compress", "gateway_access_log"),
    )
    return replace(report, **fields)


def _vote(phase: str, reason: str) -> ReportedVote:
    return ReportedVote(
        rollout="0190a5a4-3b00-7000-8000-000000000041",
        phase=phase,
        accepted=not reason,
        took_ms=12,
        reason=reason,
    )


def _examples() -> Mapping[str, Page]:
    usual = example_report()
    long = "Wolfeschlegelsteinhausenbergerdorff" * 3
    services = [replace(one, name=long, routes=[*one.routes] * 20) for one in usual.services]
    other = ReportedMember(node="node2", version="0.2.0")
    return {
        "usual": _page(usual),
        "paused": _page(example_report(rollout="0190a5a4", phase="deploy", fault="it joins the domain")),
        "different": _page(
            example_report(
                version="0.1.0",
                members=(other, other),
                groups=(),
                votes=(_vote("load", long),),
                differences=[replace(one, nodes=("node1",)) for one in example_differences()],
            )
        ),
        "other package": _page(
            example_report(
                items=usual.items[:1],
                groups=[
                    replace(usual.groups[0], digest="7a" * 32, memory=0),
                    replace(usual.groups[0], name="lists"),
                ],
            )
        ),
        "alone": _page(NodeReport(node="node1", address="http://127.0.0.1:8140", version="0.1.0")),
        "long": _page(example_report(node=long, services=services, address=f"http://{long}.example.org")),
    }


NODE_SITE = Site(
    SiteParts(
        name="Bookshelf",
        package="bookshelf.cluster.pages",
        pages=(
            PageRoute(
                ROOT,
                get=show_console_node,
                title=_("This node"),
                section=ROOT,
                examples=_examples,
                requires=None,
            ),
            PageRoute(
                SIGN_IN,
                get=show_sign_in,
                post=take_login,
                form=LoginForm,
                title=_("Sign in"),
                examples=lambda: {"usual": Page("console_sign_in.html", NodeEntryModel(other=TOKEN))},
                requires=None,
            ),
            PageRoute(
                TOKEN,
                get=show_token,
                post=take_token,
                form=TokenForm,
                title=_("Sign in"),
                examples=lambda: {
                    "usual": Page("console_token.html", NodeEntryModel(other=SIGN_IN)),
                    "alone": Page("console_token.html", NodeEntryModel(other="")),
                },
                requires=None,
            ),
            PageRoute(SIGN_OUT, get=show_left, post=leave, title=_("Sign out"), requires=None),
            *preference_pages(ROOT),
        ),
        root=ROOT,
        home=ROOT,
        links=(Link(ROOT, _("This node"), "layers", "g o"),),
        notices=SAVED,
        footer=(
            Link(f"{ROOT}/settings", _("Settings")),
            Link(f"{ROOT}/help/keys", _("Keys"), keys="?", dialog=True),
        ),
    )
)

"""The pages of one node, at /console of its admin API: signing in with its token, and what it runs."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

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
from bookshelf.cluster.pages.models import STAGE_NAMES
from bookshelf.site.api_adapters import ApiProblem, FieldFault
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.frame_pages import SAVED, preference_pages
from bookshelf.site.page import Form, Link, Model, Page, PageRoute, Redirect, SiteParts, _
from bookshelf.site.page_request import PageRequest
from bookshelf.site.preferences import read_cookies
from bookshelf.site.routes import Site

ROOT = "/console"
SIGN_IN, SIGN_OUT = f"{ROOT}/sign-in", f"{ROOT}/sign-out"
#: Returns the cookies of a request by name.
cookies_of = read_cookies
_FORBIDDEN = 403
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


class TokenModel(Model):
    """The page of signing in shows nothing of the node."""


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


async def show_token(_request: PageRequest) -> Page:
    """Show the form that takes the token of the node."""
    return Page("console_sign_in.html", TokenModel())


async def take_token(request: PageRequest, form: TokenForm) -> Redirect:
    """Sign a browser in. Raises `FormRefused` for another token."""
    try:
        made = await request.api.post("/node/sessions", {"token": form.secret.strip()})
    except ApiProblem as problem:
        if problem.answer.status != _FORBIDDEN:
            raise
        raise FormRefused(FieldFault("secret", request.translate(_("This is not its token.")))) from None
    session = msgspec.convert(made.body, NodeSession).session
    return Redirect(ROOT, cookies=(_cookie(session, request),))


async def leave(request: PageRequest, _form: None) -> Redirect:
    """Sign a browser out."""
    await request.api.post(
        "/node/sessions/ended", {"session": request.cookies.get(cookie_name(request.host), "")}
    )
    return Redirect(SIGN_IN, cookies=(f"{_cookie('', request)}; Max-Age=0",))


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
    return msgspec.structs.replace(report, **fields)


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
    services = [msgspec.structs.replace(one, name=long, routes=[*one.routes] * 20) for one in usual.services]
    other = ReportedMember(node="node2", version="0.2.0")
    return {
        "usual": _page(usual),
        "paused": _page(example_report(rollout="0190a5a4", phase="deploy", fault="it joins the domain")),
        "different": _page(
            example_report(version="0.1.0", members=(other, other), groups=(), votes=(_vote("load", long),))
        ),
        "other package": _page(
            example_report(
                items=usual.items[:1],
                groups=[
                    msgspec.structs.replace(usual.groups[0], digest="7a" * 32, memory=0),
                    msgspec.structs.replace(usual.groups[0], name="lists"),
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
                get=show_token,
                post=take_token,
                form=TokenForm,
                title=_("Sign in"),
                examples=lambda: {"usual": Page("console_sign_in.html", TokenModel())},
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

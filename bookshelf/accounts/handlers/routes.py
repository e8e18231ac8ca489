"""The routes of the service users."""

from typing import Any

from bookshelf.accounts.handlers import administration as admin
from bookshelf.accounts.handlers.gateway_calls import GatewayCalls, SessionExchange
from bookshelf.accounts.handlers.opened_account import OpenedAccount
from bookshelf.accounts.handlers.parts import ADMIN_ACCOUNTS, READ_ACCOUNTS, AccountParts
from bookshelf.accounts.handlers.profile import NewPassword, Password, Profile, ProfileChanges, ShownSession
from bookshelf.accounts.handlers.published_keys import KeyRotation, publish_keys, rotate_keys
from bookshelf.accounts.handlers.register import NewAccount, RegisterHandler, RequestedAccount
from bookshelf.accounts.handlers.sign_in import Login, Logout, Refresh, SignIn, TokensAnswer
from bookshelf.cqrs.handler import INTERNAL, Handle, HandlerRoute, Next, RequestContext
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem

#: For everyone; for every caller that has signed in.
_ANYONE: None = None
_SELF: tuple[str, ...] = ()


def _route(  # noqa: PLR0913 (the fields of a route)
    method: str,
    path: str,
    summary: str,
    handler: Handle,
    requires: tuple[str, ...] | None,
    *,
    body: Any = None,  # noqa: ANN401 (a type)
    returns: Any = None,  # noqa: ANN401 (a type)
    status: int = 200,
    also: tuple[tuple[int, Any], ...] = (),
) -> HandlerRoute:
    return HandlerRoute(
        method=method,
        path=path,
        summary=summary,
        handler=handler,
        requires=requires,
        body=body,
        returns=returns,
        status=status,
        also=also,
    )


def account_routes(parts: AccountParts) -> tuple[HandlerRoute, ...]:
    """Return the routes of accounts; all of one process share the parts."""
    sign_in = SignIn(parts)
    profile, gateway = Profile(sign_in), GatewayCalls(sign_in)
    return (
        *_sign_in_routes(parts, sign_in),
        *_own_routes(profile),
        _route("GET", "/accounts/.well-known/jwks.json", "The public keys", publish_keys, _ANYONE),
        _route(
            "POST",
            "/accounts/exchange",
            "A token for a session cookie",
            gateway.exchange,
            INTERNAL,
            body=SessionExchange,
        ),
        _route("GET", "/accounts/revocations", "What was revoked", gateway.revocations, INTERNAL),
        *_admin_routes(),
    )


def _sign_in_routes(parts: AccountParts, sign_in: SignIn) -> tuple[HandlerRoute, ...]:
    """Return the routes of registration, sign-in and sign-out."""
    return (
        _route(
            "POST",
            "/accounts",
            "Register",
            RegisterHandler(parts).register,
            _ANYONE,
            body=NewAccount,
            returns=OpenedAccount,
            status=201,
            also=((202, RequestedAccount),),
        ),
        _route(
            "POST",
            "/accounts/login",
            "Sign in; with `browser` the session is a cookie, and the answer has no body",
            sign_in.login,
            _ANYONE,
            body=Login,
            returns=TokensAnswer,
            also=((204, None),),
        ),
        _route(
            "POST",
            "/accounts/refresh",
            "Get new tokens",
            sign_in.refresh,
            _ANYONE,
            body=Refresh,
            returns=TokensAnswer,
        ),
        _route(
            "POST", "/accounts/logout", "Sign out, here or everywhere", sign_in.logout, _SELF, body=Logout
        ),
    )


def _own_routes(profile: Profile) -> tuple[HandlerRoute, ...]:
    """Return the routes on one's own account."""
    return (
        _route(
            "GET", "/accounts/sessions", "One's sessions", profile.sessions, _SELF, returns=list[ShownSession]
        ),
        _route("DELETE", "/accounts/sessions/{id}", "End a session", profile.end_session, _SELF),
        _route("GET", "/accounts/me", "One's account", profile.show, _SELF, returns=OpenedAccount),
        _route(
            "PATCH",
            "/accounts/me",
            "Change one's account",
            profile.change,
            _SELF,
            body=ProfileChanges,
            returns=OpenedAccount,
        ),
        _route("DELETE", "/accounts/me", "Be forgotten", profile.forget, _SELF, body=Password),
        _route(
            "PUT",
            "/accounts/me/password",
            "Set another password",
            profile.set_password,
            _SELF,
            body=NewPassword,
            returns=TokensAnswer,
            also=((204, None),),
        ),
    )


async def need_accounts(request: Request, context: RequestContext, onward: Next) -> Response:
    """Answer 404 while there are no accounts: then every request is the local reader's."""
    if context.caller.scopes is None:
        raise Problem("no-route", "there are no accounts here: the setting accounts is off")
    return await onward(request)


def _admin_routes() -> tuple[HandlerRoute, ...]:
    one = "/accounts/{id}"
    member = "/accounts/{id}/groups/{group}"
    return (
        _route(
            "GET",
            "/accounts",
            "Find accounts",
            admin.list_accounts,
            READ_ACCOUNTS,
            returns=list[OpenedAccount],
        ),
        _route("GET", one, "One account", admin.show_account, READ_ACCOUNTS, returns=OpenedAccount),
        _route("DELETE", one, "Forget a person", admin.forget_account, ADMIN_ACCOUNTS),
        _route("PUT", member, "Put an account into a group", admin.join_group, ADMIN_ACCOUNTS),
        _route("DELETE", member, "Take an account out of a group", admin.leave_group, ADMIN_ACCOUNTS),
        _route("PUT", f"{one}/suspended", "Suspend an account", admin.suspend, ADMIN_ACCOUNTS),
        _route("DELETE", f"{one}/suspended", "Resume an account", admin.resume, ADMIN_ACCOUNTS),
        _route(
            "DELETE", f"{one}/sessions", "End all sessions of an account", admin.end_sessions, ADMIN_ACCOUNTS
        ),
        _route(
            "POST", "/accounts/keys", "Make a new signing key", rotate_keys, ADMIN_ACCOUNTS, body=KeyRotation
        ),
        *_group_routes(),
    )


def _group_routes() -> tuple[HandlerRoute, ...]:
    group = "/accounts/groups/{group}"
    return (
        _route(
            "GET",
            "/accounts/groups",
            "The groups",
            admin.list_groups,
            ADMIN_ACCOUNTS,
            returns=list[admin.ShownGroup],
        ),
        _route(
            "PUT",
            group,
            "Define a group",
            admin.define_group,
            ADMIN_ACCOUNTS,
            body=admin.GroupFields,
            returns=admin.ShownGroup,
        ),
        _route("DELETE", group, "Remove a group", admin.remove_group, ADMIN_ACCOUNTS),
    )

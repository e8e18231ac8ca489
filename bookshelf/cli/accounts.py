"""`bookshelf accounts`: makes the first admin, and does what admins do with accounts, groups and keys.

The commands are requests to the HTTP API: of the operator of the data folder, or of an admin with a token.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import msgspec

from bookshelf.cli.admin import AdminClient, admin_client
from bookshelf.cli.client import address_of
from bookshelf.cli.command import first_line, guarded, run, stop
from bookshelf.cli.passwords import password_file_option, read_password
from bookshelf.config import Settings, read
from bookshelf.cqrs.service import Service
from bookshelf.http.client import NoResponse, RemoteHandler, Unreachable
from bookshelf.http.message import BrokenBody
from bookshelf.runtime.data_folder import running
from bookshelf.runtime.logs import configure
from bookshelf.services import SERVICES

#: What runs for a command if no process runs on the data folder.
_USERS: tuple[Service, ...] = tuple(service for service in SERVICES if service.name == "users")
_BASE = "/bookshelf/accounts"
Work = Callable[..., Awaitable[None]]


@asynccontextmanager
async def _client(settings: Settings, url: str | None, token: Path | None) -> AsyncIterator[AdminClient]:
    """Yield a client of the shelf at `url`, with an access token, else of that on the data folder."""
    if url is None:
        if (note := running(settings.folder)) is not None and note.services:  # open ports
            stop(f"the shelf that runs on {settings.folder} has no accounts; start it with accounts on")
        async with admin_client(settings, only=_USERS) as client:
            yield client
        return
    if token is None:
        stop("--url needs --token-file, a file with an access token of an admin")
    api = RemoteHandler(address_of(url))
    try:
        yield AdminClient(api, first_line(token))
    except (Unreachable, NoResponse, BrokenBody) as fault:
        stop(f"the shelf at {url} does not answer ({fault})")
    finally:
        await api.close()


def _command(work: Work) -> Callable[..., None]:
    """Return a command that chooses the shelf, and runs `work(client, ...)` on it."""

    @wraps(work)
    def chosen(data: str | None, url: str | None, token_file: Path | None, **given: Any) -> None:  # noqa: ANN401 (the other options)
        async def carry_out() -> None:
            async with _client(read(os.environ, data=data), url, token_file) as client:
                await work(client, **given)

        guarded(lambda: run(carry_out()))

    path = click.Path(path_type=Path, allow_dash=True)
    help_ = "With --url: a file with the access token of an admin; - is standard input."
    made = click.option("--token-file", type=path, metavar="FILE", help=help_)(chosen)
    made = click.option("--url", help="The address of a shelf, in place of a folder.")(made)
    return click.option("--data", metavar="DIR", help="The data folder of the shelf, running or not.")(made)


_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def _print_json(value: Any) -> None:  # noqa: ANN401 (JSON)
    click.echo(msgspec.json.encode(value))


async def _find(client: AdminClient, account: str) -> dict[str, Any]:
    """Return the account with an id, a handle or an e-mail address; end the command if there is none."""
    if account.startswith("a-"):
        found = await client.send("GET", f"{_BASE}?ids={quote(account, safe='')}")
    else:
        found = await client.send("GET", f"{_BASE}?q={quote(account, safe='')}")
    named: dict[str, Any] = found[0] if found else stop(f"there is no account {account}")
    return named


@click.group()
def accounts() -> None:
    """Look after accounts: the first admin, groups, sessions, keys, and people to be forgotten."""
    configure("critical", "auto")


@accounts.command("create-admin")
@click.argument("handle")
@click.option("--email", required=True, help="The e-mail address, which only admins and the person see.")
@click.option("--name", help="The person's name; the handle by default.")
@password_file_option
@_json
@_command
async def create_admin(
    client: AdminClient,
    handle: str,
    email: str,
    name: str | None,
    password_file: Path | None,
    *,
    as_json: bool,
) -> None:
    """Make an account for an admin.

    To the first one belongs what there was before accounts.
    """
    body = {
        "handle": handle,
        "name": name or handle,
        "email": email,
        "password": read_password(password_file, is_new=True),
    }
    made = await client.send("POST", _BASE, {**body, "groups": ["admin"]})
    if as_json:
        _print_json(made)
    elif "handle" not in made:
        click.echo(f"{handle} is asked for, with the id {made['id']}; sign in in a moment.")
    else:
        click.echo(f"{handle} is an admin, with the id {made['id']}.")


@accounts.command()
@click.argument("account", required=False)
@click.option("--join", multiple=True, metavar="GROUP", help="Put the account into GROUP; may be repeated.")
@click.option("--leave", multiple=True, metavar="GROUP", help="Take it out of GROUP; its sessions end.")
@_json
@_command
async def groups(
    client: AdminClient, account: str | None, join: tuple[str, ...], leave: tuple[str, ...], *, as_json: bool
) -> None:
    """List the groups, or those of ACCOUNT: an id, handle or e-mail address."""
    if account is None:
        if join or leave:
            stop("--join and --leave need an account")
        listed = await client.send("GET", f"{_BASE}/groups")
        lines = [f"{one['name']}: {' '.join(one['scopes'])}" for one in listed]
    else:
        found = await _find(client, account)
        for method, names in (("PUT", join), ("DELETE", leave)):
            for name in names:
                await client.send(method, f"{_BASE}/{found['id']}/groups/{quote(name, safe='')}")
        listed = (await client.send("GET", f"{_BASE}/{found['id']}"))["groups"]
        lines = [f"{found['handle']} ({found['id']}): {' '.join(listed) or 'no groups'}"]
    if as_json:
        _print_json(listed)
    else:
        click.echo("\n".join(lines))


@accounts.group()
def sessions() -> None:
    """Look after sessions."""


@sessions.command("end")
@click.argument("account")
@_command
async def end_sessions(client: AdminClient, account: str) -> None:
    """End all sessions of ACCOUNT: an id, handle or e-mail address."""
    found = await _find(client, account)
    await client.send("DELETE", f"{_BASE}/{found['id']}/sessions")
    click.echo(f"The sessions of {found['handle']} have ended.")


@accounts.group()
def keys() -> None:
    """Look after the keys that sign access tokens; they change monthly by themselves."""


@keys.command("rotate")
@click.option("--now", is_flag=True, help="Sign with the new key at once; all older tokens end.")
@_json
@_command
async def rotate_keys(client: AdminClient, *, now: bool, as_json: bool) -> None:
    """Make a new key, which signs after 11 minutes, when every gateway knows it."""
    made = await client.send("POST", f"{_BASE}/keys", {"now": now})
    if as_json:
        _print_json(made)
    else:
        click.echo(f"The key {made['kid']} {'signs' if now else 'will sign'}.")


@accounts.command()
@click.argument("account")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_command
async def forget(client: AdminClient, account: str, *, yes: bool) -> None:
    """Forget ACCOUNT (an id, handle or e-mail address): personal texts can never be read again."""
    found = await _find(client, account)
    if not yes:
        click.confirm(f"Forget {found['handle']} ({found['id']})?", abort=True)
    await client.send("DELETE", f"{_BASE}/{found['id']}")
    click.echo(f"{found['handle']} is forgotten.")

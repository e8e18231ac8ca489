"""`bookshelf admin`: changes what all nodes of a domain run, by the admin API of one node or by a gateway."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from bookshelf.cli.administration import (
    CORRECT,
    OPEN,
    Administration,
    Target,
    administration,
    check_node,
    ended,
    expect,
)
from bookshelf.cli.command import guarded, run, stop
from bookshelf.cli.passwords import password_file_option, read_password
from bookshelf.cli.signing_in import Credentials
from bookshelf.cluster.items import GATEWAY_FILE, SETTINGS_FILE
from bookshelf.cluster.node_differences import NodeDifference, difference_text
from bookshelf.cluster.repository_index import INDEX, INDEX_BYTES, BadIndex, parse_index
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.config import load as load_settings
from bookshelf.cqrs.item import CONTENT_BYTES
from bookshelf.runtime.agent.repository import NotInRepository, RepositoryFault, open_repository
from bookshelf.runtime.logs import configure

_ROLLOUTS = "/bookshelf/cluster/rollouts"
#: Seconds that a command waits for the nodes: as long as a request may, since groups start slowly.
_WAIT_S = 60.0


@click.group()
@click.option("--node", default="", metavar="URL", help="A gateway, or the admin API of a node.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Send the token in this file: that in running.json of the node, or one of an issuer.",
)
@click.option("--user", metavar="NAME", help="Sign in by handle or e-mail address, with a password.")
@password_file_option
@click.option("--ca", type=click.Path(path_type=Path, exists=True), help="The certificate of the authority.")
@click.option("--data", metavar="DIR", help="Without --node: the data folder of a process of this machine.")
@click.option("--domain", default="", help="The domain that is meant; it must be that of the node.")
@click.option("--json", "as_json", is_flag=True, help="Print answers as JSON.")
@click.pass_context
def admin(  # noqa: PLR0913 (the options)
    context: click.Context,
    *,
    node: str,
    token_file: Path | None,
    user: str | None,
    password_file: Path | None,
    ca: Path | None,
    data: str | None,
    domain: str,
    as_json: bool,
) -> None:
    """Change what all nodes of a domain run: all of them, or none.

    Exit codes: 0 done; 2 correct the command; 3 aborted or rolled back; 4 the result is not known yet.
    """
    configure("critical", "auto")
    token = "" if token_file is None else token_file.read_text(encoding="utf-8").strip()
    if user is None and password_file is not None:
        stop("--password-file needs --user with a handle or e-mail address")
    if user is not None and (token or not node):
        stop("--user needs --node with the address of a gateway, and no --token-file")
    check_node(node, ca, has_secret=bool(token or user))
    login = None if user is None else Credentials(user, read_password(password_file))
    context.obj = Target(node, token, login, ca, data, domain, as_json)


def _carry_out(target: Target, work: Callable[[Administration], Coroutine[Any, Any, None]]) -> None:
    async def go() -> None:
        async with administration(target) as client:
            await work(client)

    guarded(lambda: run(go()))


def _changing(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of commands that change something."""
    barrier = click.option(
        "--barrier",
        type=click.Choice(["commit", "prepare"]),
        default="commit",
        show_default=True,
        help="When services stop to admit requests: after the commit, or as soon as all nodes are ready.",
    )
    commit = click.option("--commit", "commits", is_flag=True, help="Commit once all nodes are ready.")
    rollout = click.option("--rollout", metavar="ID", help="Extend this open rollout of someone else.")
    return barrier(commit(rollout(click.pass_obj(command))))


def _propose(
    target: Target,
    make: Callable[[], Coroutine[Any, Any, list[dict[str, str]]]],
    options: Mapping[str, object],
) -> None:
    async def work(client: Administration) -> None:
        changes = await make()
        body = {
            "changes": changes,
            "barrier": options["barrier"],
            "commit": options["commits"],
            "rollout": options["rollout"],
            "wait": _WAIT_S,
        }
        _print(target, expect(*await client.send("POST", _ROLLOUTS, body)))

    _carry_out(target, work)


def _print(target: Target, state: Mapping[str, Any]) -> None:
    """Print where a rollout is, and end the command: with 4 if it is under way."""
    if target.as_json:
        click.echo(msgspec.json.encode(state))
    elif state["state"] == "unchanged":
        click.echo(f"Nothing changes; the domain is at revision {state['revision']}.")
    elif state["state"] == "prepared":
        number, nodes = state.get("changes", 0), len(state.get("nodes", ()))
        changes = "one change is" if number == 1 else f"{number} changes are"
        where = "one node" if nodes == 1 else f"{nodes} nodes"
        click.echo(
            f"Rollout {state['rollout']}: {changes} ready on {where}; commit with `bookshelf admin commit`."
        )
    else:
        click.echo(f"Rollout {state['rollout']}: {state['state']}; revision {state['revision']}.")
    if state["state"] not in {"unchanged", "prepared", "committed", "aborted", "rolled-back"}:
        sys.exit(OPEN)


@admin.command("reload-config")
@_changing
def reload_config(target: Target, **options: object) -> None:
    """Propose the settings and the gateway's rules of the repository, where they differ."""

    async def make() -> list[dict[str, str]]:
        return [
            await _repository_item("settings", SETTINGS_FILE),
            await _repository_item("gateway", GATEWAY_FILE),
        ]

    _propose(target, make, options)


async def _repository_item(kind: str, file: str) -> dict[str, str]:
    try:
        content = await _from_repository(file, CONTENT_BYTES)
    except NotInRepository:
        return {"kind": kind, "action": "remove"}
    return {"kind": kind, "content": content.decode(errors="replace")}


async def _from_repository(path: str, most: int) -> bytes:
    location = load_settings(ClusterSettings, os.environ).cluster_repository
    try:
        repository = open_repository(location)
        try:
            return await repository.read(path, most)
        finally:
            await repository.close()
    except NotInRepository:
        raise
    except RepositoryFault as fault:
        raise ended(CORRECT, f"cluster_repository: {fault}") from None


@admin.command()
@click.argument("groups")
@_changing
def load(target: Target, groups: str, **options: object) -> None:
    """Load service groups, like A,B: the newest package of each in the repository."""

    async def make() -> list[dict[str, str]]:
        try:
            index = parse_index((await _from_repository(INDEX, INDEX_BYTES)).decode())
            return [
                {"kind": "package", "name": group, "digest": index.newest(group).digest}
                for group in groups.split(",")
            ]
        except (BadIndex, NotInRepository, UnicodeDecodeError) as fault:
            stop(str(fault))

    _propose(target, make, options)


@admin.command()
@click.argument("groups")
@_changing
def unload(target: Target, groups: str, **options: object) -> None:
    """Unload service groups, like A,B."""

    async def make() -> list[dict[str, str]]:
        return [{"kind": "package", "name": group, "action": "remove"} for group in groups.split(",")]

    _propose(target, make, options)


@admin.command("apply-policy")
@click.argument("service")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_changing
def apply_policy(target: Target, service: str, file: Path, **options: object) -> None:
    """Apply the policy in FILE to SERVICE."""

    async def make() -> list[dict[str, str]]:
        content = await asyncio.to_thread(file.read_bytes)
        return [{"kind": "policy", "name": service, "content": content.decode(errors="replace")}]

    _propose(target, make, options)


@admin.command()
@click.option("--rollout", metavar="ID", help="That with this id; else the open one.")
@click.pass_obj
def commit(target: Target, rollout: str | None) -> None:
    """Commit the open rollout: all nodes get it, or none."""

    async def work(client: Administration) -> None:
        state = await client.status()
        name = rollout or _open_one(state)
        path = f"{_ROLLOUTS}/{name}/commit"
        changes = state.get("changes", 0) if state["rollout"] == name else 0
        _print(target, expect(*await client.send("POST", path, {"changes": changes, "wait": _WAIT_S})))

    _carry_out(target, work)


def _open_one(state: Mapping[str, Any]) -> str:
    if not state["rollout"]:
        raise ended(CORRECT, "no rollout is open")
    return str(state["rollout"])


@admin.command()
@click.option("--rollout", metavar="ID", help="That with this id; else the open one.")
@click.pass_obj
def rollback(target: Target, rollout: str | None) -> None:
    """End the open rollout without its changes."""

    async def work(client: Administration) -> None:
        name = rollout or _open_one(await client.status())
        _print(target, expect(*await client.send("POST", f"{_ROLLOUTS}/{name}/rollback", {"wait": _WAIT_S})))

    _carry_out(target, work)


@admin.command()
@click.option("--watch", is_flag=True, help="Print it once a second, until Ctrl-C.")
@click.pass_obj
def status(target: Target, *, watch: bool) -> None:
    """Show the revision of the domain, its nodes, and the open rollout."""

    async def work(client: Administration) -> None:
        while True:
            state = await client.status()
            if target.as_json:
                click.echo(msgspec.json.encode(state))
            else:
                nodes = ", ".join(state.get("nodes", ())) or "none"
                now = "no rollout is open"
                if state["rollout"]:
                    number = state["changes"]
                    changes = "one change" if number == 1 else f"{number} changes"
                    now = f"rollout {state['rollout']} is open: {state['state']}, {changes}"
                    if awaited := state.get("waiting"):
                        now += f", waiting for {', '.join(awaited)}"
                click.echo(f"Revision {state['revision']}; {now}; nodes: {nodes}")
            if not watch:
                return
            await asyncio.sleep(1.0)

    _carry_out(target, work)


def _listing(target: Target, path: str, line: Callable[[Mapping[str, Any]], str]) -> None:
    async def work(client: Administration) -> None:
        found = expect(*await client.send("GET", path))
        if target.as_json:
            click.echo(msgspec.json.encode(found))
            return
        for each in found:
            click.echo(line(each))

    _carry_out(target, work)


@admin.command()
@click.pass_obj
def members(target: Target) -> None:
    """List the nodes of the domain, and what differs between them."""

    async def work(client: Administration) -> None:
        found = expect(*await client.send("GET", "/bookshelf/cluster/members"))
        runs = expect(*await client.send("GET", "/bookshelf/cluster/running"))
        unlike = expect(*await client.send("GET", "/bookshelf/cluster/differences"))
        if target.as_json:
            click.echo(msgspec.json.encode({"members": found, "running": runs, "differences": unlike}))
            return
        ready = {one["node"]: one["services"] for one in runs}
        for one in found:
            named = sorted({*one["services"], *ready.get(one["node"], ())})
            services = ", ".join(named) or "no services"
            click.echo(f"{one['node']}  {one['address']}  {services}  {one['left'] or 'member'}")
        for one in msgspec.convert(unlike, list[NodeDifference]):
            click.echo(f"differs: {difference_text(one)}")

    _carry_out(target, work)


@admin.command()
@click.pass_obj
def history(target: Target) -> None:
    """List the rollouts, newest first."""
    _listing(
        target,
        _ROLLOUTS,
        lambda one: (
            f"{one['opened']}  {one['id']}  {one['actor']}  {one['result'] or one['phase']}  "
            f"revision {one['revision']}  {one['reason']}".rstrip()
        ),
    )

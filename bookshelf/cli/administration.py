"""The requests of `bookshelf admin`: where they go, with which identity, and what ends a command."""

import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import click
import msgspec

from bookshelf.cli.command import stop
from bookshelf.cli.signing_in import Credentials, NotSignedIn, SignedIn
from bookshelf.config import read
from bookshelf.http.client import NoResponse, RemoteHandler, Unreachable
from bookshelf.http.message import Handler, read_response, request
from bookshelf.runtime.data_folder import running

#: Seconds until an answer begins: the phases of a rollout take their time.
ANSWER_S = 140.0
#: The command was carried out; it has to be corrected; the rollout has ended otherwise; it has not ended yet.
DONE, CORRECT, FAILED, OPEN = 0, 2, 3, 4
_OK, _ACCEPTED, _FORBIDDEN, _CONFLICT, _REFUSED, _DEFECT = 200, 202, 403, 409, 400, 500
_MOST = 16 << 20


class Target(NamedTuple):
    """Which node is asked, with which identity, and how the answers are printed."""

    node: str
    token: str
    login: Credentials | None
    ca: Path | None
    data: str | None
    domain: str
    as_json: bool


class Administration:
    """Sends the requests of one command."""

    def __init__(self, api: Handler, token: str) -> None:
        self._api = api
        self._token = token

    async def send(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return the status and the JSON of an answer. Ends the command with 4 if there is none."""
        try:
            return await self._send(method, path, body)
        except (Unreachable, NoResponse) as fault:
            code, message = OPEN, f"no answer: {fault}; `bookshelf admin status` shows the result"
        except NotSignedIn as fault:
            code, message = CORRECT, str(fault)
        raise ended(code, message)

    async def _send(self, method: str, path: str, body: object) -> tuple[int, Any]:
        content = b"" if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"} if content else {}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        answer = await self._api.handle(request(method, path, content, **headers))
        text = await read_response(answer, _MOST)
        return answer.status, msgspec.json.decode(text) if text else None

    async def status(self) -> Any:  # noqa: ANN401 (JSON)
        """Return the state of the domain."""
        return expect(*await self.send("GET", "/bookshelf/cluster/status"))


def expect(status: int, body: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return the JSON of an answer of a request that succeeded; end the command for any other."""
    if status < _REFUSED:
        return body
    detail = body.get("detail", "") if isinstance(body, dict) else ""
    if status == _FORBIDDEN and not detail:
        detail = "the node does not accept this token; its own is in running.json in its data folder"
    if status == _CONFLICT and isinstance(body, dict) and body.get("state") in {"aborted", "rolled-back"}:
        raise ended(FAILED, detail)
    raise ended(OPEN if status >= _DEFECT else CORRECT, f"{status}: {detail}")


def ended(code: int, message: str) -> SystemExit:
    """Print why a command ends; return what ends it."""
    click.echo(message, err=True)
    return SystemExit(code)


@asynccontextmanager
async def administration(target: Target) -> AsyncIterator[Administration]:
    """Yield what sends requests to the node of a target."""
    token = target.token
    if target.node:
        api = RemoteHandler(target.node, tls=_tls(target), answer_s=ANSWER_S)
    else:
        settings = read(os.environ, data=target.data)
        note = running(settings.folder)
        if note is None:
            stop(f"nothing runs on {settings.folder}; name a node with --node")
        token = token or note.token
        api = RemoteHandler(f"http://{note.control_host}:{note.control_port}", answer_s=ANSWER_S)
    handler: Handler = api if target.login is None else SignedIn(api, target.login)
    client = Administration(handler, "" if target.login is not None else token)
    try:
        await _check_domain(client, target.domain)
        yield client
    finally:
        await api.close()


def check_node(node: str, ca: Path | None, *, has_secret: bool) -> None:
    """End the command if `node` is no URL, or if a secret would be sent readable through a network."""
    url = urlsplit(node)
    if ca is not None and url.scheme != "https":
        stop("--ca is for a --node with https")
    if not node:
        return
    if url.scheme not in {"http", "https"} or not url.hostname:
        stop(f"--node {node[:200]} is no address like https://node1.example.org:8141")
    if url.scheme == "http" and not _is_loopback(url.hostname) and has_secret:
        stop("--node: a token or a password is sent to other machines over https only")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _tls(target: Target) -> ssl.SSLContext | None:
    """Return how an https server is verified; None without https."""
    if not target.node.startswith("https:"):
        return None
    try:
        return ssl.create_default_context(cafile=None if target.ca is None else str(target.ca))
    except (ssl.SSLError, OSError) as fault:
        stop(f"--ca {target.ca} is no certificate of an authority (PEM): {fault}")


async def _check_domain(client: Administration, domain: str) -> None:
    """End the command if the node is of another domain than the one that is meant."""
    if not domain:
        return
    found = (await client.status()).get("domain", "")
    if found != domain:
        raise ended(CORRECT, f"--domain {domain[:100]}: the node is of the domain {found}")

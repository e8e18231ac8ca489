"""The gateway's ports: HTTP, HTTPS, and the redirect from one to the other."""

import asyncio
import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

from bookshelf.config import Gate, WrongSetting, missing_extra
from bookshelf.http.limits import ConnectionLimits
from bookshelf.http.message import Handler, Request, Response
from bookshelf.http.problem import Problem, problem_response
from bookshelf.http.request_check import CheckedHandler, RequestCheck
from bookshelf.http.server.server import HttpServer
from gateway.auth.verifier import Verifier
from gateway.ingress.client_address import TrustedProxies
from gateway.ingress.compression import GzipResponses
from gateway.ingress.concurrency import ConcurrencyLimiter
from gateway.ingress.cors import Cors
from gateway.ingress.middleware import Ingress, IngressPolicy, RequestCounter
from gateway.ingress.tls import BadCertificate, Certificate

_NAME = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(?::\d{1,5})?")
_TARGET = re.compile(r"/[\x21\x22\x24-\x7e]*")
_HTTPS = 443


class HttpsRedirect:
    """A handler that sends everyone to the same address over TLS, with the method kept."""

    def __init__(self, port: int) -> None:
        self._port = "" if port == _HTTPS else f":{port}"

    async def handle(self, request: Request) -> Response:
        """Send there."""
        host = _NAME.fullmatch(request.headers.get("Host", ""))
        if host is None or _TARGET.fullmatch(request.target) is None:
            return problem_response(Problem("malformed", "ask over https"))
        location = f"https://{host[1]}{self._port}{request.target}"
        return Response(308, {"Location": location, "Cache-Control": "no-store"})


#: Connections beyond the limits, for health and metrics.
_SPARE = 16


def connection_limits(gate: Gate) -> ConnectionLimits:
    """Return what the port puts up with."""
    return ConnectionLimits(
        head_s=gate.gateway_head_s,
        idle_s=gate.gateway_idle_s,
        body_idle_s=gate.gateway_body_s,
        body_rate=gate.gateway_body_rate,
        unread_s=gate.gateway_unread_s,
        connections=gate.gateway_connections,
        connections_each=gate.gateway_connections_each,
        spare=_SPARE,
    )


def ingress_policy(gate: Gate, allowed_hosts: Iterable[str] = ()) -> IngressPolicy:
    """Return the rules for requests. `allowed_hosts`: names of the gateway. Raises `WrongSetting`."""
    made = IngressPolicy(
        check=RequestCheck(allowed_hosts),
        crowd=ConcurrencyLimiter(gate.gateway_requests, gate.gateway_queue, gate.gateway_queue_s),
        cors=Cors(_listed(gate.gateway_cors)),
        packing=GzipResponses() if gate.gateway_compress else None,
        body=gate.gateway_body,
        hsts_s=gate.gateway_hsts_s,
        total_s=gate.gateway_total_s,
        log=gate.gateway_access_log,
    )
    try:
        made.origins = TrustedProxies(_listed(gate.gateway_trusted))
    except ValueError as fault:
        raise WrongSetting(f"gateway_trusted: {fault}") from None
    made.rate, made.rates = gate.gateway_rate, rate_limiter(gate.gateway_rate, gate.gateway_rate_storage)
    return made


def rate_limiter(rate: str, storage: str) -> RequestCounter | None:
    """Return who counts requests; no one for no rate. Raises `WrongSetting`."""
    if not rate:
        return None
    try:
        from gateway.ingress.rate_limit import BadRate, ClientRateLimiter  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as fault:
        raise _missing("gateway_rate", fault) from None
    if storage != "memory":
        try:
            import redis  # noqa: F401, PLC0415 (an extra of its own: `limits` loads it by name)
        except ModuleNotFoundError as fault:
            raise missing_extra("the setting `gateway_rate_storage`", fault, "redis") from None
    try:
        return ClientRateLimiter(rate, storage)
    except BadRate as fault:
        raise WrongSetting(f"gateway_rate, gateway_rate_storage: {fault}") from None


def verifier(gate: Gate) -> Verifier | None:
    """Return who knows whose a token is; None if no one does. Raises `WrongSetting`."""
    if not gate.gateway_jwks:
        return None
    try:
        from gateway.auth.jwks import (  # noqa: PLC0415 (an extra)
            BadKeys,
            FileKeys,
            UrlKeys,
        )
        from gateway.auth.jwt import Tokens  # noqa: PLC0415 (as above)
    except ModuleNotFoundError as fault:
        raise _missing("gateway_jwks", fault) from None
    if not gate.gateway_issuer or not gate.gateway_audience:
        raise WrongSetting("gateway_jwks: say also gateway_issuer and gateway_audience")
    try:
        where = gate.gateway_jwks
        keys = UrlKeys(where) if "://" in where else FileKeys(Path(where))
    except BadKeys as fault:
        raise WrongSetting(f"gateway_jwks: {fault}") from None
    return Tokens(keys, gate.gateway_issuer, gate.gateway_audience)


def _missing(setting: str, fault: ModuleNotFoundError) -> WrongSetting:
    return missing_extra(f"the setting `{setting}`", fault, "gateway")


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


class GatewayServer:
    """The open port, the one that only sends to it, and the certificate that is looked after."""

    def __init__(
        self, server: HttpServer, redirect: HttpServer | None, certificate: Certificate | None
    ) -> None:
        self._servers = [server] if redirect is None else [server, redirect]
        self.certificate = certificate
        self._looking: asyncio.Task[None] | None = None
        #: Seconds that it stays open while the word goes round that it closes.
        self.notice_s = 0.0
        #: Seconds that requests under way have then.
        self.drain_s = 5.0
        self.host = server.host
        self.port = server.port
        self.redirect_port = None if redirect is None else redirect.port
        self.scheme = "http" if certificate is None else "https"

    async def start(self, *, shared: bool = False) -> None:
        """Open the ports. Raises `PortTaken`."""
        for server in self._servers:
            await server.start(shared=shared)
        self.port = self._servers[0].port
        if self.certificate is not None:
            self._looking = asyncio.create_task(self.certificate.watch(), name="certificate")

    async def stop(self) -> None:
        """Let requests under way end, then close."""
        for server in self._servers:
            server.leave()
        await asyncio.sleep(self.notice_s)
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        for server in self._servers:
            await server.stop(self.drain_s)


async def open_gateway_server(
    handler: Handler,
    gate: Gate,
    host: str,
    port: int,
    rules: IngressPolicy | None = None,
    *,
    shared: bool = False,
) -> GatewayServer:
    """Open the gateway's port, 0 for any; `rules`, if they are not those of the settings.

    `shared`: other processes listen there, too.

    Raises `PortTaken`, `WrongSetting`.
    """
    rules = rules or ingress_policy(gate, (host,))
    certificate = _certificate(gate)
    tls = None if certificate is None else certificate.context
    server = HttpServer(
        Ingress(handler, rules),
        host,
        port,
        guard=connection_limits(gate),
        tls=tls,
        cancels=True,
        allowed_hosts=None,
    )
    redirect = None
    if gate.gateway_redirect_port:
        if certificate is None:
            raise WrongSetting("gateway_redirect_port: there is no TLS to send anyone to")
        checked = CheckedHandler(HttpsRedirect(port), rules.check)
        redirect = HttpServer(
            checked, host, gate.gateway_redirect_port, guard=connection_limits(gate), allowed_hosts=None
        )
    door = GatewayServer(server, redirect, certificate)
    await door.start(shared=shared)
    return door


def _certificate(gate: Gate) -> Certificate | None:
    if not gate.gateway_tls_cert:
        return None
    try:
        return Certificate(Path(gate.gateway_tls_cert), Path(gate.gateway_tls_key or gate.gateway_tls_cert))
    except BadCertificate as fault:
        raise WrongSetting(f"gateway_tls_cert, gateway_tls_key: {fault}") from None

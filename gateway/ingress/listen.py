"""The gateway's listeners: HTTP or HTTPS with its certificate, and the redirect from HTTP to HTTPS."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import Iterable
from pathlib import Path

import structlog

from bookshelf.config import GatewaySettings, WrongSetting, missing_extra
from bookshelf.http.limits import ConnectionLimits
from bookshelf.http.message import Handler, Request, Response
from bookshelf.http.problem import Problem, problem_response
from bookshelf.http.request_check import CheckedHandler, RequestCheck
from bookshelf.http.server import HttpServer
from gateway.auth import Verifier
from gateway.headers import TARGET
from gateway.ingress.client_address import TrustedProxies
from gateway.ingress.compression import GzipResponses
from gateway.ingress.middleware import ConcurrencyLimiter, Cors, Ingress, IngressPolicy, RequestCounter

#: Seconds between two checks of the files.
_LOOK_S = 5.0

_logger = structlog.get_logger(__name__)


class BadCertificate(ValueError):
    """Certificate and key cannot be used; the message gives the reason."""


class Certificate:
    """A server's certificate chain and key (PEM), loaded into a TLS context."""

    def __init__(self, chain: Path, key: Path, look_s: float = _LOOK_S) -> None:
        self._chain = chain
        self._key = key
        self._look_s = look_s
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self.renewed = 0
        self._state = self._stamp()
        _load(self.context, chain, key)

    async def watch(self) -> None:
        """Reload the files when they change, until cancelled. If that fails, the former certificate stays."""
        while True:
            await asyncio.sleep(self._look_s)  # sleep: between two checks of the files
            self.look()

    def look(self) -> None:
        """Reload the files if they have changed."""
        state = self._stamp()
        if state == self._state:
            return
        self._state = state
        try:
            # a spare context first: a mismatched pair would break the one in use
            for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.context):
                _load(context, self._chain, self._key)
        except BadCertificate as fault:
            _logger.warning("certificate-not-loaded", why=str(fault))
        else:
            self.renewed += 1
            _logger.info("certificate-renewed", file=self._chain.name)

    def _stamp(self) -> tuple[int, ...]:
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in (self._chain, self._key))


def _load(context: ssl.SSLContext, chain: Path, key: Path) -> None:
    try:
        context.load_cert_chain(chain, key)
    except (OSError, ssl.SSLError) as fault:
        raise BadCertificate(f"{chain.name} and {key.name}: {fault.strerror or fault}") from fault


_NAME = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(?::\d{1,5})?")
_HTTPS = 443


class HttpsRedirect:
    """A handler that redirects every request to the same address over HTTPS, with its method."""

    def __init__(self, port: int) -> None:
        self._port = "" if port == _HTTPS else f":{port}"

    async def handle(self, request: Request) -> Response:
        """Return the redirect."""
        host = _NAME.fullmatch(request.headers.get("Host", ""))
        if host is None or TARGET.fullmatch(request.target) is None:
            return problem_response(
                Problem("malformed", "this port only redirects; send the request over https")
            )
        location = f"https://{host[1]}{self._port}{request.target}"
        return Response(308, {"Location": location, "Cache-Control": "no-store"})


#: Connections above the limit that are reserved for health and metrics.
_SPARE = 16


def connection_limits(gate: GatewaySettings) -> ConnectionLimits:
    """Return the connection limits of the listener."""
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


def ingress_policy(gate: GatewaySettings, allowed_hosts: Iterable[str] = ()) -> IngressPolicy:
    """Return the policy for requests. `allowed_hosts`: names of the gateway. Raises `WrongSetting`."""
    policy = IngressPolicy(
        check=RequestCheck(allowed_hosts),
        concurrency=ConcurrencyLimiter(gate.gateway_requests, gate.gateway_queue, gate.gateway_queue_s),
        cors=cors_of(gate),
        compression=GzipResponses() if gate.gateway_compress else None,
        body=gate.gateway_body,
        hsts_s=gate.gateway_hsts_s,
        total_s=gate.gateway_total_s,
        log=gate.gateway_access_log,
    )
    try:
        policy.trusted_proxies = TrustedProxies(_listed(gate.gateway_trusted))
    except ValueError as fault:
        raise WrongSetting(f"gateway_trusted: {fault}") from None
    policy.rate = gate.gateway_rate
    policy.rate_limiter = rate_limiter(gate.gateway_rate, gate.gateway_rate_storage)
    return policy


def cors_of(gate: GatewaySettings) -> Cors:
    """Return the origins that may use the gateway."""
    return Cors(_listed(gate.gateway_cors))


def rate_limiter(rate: str, storage: str) -> RequestCounter | None:
    """Return the rate limiter; None for an empty rate. Raises `WrongSetting`."""
    if not rate:
        return None
    try:
        from gateway.ingress.rate_limit import BadRate, ClientRateLimiter  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as fault:
        raise missing_extra("the setting `gateway_rate`", fault, "gateway") from None
    if storage != "memory":
        try:
            import redis  # noqa: F401, PLC0415 (an extra of its own: `limits` loads it by name)
        except ModuleNotFoundError as fault:
            raise missing_extra("the setting `gateway_rate_storage`", fault, "redis") from None
    try:
        return ClientRateLimiter(rate, storage)
    except BadRate as fault:
        raise WrongSetting(f"gateway_rate, gateway_rate_storage: {fault}") from None


def verifier(gate: GatewaySettings) -> Verifier | None:
    """Return the verifier of an issuer's tokens; None if no keys are configured. Raises `WrongSetting`."""
    if not gate.gateway_jwks:
        return None
    from gateway.jwt import BadKeys, FileKeys, Tokens, UrlKeys  # noqa: PLC0415 (most gateways need it not)

    if not gate.gateway_issuer or not gate.gateway_audience:
        raise WrongSetting("gateway_jwks: set gateway_issuer and gateway_audience too")
    try:
        where = gate.gateway_jwks
        keys = UrlKeys(where) if "://" in where else FileKeys(Path(where))
    except BadKeys as fault:
        raise WrongSetting(f"gateway_jwks: {fault}") from None
    any_type = gate.gateway_token_typ == "any"  # noqa: S105 (a type of tokens)
    return Tokens(keys, gate.gateway_issuer, gate.gateway_audience, any_type=any_type)


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


class GatewayServer:
    """The gateway's listener, the one that redirects to it, and the certificate that is watched."""

    def __init__(
        self, server: HttpServer, redirect: HttpServer | None, certificate: Certificate | None
    ) -> None:
        self._servers = [server] if redirect is None else [server, redirect]
        self.certificate = certificate
        self._looking: asyncio.Task[None] | None = None
        #: Seconds for which it stays open after it has begun to report that it leaves.
        self.notice_s = 0.0
        #: Seconds that requests under way have after that.
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
        """Drain the requests under way, then close the listeners."""
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
    gate: GatewaySettings,
    host: str,
    port: int,
    rules: IngressPolicy | None = None,
    *,
    shared: bool = False,
) -> GatewayServer:
    """Open the gateway's listener on a port, 0 for any free one.

    `rules`: the ingress policy; None for that of the settings. `shared`: other processes listen on the same
    port.

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
            raise WrongSetting("gateway_redirect_port: needs TLS; set gateway_tls_cert too")
        checked = CheckedHandler(HttpsRedirect(port), rules.check)
        redirect = HttpServer(
            checked, host, gate.gateway_redirect_port, guard=connection_limits(gate), allowed_hosts=None
        )
    gateway_server = GatewayServer(server, redirect, certificate)
    await gateway_server.start(shared=shared)
    return gateway_server


def _certificate(gate: GatewaySettings) -> Certificate | None:
    if not gate.gateway_tls_cert:
        return None
    try:
        return Certificate(Path(gate.gateway_tls_cert), Path(gate.gateway_tls_key or gate.gateway_tls_cert))
    except BadCertificate as fault:
        raise WrongSetting(f"gateway_tls_cert, gateway_tls_key: {fault}") from None

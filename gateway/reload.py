"""Applies settings of a domain to a running gateway, in place of its own ones, and takes them back."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from bookshelf.config import GatewaySettings
from gateway.app import Gateway
from gateway.ingress.compression import GzipResponses
from gateway.ingress.listen import GatewayServer, cors_of
from gateway.ingress.middleware import ConcurrencyLimiter, IngressPolicy
from gateway.options import Limits

_PREFIX = "gateway_"
#: What of an ingress policy and of its concurrency limiter the settings change.
_OF_POLICY = ("rate", "rate_limiter", "cors", "compression", "body", "total_s", "log")
_OF_LIMITER = ("most", "queue", "wait_s")


class ReloadableGateway:
    """The parts of a running gateway that reloadable settings change.

    `server`: the listener whose time to drain they change; None for one that ends with its process.
    """

    def __init__(
        self,
        gateway: Gateway,
        gate: GatewaySettings,
        policy: IngressPolicy,
        limits: Limits,
        server: GatewayServer | None = None,
    ) -> None:
        self._gateway = gateway
        self._own = gate
        self._policy = policy
        self._limits = limits
        self._server = server

    @property
    def limiter(self) -> ConcurrencyLimiter:
        """What limits how many requests are under way, and how many wait."""
        return self._policy.concurrency

    def take(self, values: Mapping[str, Any]) -> Callable[[], Callable[[], None]]:
        """Return what applies settings by name, and the own ones for all others; it returns what undoes that.

        Raises `WrongSetting`.
        """
        given = {name: value for name, value in values.items() if name.startswith(_PREFIX)}
        gate = msgspec.structs.replace(self._own, **given)
        limits, cors = self._limits.with_settings(gate), cors_of(gate)
        timeouts = replace(
            self._gateway.timeouts,
            answer_s=gate.gateway_deadline_s,
            try_s=gate.gateway_try_s,
            hedge_s=gate.gateway_hedge_s,
        )

        def apply() -> Callable[[], None]:
            undo = self._snapshot()
            limits()
            self._policy.cors = cors
            self._policy.compression = GzipResponses() if gate.gateway_compress else None
            self._policy.total_s, self._policy.log = gate.gateway_total_s, gate.gateway_access_log
            self._gateway.timeouts = timeouts
            if self._server is not None:
                self._server.notice_s, self._server.drain_s = gate.gateway_notice_s, gate.gateway_drain_s
            return undo

        return apply

    @property
    def engaged(self) -> tuple[str, ...]:
        """The settings of the middleware that runs around requests now."""
        policy = self._policy
        engaged = {
            "gateway_compress": policy.compression is not None,
            "gateway_access_log": policy.log,
            "gateway_rate": policy.rate_limiter is not None,
            "gateway_cors": policy.cors.is_engaged,
            "gateway_requests": True,
            "gateway_total_s": policy.total_s > 0,
        }
        return tuple(name for name, is_engaged in engaged.items() if is_engaged)

    def _snapshot(self) -> Callable[[], None]:
        """Return what restores everything as it is now, also the counts of a rate limiter."""
        of_policy = {name: getattr(self._policy, name) for name in _OF_POLICY}
        of_limiter = {name: getattr(self._policy.concurrency, name) for name in _OF_LIMITER}
        timeouts = self._gateway.timeouts
        gate, server = self._limits.gate, self._server
        times = None if server is None else (server.notice_s, server.drain_s)

        def restore() -> None:
            for name, value in of_policy.items():
                setattr(self._policy, name, value)
            for name, value in of_limiter.items():
                setattr(self._policy.concurrency, name, value)
            self._gateway.timeouts = timeouts
            self._limits.gate = gate
            if server is not None and times is not None:
                server.notice_s, server.drain_s = times

        return restore

"""The gateway's options, read from the settings and grouped by the part that they configure.

Some limits may be changed while the gateway runs, by the rules file:

[limits]
requests = 500
rate = "20/second"
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bookshelf.config import GatewaySettings, WrongSetting
from bookshelf.http.request_check import is_loopback
from bookshelf.runtime.api.identity import Callers, LocalReader
from bookshelf.runtime.clock import Ids, SystemClock, SystemIds
from gateway.auth import Verifier
from gateway.binding import read_bind_rules
from gateway.ingress.client_address import Visibility
from gateway.ingress.listen import rate_limiter
from gateway.ingress.middleware import IngressPolicy, RequestCounter
from gateway.primary import read_primary_rules
from gateway.routing.rules import TABLES, BadRules, Section, parse
from gateway.upstream.address_policy import AddressPolicy
from gateway.upstream.call import CallTimeouts


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """Timeouts, address policy, visibility of the status, rules file and identity of one gateway process.

    `callers` signs the callers of requests. `issuer`: the name of the issuer of our own tokens.
    `rules`: the rules file; None for no rules. `verifier`: verifies tokens; None to accept none. `notice_s`
    and `drain_s`: seconds for which a gateway that leaves stays open, and waits for requests under way.
    `process`: the number of this process among the `processes` at one port. `ids` makes idempotency keys for
    commands without one; services in the same process share it, because they need no look-up for a key that
    it has just made. `bind_key` returns the key that signs the domains of clients (gateway/binding.py); None
    if there is no secret.
    """

    timeouts: CallTimeouts = field(default_factory=CallTimeouts)
    address_policy: AddressPolicy = field(default_factory=AddressPolicy)
    status: Visibility = field(default_factory=Visibility)
    rules: Path | None = None
    notice_s: float = 0.0
    verifier: Verifier | None = None
    callers: Callers = field(default_factory=LocalReader)
    issuer: str = "bookshelf"
    drain_s: float = 5.0
    limits: Section | None = None
    bind_key: Callable[[], bytes] | None = None
    process: int = 1
    processes: int = 1
    ids: Ids = field(default_factory=lambda: SystemIds(SystemClock()))


def read_options(
    settings: GatewaySettings,
    *,
    anywhere: bool,
    host: str,
    verifier: Verifier | None = None,
    limits: Section | None = None,
) -> GatewayOptions:
    """Return the options of the settings.

    `anywhere`: instances may have any address, because this process registers them. `host`: the gateway's own
    host; if it is a loopback address, instances may have one too.

    Raises `WrongSetting`.
    """
    timeouts = CallTimeouts(
        answer_s=settings.gateway_deadline_s, try_s=settings.gateway_try_s, hedge_s=settings.gateway_hedge_s
    )
    wanted = settings.gateway_loopback
    loopback = is_loopback(host) if wanted == "auto" else wanted == "yes"
    return GatewayOptions(
        timeouts=timeouts,
        address_policy=AddressPolicy(anywhere=anywhere, loopback=loopback),
        status=_inside(settings.gateway_status),
        rules=Path(settings.gateway_rules).expanduser() if settings.gateway_rules else None,
        notice_s=settings.gateway_notice_s,
        verifier=verifier,
        limits=limits,
        drain_s=settings.gateway_drain_s,
    )


def _inside(who: str) -> Visibility:
    try:
        return Visibility(who)
    except ValueError as fault:
        raise WrongSetting(f"gateway_status: {fault}") from None


_TABLE = "limits"
#: The tables of rules that services of a domain need.
CLUSTER_TABLES = ("primary", "bind")


class LimitRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table `limits`: a field overrides the setting `gateway_FIELD`; an empty `rate` is no limit."""

    requests: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    queue: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    queue_s: Annotated[float, Meta(ge=0, le=600)] | None = None
    body: Annotated[int, Meta(ge=0)] | None = None
    rate: str | None = None


class Limits:
    """The limits of an ingress policy: those of the rules file, or else those of the settings."""

    def __init__(self, policy: IngressPolicy, gate: GatewaySettings) -> None:
        self._policy = policy
        self.gate = gate
        self._wanted = LimitRules()
        #: Rate limiters by rate: one that is used again keeps its counts.
        self._limiters: dict[str, RequestCounter | None] = {policy.rate: policy.rate_limiter}

    @property
    def section(self) -> Section:
        """The section of the rules file that sets them."""
        return Section((_TABLE,), self._take)

    def _take(self, given: Mapping[str, Any]) -> Callable[[], None]:
        try:
            wanted = msgspec.convert(given.get(_TABLE, {}), LimitRules)
            self._limiter(self.gate, wanted)
        except (msgspec.ValidationError, WrongSetting) as fault:
            raise BadRules(f"{_TABLE}: {fault}") from None
        return lambda: self._put(self.gate, wanted)

    def with_settings(self, gate: GatewaySettings) -> Callable[[], None]:
        """Return what applies other settings. Raises `WrongSetting`."""
        self._limiter(gate, LimitRules())
        return lambda: self._put(gate, self._wanted)

    def _put(self, gate: GatewaySettings, wanted: LimitRules) -> None:
        rate, counter = self._limiter(gate, wanted)
        self._limiters = {self._policy.rate: self._policy.rate_limiter, rate: counter}
        self.gate, self._wanted = gate, wanted
        self._policy.rate, self._policy.rate_limiter = rate, counter
        _set(self._policy, gate, wanted)

    def _limiter(self, gate: GatewaySettings, wanted: LimitRules) -> tuple[str, RequestCounter | None]:
        """Return the rate, and what counts it. Raises `WrongSetting`."""
        rate = gate.gateway_rate if wanted.rate is None else wanted.rate
        if rate not in self._limiters:
            self._limiters[rate] = rate_limiter(rate, gate.gateway_rate_storage)
        return rate, self._limiters[rate]


def parse_limits(policy: IngressPolicy, gate: GatewaySettings) -> Section:
    """Return the section of the rules file that sets the limits of an ingress policy."""
    return Limits(policy, gate).section


def check_rules(given: Mapping[str, Any]) -> None:
    """Check the decoded content of a whole rules file. Raises `BadRules`."""
    known = (*TABLES, _TABLE, *CLUSTER_TABLES)
    if unknown := sorted(given.keys() - set(known)):
        raise BadRules(f"there is no table {unknown[0]!r}, only {', '.join(known)}")
    read_primary_rules(given)
    read_bind_rules(given)
    parse({name: given[name] for name in TABLES if name in given})
    parse_limits(IngressPolicy(), GatewaySettings()).take(given)


def _set(policy: IngressPolicy, gate: GatewaySettings, wanted: LimitRules) -> None:
    limiter = policy.concurrency
    limiter.most = _with_default(wanted.requests, gate.gateway_requests)
    limiter.queue = _with_default(wanted.queue, gate.gateway_queue)
    limiter.wait_s = gate.gateway_queue_s if wanted.queue_s is None else wanted.queue_s
    policy.body = _with_default(wanted.body, gate.gateway_body)


def _with_default(wanted: int | None, default: int) -> int:
    return default if wanted is None else wanted

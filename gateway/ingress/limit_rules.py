"""Limits in the rules file, which may change while the gateway runs; the settings are the defaults.

[limits]
requests = 500
rate = "20/second"
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bookshelf.config import GatewaySettings, WrongSetting
from gateway.ingress.listen import rate_limiter
from gateway.ingress.middleware import IngressPolicy, RequestCounter
from gateway.routing.rules import BadRules
from gateway.rules_file import Section

_TABLE = "limits"


class LimitRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table `limits`: a field overrides the setting `gateway_FIELD`; an empty `rate` is no limit."""

    requests: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    queue: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    queue_s: Annotated[float, Meta(ge=0, le=600)] | None = None
    body: Annotated[int, Meta(ge=0)] | None = None
    rate: str | None = None


def parse_limits(policy: IngressPolicy, gate: GatewaySettings) -> Section:
    """Return the section of the rules file that sets the limits of an ingress policy."""

    def take(given: Mapping[str, Any]) -> Callable[[], None]:
        try:
            wanted = msgspec.convert(given.get(_TABLE, {}), LimitRules)
            rates = _rates(policy, gate, wanted.rate)
        except (msgspec.ValidationError, WrongSetting) as fault:
            raise BadRules(f"{_TABLE}: {fault}") from None
        return lambda: _set(policy, gate, wanted, rates)

    return Section((_TABLE,), take)


def _rates(policy: IngressPolicy, gate: GatewaySettings, rate: str | None) -> RequestCounter | None:
    rate = gate.gateway_rate if rate is None else rate
    if policy.rate == rate:
        return policy.rate_limiter  # keeps the counts of the clients
    return rate_limiter(rate, gate.gateway_rate_storage)


def _set(
    policy: IngressPolicy, gate: GatewaySettings, wanted: LimitRules, rates: RequestCounter | None
) -> None:
    limiter = policy.concurrency
    limiter.most = _with_default(wanted.requests, gate.gateway_requests)
    limiter.queue = _with_default(wanted.queue, gate.gateway_queue)
    limiter.wait_s = gate.gateway_queue_s if wanted.queue_s is None else wanted.queue_s
    policy.body = _with_default(wanted.body, gate.gateway_body)
    policy.rate = gate.gateway_rate if wanted.rate is None else wanted.rate
    policy.rate_limiter = rates


def _with_default(wanted: int | None, default: int) -> int:
    return default if wanted is None else wanted

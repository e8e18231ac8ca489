"""Limits in the operator's file, while the gateway runs; what is not named is as the settings say.

[limits]
requests = 500
rate = "20/second"
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bookshelf.config import Gate, WrongSetting
from gateway.ingress.listen import rate_limiter
from gateway.ingress.middleware import IngressPolicy, RequestCounter
from gateway.routing.rules import BadRules
from gateway.rules_file import Section

_TABLE = "limits"


class LimitRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table: each like the setting `gateway_` of its name. An empty `rate` is none."""

    requests: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    queue: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    queue_s: Annotated[float, Meta(ge=0, le=600)] | None = None
    body: Annotated[int, Meta(ge=0)] | None = None
    rate: str | None = None


def parse_limits(house: IngressPolicy, gate: Gate) -> Section:
    """Return the part of the file that sets a house's limits."""

    def take(given: Mapping[str, Any]) -> Callable[[], None]:
        try:
            wanted = msgspec.convert(given.get(_TABLE, {}), LimitRules)
            rates = _rates(house, gate, wanted.rate)
        except (msgspec.ValidationError, WrongSetting) as fault:
            raise BadRules(f"{_TABLE}: {fault}") from None
        return lambda: _set(house, gate, wanted, rates)

    return Section((_TABLE,), take)


def _rates(house: IngressPolicy, gate: Gate, rate: str | None) -> RequestCounter | None:
    rate = gate.gateway_rate if rate is None else rate
    if house.rate == rate:
        return house.rates  # those who were counted stay counted
    return rate_limiter(rate, gate.gateway_rate_storage)


def _set(house: IngressPolicy, gate: Gate, wanted: LimitRules, rates: RequestCounter | None) -> None:
    crowd = house.crowd
    crowd.most = _or(wanted.requests, gate.gateway_requests)
    crowd.queue = _or(wanted.queue, gate.gateway_queue)
    crowd.wait_s = gate.gateway_queue_s if wanted.queue_s is None else wanted.queue_s
    house.body = _or(wanted.body, gate.gateway_body)
    house.rate = gate.gateway_rate if wanted.rate is None else wanted.rate
    house.rates = rates


def _or(wanted: int | None, usual: int) -> int:
    return usual if wanted is None else wanted

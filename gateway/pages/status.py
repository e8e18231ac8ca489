"""What the gateway knows at this moment: routes, instances, breakers, and what was refused."""

from collections.abc import Callable
from time import monotonic

import msgspec

from bookshelf import __version__
from gateway.routing.directory import Directory
from gateway.routing.table import RefusedRoute
from gateway.upstream.endpoint import UpstreamEndpoint
from gateway.upstream.pool import Pool

#: Lines of one table: more are counted, not shown.
_MOST = 1000


class InstanceStatus(msgspec.Struct, frozen=True):
    """One instance. `breaker`, `ejection`: closed, open or half-open; `mean_ms`: until an answer begins."""

    id: str
    address: str
    breaker: str
    ejection: str
    outstanding: int
    mean_ms: float
    version: str


class ServiceStatus(msgspec.Struct, frozen=True):
    """Instances that requests are divided among, and what was spent on them. `panic`: all are ejected."""

    name: str
    panic: bool
    retries: int
    retries_refused: int
    ejections: int
    instances: list[InstanceStatus]


class RouteStatus(msgspec.Struct, frozen=True):
    """One route, whose it is, and who answers."""

    method: str
    path: str
    service: str
    answered_by: str


class Status(msgspec.Struct, frozen=True):
    """All of it.

    `process`: which one at this port says so; `missing`: what is not known yet; `rules`: what is wrong with
    the rules' file.
    """

    version: str
    process: str
    missing: str | None
    rules: str | None
    services: list[ServiceStatus]
    routes: list[RouteStatus]
    refused_routes: list[RefusedRoute]
    refused_instances: dict[str, str]


def status(
    directory: Directory,
    rules: str | None,
    clock: Callable[[], float] = monotonic,
    *,
    process: str = "1 of 1",
) -> Status:
    """Return what is known now."""
    table, now = directory.known.table, clock()
    pools = sorted(directory.pools.all(), key=lambda pool: pool.name)
    return Status(
        version=__version__,
        process=process,
        missing=directory.missing(),
        rules=rules,
        services=[_service(pool, now) for pool in pools[:_MOST]],
        routes=[
            RouteStatus(method, route.template, route.service, route.pool.name)
            for method, route in sorted(table.routes, key=lambda one: (one[1].template, one[0]))[:_MOST]
        ],
        refused_routes=table.refused[:_MOST],
        refused_instances=dict(list(directory.refused_instances.items())[:_MOST]),
    )


def _service(pool: Pool, now: float) -> ServiceStatus:
    return ServiceStatus(
        name=pool.name,
        panic=bool(pool.endpoints) and not any(one.ejection.allows(now) for one in pool.endpoints),
        retries=pool.budget.spent,
        retries_refused=pool.budget.refused,
        ejections=pool.outliers.ejected,
        instances=[_instance(one, now) for one in pool.endpoints[:_MOST]],
    )


def _instance(one: UpstreamEndpoint, now: float) -> InstanceStatus:
    return InstanceStatus(
        id=one.instance.id,
        address=f"{one.instance.address}:{one.instance.port}",
        breaker=one.breaker.state(now),
        ejection=one.ejection.state(now),
        outstanding=one.outstanding,
        mean_ms=round(1e3 * one.mean_s, 2),
        version=one.instance.meta.get("version", ""),
    )

"""The status of the gateway: its routes, services, instances, breakers, and what was refused."""

from collections.abc import Callable
from time import monotonic

import msgspec

from bookshelf import __version__
from gateway.routing.directory import Directory
from gateway.routing.table import RefusedRoute
from gateway.upstream.endpoint import UpstreamEndpoint
from gateway.upstream.pool import Pool

#: The most rows of one list; further ones are left out.
_MOST = 1000


class InstanceStatus(msgspec.Struct, frozen=True):
    """One instance. `breaker`, `ejection`: closed, open or half-open. `mean_ms`: until a response begins."""

    id: str
    address: str
    breaker: str
    ejection: str
    outstanding: int
    mean_ms: float
    version: str


class ServiceStatus(msgspec.Struct, frozen=True):
    """One pool of instances, with its retries and ejections. `panic`: all instances are ejected."""

    name: str
    panic: bool
    retries: int
    retries_refused: int
    ejections: int
    instances: list[InstanceStatus]


class RouteStatus(msgspec.Struct, frozen=True):
    """One route, the service that declares it, and the pool that answers it."""

    method: str
    path: str
    service: str
    answered_by: str


class Status(msgspec.Struct, frozen=True):
    """The whole status of one gateway process.

    `process`: its number at this port. `missing`: what is not known yet. `rules`: the error in the rules.
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
    """Return the status at this moment."""
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
            for method, route in sorted(
                [*table.routes, *(("ANY", page) for page in table.roots.values())],
                key=lambda entry: (entry[1].template, entry[0]),
            )[:_MOST]
        ],
        refused_routes=table.refused[:_MOST],
        refused_instances=dict(list(directory.refused_instances.items())[:_MOST]),
    )


def _service(pool: Pool, now: float) -> ServiceStatus:
    return ServiceStatus(
        name=pool.name,
        panic=bool(pool.endpoints) and not any(endpoint.ejection.allows(now) for endpoint in pool.endpoints),
        retries=pool.budget.spent,
        retries_refused=pool.budget.refused,
        ejections=pool.outliers.ejected,
        instances=[_instance(endpoint, now) for endpoint in pool.endpoints[:_MOST]],
    )


def _instance(endpoint: UpstreamEndpoint, now: float) -> InstanceStatus:
    return InstanceStatus(
        id=endpoint.instance.id,
        address=f"{endpoint.instance.address}:{endpoint.instance.port}",
        breaker=endpoint.breaker.state(now),
        ejection=endpoint.ejection.state(now),
        outstanding=endpoint.outstanding,
        mean_ms=round(1e3 * endpoint.mean_s, 2),
        version=endpoint.instance.meta.get("version", ""),
    )

"""The status of the gateway, as JSON and as a page; metrics of upstream endpoints and retries for Prometheus.

The status has routes, services, instances, breakers, and what was refused. Its page has no scripts or
external files; all values are escaped. Prometheus itself labels series with `instance`, and many
configurations with `service`; the labels of the metrics are `endpoint` and `upstream`.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from time import monotonic

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bookshelf import __version__
from gateway.routing.catalog import RefusedRoute
from gateway.routing.directory import Directory
from gateway.upstream.endpoint import UpstreamEndpoint
from gateway.upstream.pool import Pool, Pools
from gateway.upstream.waits import Waits

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
        services=[_service_status(pool, now) for pool in pools[:_MOST]],
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


def _service_status(pool: Pool, now: float) -> ServiceStatus:
    return ServiceStatus(
        name=pool.name,
        panic=bool(pool.endpoints) and not any(endpoint.ejection.allows(now) for endpoint in pool.endpoints),
        retries=pool.budget.spent,
        retries_refused=pool.budget.refused,
        ejections=pool.outliers.ejected,
        instances=[_instance_status(endpoint, now) for endpoint in pool.endpoints[:_MOST]],
    )


def _instance_status(endpoint: UpstreamEndpoint, now: float) -> InstanceStatus:
    return InstanceStatus(
        id=endpoint.instance.id,
        address=f"{endpoint.instance.address}:{endpoint.instance.port}",
        breaker=endpoint.breaker.state(now),
        ejection=endpoint.ejection.state(now),
        outstanding=endpoint.outstanding,
        mean_ms=round(1e3 * endpoint.mean_s, 2),
        version=endpoint.instance.meta.get("version", ""),
    )


#: Seconds after which the browser reloads the page.
_AGAIN_S = 5
_KINDS = {"closed": "good", "half-open": "warn", "open": "bad"}
_STYLE = (files("gateway") / "status.css").read_text(encoding="utf-8")
_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
#: Allows this style status_page, and nothing else.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def status_page(status: Status) -> bytes:
    """Return the page as HTML."""
    body = "".join([_header(status), *_notes(status), _services(status), _routes(status), _refused(status)])
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Gateway</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="{_AGAIN_S}"><style>{_STYLE}</style></head>'
    )
    return f"{head}<body>{body}</body></html>".encode()


def _header(status: Status) -> str:
    ready = sum(len(service.instances) for service in status.services)
    well = _tag("all is known", "good") if status.missing is None else _tag("waiting", "warn")
    return (
        f"<header><h1>Gateway</h1>{well}<p>{len(status.routes)} routes, {len(status.services)} services, "
        f"{ready} instances</p><p>Bookshelf {escape(status.version)}, process {status.process} &middot; "
        '<a href="/apidocs/">API docs</a> &middot; <a href="/metrics">metrics</a></p></header><main>'
    )


def _notes(status: Status) -> Iterable[str]:
    for note in (status.missing, status.rules and f"The rules in force are older ones: {status.rules}"):
        if note:
            yield f'<p class="card note">{escape(note)}</p>'


def _services(status: Status) -> str:
    cards = "".join(map(_service, status.services)) or '<p class="none">No service is known yet.</p>'
    return f"<h2>Services</h2>{cards}"


def _service(service: ServiceStatus) -> str:
    panic = _tag("panic: all are ejected", "bad") if service.panic else ""
    none = "" if service.instances else _tag("no instance is ready", "bad")
    counts = f"{service.retries} retries, {service.retries_refused} refused, {service.ejections} ejections"
    rows = [_instance(instance) for instance in service.instances]
    titles = ("instance", "address", "breaker", "ejection", "#busy with", "#mean ms", "version")
    return (
        f'<section class="card"><div class="head"><h3>{escape(service.name)}</h3>{panic}{none}'
        f"<span>{counts}</span></div>{_table(titles, rows) if rows else ''}</section>"
    )


def _instance(instance: InstanceStatus) -> Sequence[str]:
    ejection = _tag("in use", "good") if instance.ejection == "closed" else _tag("ejected", "bad")
    probe = _tag("probe is due", "warn")
    return (
        f"<code>{escape(instance.id)}</code>",
        f"<code>{escape(instance.address)}</code>",
        _tag(instance.breaker, _KINDS.get(instance.breaker, "warn")),
        probe if instance.ejection == "half-open" else ejection,
        str(instance.outstanding),
        f"{instance.mean_ms:.2f}",
        escape(instance.version),
    )


def _routes(status: Status) -> str:
    rows = [
        (
            f"<code>{escape(route.method)}</code>",
            f"<code>{escape(route.path)}</code>",
            escape(route.service),
            escape(route.answered_by),
        )
        for route in status.routes
    ]
    titles = ("method", "path", "declared by", "answered by")
    return f'<h2>Routes</h2><section class="card">{_table(titles, rows)}</section>'


def _refused(status: Status) -> str:
    rows = [
        (
            escape(route.service),
            f"<code>{escape(route.method)} {escape(route.path)}</code>",
            escape(route.why),
        )
        for route in status.refused_routes
    ]
    rows += [
        (f"<code>{escape(name)}</code>", "instance", escape(why))
        for name, why in status.refused_instances.items()
    ]
    if not rows:
        return "</main>"
    table = _table(("who", "what", "why"), rows)
    return f'<h2>Refused</h2><section class="card">{table}</section></main>'


def _tag(text: str, kind: str) -> str:
    return f'<span class="tag {kind}">{escape(text)}</span>'


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a title that begins with # marks a column of numbers."""
    kinds = [' class="n"' if title.startswith("#") else "" for title in titles]
    head = "".join(
        f"<th{kind}>{title.removeprefix('#')}</th>" for kind, title in zip(kinds, titles, strict=True)
    )
    lines = ("".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True)) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


#: The label of what waits while a rollout pauses the gateway itself. No service has this name.
_GATEWAY = "gateway"
_STATES = {"closed": 0, "half-open": 1, "open": 2}


class UpstreamMetrics(Collector):
    """Collects the series of the endpoints that are ready; one that is gone has no series any more."""

    def __init__(
        self,
        pools: Pools,
        clock: Callable[[], float] = monotonic,
        own: Callable[[], Waits | None] = lambda: None,
    ) -> None:
        self._pools = pools
        self._clock = clock
        self._own = own

    def collect(self) -> Iterable[Metric]:
        """Yield each metric."""
        yield from self._instances()
        yield from self._services()
        yield from self._waits()

    def _instances(self) -> Iterable[Metric]:
        now = self._clock()
        busy = _gauge("outstanding", "Requests that an endpoint has not answered yet", "endpoint")
        mean = _gauge("answer_seconds", "Mean seconds until an endpoint's answer begins", "endpoint")
        breaker = _gauge("breaker", "An endpoint's breaker: 0 closed, 1 half-open, 2 open", "endpoint")
        ejected = _gauge(
            "ejected", "Whether an endpoint is ejected: 0 no, 1 a probe is due, 2 yes", "endpoint"
        )
        for endpoint in self._pools.instances():
            name = [endpoint.instance.id]
            busy.add_metric(name, endpoint.outstanding)
            mean.add_metric(name, endpoint.mean_s)
            breaker.add_metric(name, _STATES[endpoint.breaker.state(now)])
            ejected.add_metric(name, _STATES[endpoint.ejection.state(now)])
        return [busy, mean, breaker, ejected]

    def _services(self) -> Iterable[Metric]:
        retries = _counter("retries", "Requests that were sent once more")
        refused = _counter("retries_refused", "Retries that there was no budget for")
        ejections = _counter("ejections", "Endpoints that were ejected")
        for pool in self._pools.all():
            name = [pool.name]
            retries.add_metric(name, pool.budget.spent)
            refused.add_metric(name, pool.budget.refused)
            ejections.add_metric(name, pool.outliers.ejected)
        return [retries, refused, ejections]

    def _waits(self) -> Iterable[Metric]:
        waiting = _gauge(
            "waiting", "Requests that wait for a service, its primary, or the end of a pause", "upstream"
        )
        waited = _counter("waited", "Requests that have waited")
        seconds = _counter("waited_seconds", "Seconds that requests have waited, all together")
        refused = _counter("waits_refused", "Requests that could not wait, or not longer")
        found = [(pool.name, pool.absence.waits) for pool in self._pools.all()]
        if (own := self._own()) is not None:
            found.append((_GATEWAY, own))
        for name, waits in found:
            waiting.add_metric([name], waits.now)
            waited.add_metric([name], waits.requests)
            seconds.add_metric([name], waits.seconds)
            refused.add_metric([name], waits.refused)
        return [waiting, waited, seconds, refused]


def _gauge(name: str, what: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"bookshelf_gateway_{name}", what, labels=[label])


def _counter(name: str, what: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"bookshelf_gateway_{name}", what, labels=["upstream"])

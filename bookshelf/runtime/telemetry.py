"""Metrics, one registry a service: what is counted, timed and shown at /metrics."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

#: Seconds: from a cached answer to a client's patience.
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class OwnerMeters:
    """What the owners of one aggregate do with the log."""

    def __init__(self, events: Histogram, seconds: Histogram) -> None:
        self._events = events
        self._seconds = seconds

    @contextmanager
    def append(self, events: int) -> Iterator[None]:
        """Time one append."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds.observe(time.perf_counter() - began)
            self._events.observe(events)


class ViewMeters:
    """How far one view is, and what it could not apply."""

    def __init__(self, view: str, offset: Gauge, parked: Counter) -> None:
        self._view = view
        self._offset = offset
        self._parked = parked.labels(view)

    def applied(self, partition: int, offset: int, parked: int) -> None:
        """Note that everything below `offset` is in, and how many records of it were parked."""
        self._offset.labels(self._view, str(partition)).set(offset)
        self._parked.inc(parked)


class Meters:
    """The metrics of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._append_events = self._histogram("append_events", "Events in one append", _SIZES, "aggregate")
        self._append_seconds = self._histogram(
            "append_seconds", "Seconds until an append was durable", _SECONDS, "aggregate"
        )
        self._view_offset = Gauge(
            "bookshelf_view_offset",
            "Offset that is applied next",
            ("view", "partition"),
            registry=self._registry,
        )
        self._parked = Counter("bookshelf_view_parked", "Records parked", ("view",), registry=self._registry)
        self._requests = self._histogram(
            "request_seconds", "Seconds until a request was answered", _SECONDS, "method", "route", "status"
        )
        self._answers: dict[tuple[str, str, int], Histogram] = {}

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"bookshelf_{name}", what, labels, buckets=buckets, registry=self._registry)

    def owner(self, aggregate: str) -> OwnerMeters:
        """Return the meters of an aggregate's owners."""
        return OwnerMeters(self._append_events.labels(aggregate), self._append_seconds.labels(aggregate))

    def view(self, name: str) -> ViewMeters:
        """Return the meters of a view."""
        return ViewMeters(name, self._view_offset, self._parked)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note one answer to a request."""
        key = (method, route, status)
        child = self._answers.get(key)
        if child is None:
            child = self._answers[key] = self._requests.labels(method, route, str(status))
        child.observe(seconds)

    def also(self, collector: Collector) -> None:
        """Show what someone else counts, too."""
        self._registry.register(collector)

    def page(self) -> tuple[str, bytes]:
        """Return the media type and the text of /metrics."""
        return CONTENT_TYPE_LATEST, generate_latest(self._registry)

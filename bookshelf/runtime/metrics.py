"""The metrics of a service, in one registry: counters, histograms and gauges for /metrics."""

import platform
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from bookshelf import __version__

#: The buckets of durations in seconds, from a cached answer to a client's time-out.
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class OwnerMeters:
    """Counts and times the appends of one aggregate's owners, and counts what led to none."""

    def __init__(self, aggregate: str, events: Histogram, seconds: Histogram, ignored: Counter) -> None:
        self._aggregate = aggregate
        self._events = events
        self._seconds = seconds
        self._ignored = ignored

    def ignored(self, command: str) -> None:
        """Count a command of this type that was accepted and has changed nothing, or that was repeated."""
        self._ignored.labels(self._aggregate, command).inc()

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
    """Shows the applied offsets of one view, and counts its dead letters."""

    def __init__(self, view: str, offset: Gauge, dead_letters: Counter) -> None:
        self._view = view
        self._offset = offset
        self._dead_letters = dead_letters.labels(view)

    def applied(self, partition: int, offset: int, dead_letters: int) -> None:
        """Record that everything below `offset` is applied, and how many of it became dead letters."""
        self._offset.labels(self._view, str(partition)).set(offset)
        self._dead_letters.inc(dead_letters)


class ProcessMeters:
    """Counts the commands of one process by their arrows, and times the calls of a connector."""

    def __init__(self, process: str, commands: Counter, calls: Histogram) -> None:
        self._process = process
        self._commands = commands
        self._calls = calls

    def sent(self, arrows: Iterable[str]) -> None:
        """Count the commands of one append."""
        for arrow in arrows:
            self._commands.labels(self._process, arrow).inc()

    def called(self, seconds: float, *, failed: bool) -> None:
        """Note one call of a connector."""
        self._calls.labels(self._process, "failed" if failed else "done").observe(seconds)


#: What each gauge of a service is, and its labels. None is called instance or service: Prometheus has these.
_GAUGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "view_offset": ("Offset that is applied next", ("view", "partition")),
    "view_lag_records": ("Records of the log that a view has not applied", ("view", "partition")),
    "view_lag_seconds": ("Seconds since a view was up to date", ("view", "partition")),
    "view_dead_letters": ("Records that are dead letters of a view now", ("view",)),
    "owner_lag_records": ("Records that an owner has not read back", ("aggregate", "partition")),
    "owner_lag_seconds": ("Seconds since an owner had read everything", ("aggregate", "partition")),
    "process_lag_records": ("Events that a process has not acted on", ("process", "partition")),
    "process_lag_seconds": ("Seconds since a process was up to date", ("process", "partition")),
    "process_dead_letters": ("Records that are dead letters of a process now", ("process",)),
    "partitions": ("Partitions of an aggregate's topic", ("aggregate",)),
    "owned_partitions": ("Partitions that are owned and served here", ("aggregate",)),
    "queued_commands": ("Commands that wait for their owner", ("aggregate",)),
    "build_info": ("The version that runs; always 1", ("version", "python")),
}
#: By partition: records, and seconds.
Lags = Mapping[int, tuple[int, float]]


class Meters:
    """The metrics of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._gauges = {
            name: Gauge(f"bookshelf_{name}", what, labels, registry=self._registry)
            for name, (what, labels) in _GAUGES.items()
        }
        #: The partitions that have a lag, by what lags.
        self._lagging: dict[tuple[str, str], frozenset[int]] = {}
        self._gauges["build_info"].labels(__version__, platform.python_version()).set(1)
        self._append_events = self._histogram("append_events", "Events in one append", _SIZES, "aggregate")
        self._append_seconds = self._histogram(
            "append_seconds", "Seconds until an append was durable", _SECONDS, "aggregate"
        )
        self._ignored = Counter(
            "bookshelf_commands_without_events",
            "Commands that have changed nothing",
            ("aggregate", "command"),
            registry=self._registry,
        )
        self._dead_letters = Counter(
            "bookshelf_view_parked", "Records that became dead letters", ("view",), registry=self._registry
        )
        self._process_commands = Counter(
            "bookshelf_process_commands",
            "Commands that a process has sent",
            ("process", "arrow"),
            registry=self._registry,
        )
        self._connector_calls = self._histogram(
            "connector_call_seconds",
            "Seconds that a call of a provider took",
            _SECONDS,
            "connector",
            "result",
        )
        self._requests = self._histogram(
            "request_seconds", "Seconds until a request was answered", _SECONDS, "method", "route", "status"
        )
        self._answers: dict[tuple[str, str, int], Histogram] = {}

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"bookshelf_{name}", what, labels, buckets=buckets, registry=self._registry)

    def owner(self, aggregate: str) -> OwnerMeters:
        """Return the meters of an aggregate's owners."""
        appends = self._append_events.labels(aggregate), self._append_seconds.labels(aggregate)
        return OwnerMeters(aggregate, *appends, self._ignored)

    def view(self, name: str) -> ViewMeters:
        """Return the meters of a view."""
        return ViewMeters(name, self._gauges["view_offset"], self._dead_letters)

    def process(self, name: str) -> ProcessMeters:
        """Return the meters of a process."""
        return ProcessMeters(name, self._process_commands, self._connector_calls)

    def owners(self, aggregate: str, owned: int, partitions: int, queued: int) -> None:
        """Note how many partitions are owned here, of how many, and how many commands wait."""
        self._gauges["owned_partitions"].labels(aggregate).set(owned)
        self._gauges["partitions"].labels(aggregate).set(partitions)
        self._gauges["queued_commands"].labels(aggregate).set(queued)

    def owner_lag(self, aggregate: str, lags: Lags) -> None:
        """Note the lag of each partition that is owned here; others leave no series behind."""
        self._lag("owner", aggregate, lags)

    def view_lag(self, view: str, lags: Lags) -> None:
        """Note the lag of each partition that a view follows here."""
        self._lag("view", view, lags)

    def process_lag(self, process: str, lags: Lags) -> None:
        """Note the lag of each partition in which a process runs here."""
        self._lag("process", process, lags)

    def _lag(self, kind: str, name: str, lags: Lags) -> None:
        records, seconds = self._gauges[f"{kind}_lag_records"], self._gauges[f"{kind}_lag_seconds"]
        gone = self._lagging.get((kind, name), frozenset()) - lags.keys()
        self._lagging[kind, name] = frozenset(lags)
        for partition in gone:
            records.remove(name, str(partition))
            seconds.remove(name, str(partition))
        for partition, lag in lags.items():
            records.labels(name, str(partition)).set(lag[0])
            seconds.labels(name, str(partition)).set(lag[1])

    def process_dead_letters(self, process: str, count: int) -> None:
        """Note how many dead letters a process has in the partitions here."""
        self._gauges["process_dead_letters"].labels(process).set(count)

    def dead_letters(self, view: str, count: int) -> None:
        """Note how many dead letters a view has."""
        self._gauges["view_dead_letters"].labels(view).set(count)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note one answer to a request. A method that is not common is counted as `other`.

        A client must not be able to add series by inventing methods.
        """
        key = (method if method in _METHODS else "other", route, status)
        child = self._answers.get(key)
        if child is None:
            child = self._answers[key] = self._requests.labels(key[0], route, str(status))
        child.observe(seconds)

    def also(self, collector: Collector) -> None:
        """Add another collector's metrics to the page."""
        self._registry.register(collector)

    def page(self) -> tuple[str, bytes]:
        """Return the media type and the text of /metrics."""
        return CONTENT_TYPE_LATEST, generate_latest(self._registry)

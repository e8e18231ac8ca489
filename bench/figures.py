"""Statistics of measurements: medians, percentiles, and the spread over several runs."""

from collections.abc import Sequence
from statistics import median

import msgspec

from bench.measurement import Figures


class Spread(msgspec.Struct, frozen=True):
    """One figure over all runs: its median, its extremes, and the value of each run."""

    median: float
    min: float
    max: float
    runs: list[float]


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of a figure's values, one for each run."""
    rounded = [short(value) for value in values]
    return Spread(short(median(values)), min(rounded), max(rounded), rounded)


def together(samples: Sequence[Figures]) -> dict[str, dict[str, Spread]]:
    """Return the spread of every figure; all samples have the same ones."""
    return {
        group: {name: spread([sample[group][name] for sample in samples]) for name in figures}
        for group, figures in samples[0].items()
    }


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below or at which `percent` of the values lie (the nearest rank)."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1]


def latencies(seconds: Sequence[float]) -> dict[str, float]:
    """Return the median and the 99th percentile in milliseconds."""
    return {"p50_ms": 1e3 * percentile(seconds, 50), "p99_ms": 1e3 * percentile(seconds, 99)}


def short(value: float) -> float:
    """Return a figure with four significant digits, or as an integer if it has more before the point."""
    return float(round(value)) if abs(value) >= 1000 else float(f"{value:.4g}")  # noqa: PLR2004 (four digits)

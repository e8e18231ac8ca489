"""Turns values into the geometry of charts: bars, lines and heat maps, which templates draw as SVG."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

#: The side of a day in a heat map and the distance from one to the next, in units of the drawing.
DAY = 11.0
STEP = 13.0
#: The greatest level of a heat map; 0 is nothing.
LEVELS = 4
_DAYS = 7


class Bar(NamedTuple):
    """One bar: its rectangle, the middle of its label, and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    middle: float
    label: str
    value: float


class Bars(NamedTuple):
    """A bar chart: the size of its drawing, its bars, and the heights of its grid lines by value."""

    width: float
    height: float
    bars: tuple[Bar, ...]
    grid: tuple[tuple[float, float], ...]
    highest: float


class Line(NamedTuple):
    """A line chart: the size of its drawing, its points, the polyline and the area below it."""

    width: float
    height: float
    points: tuple[tuple[float, float, str, float], ...]
    line: str
    area: str
    highest: float


class Day(NamedTuple):
    """One day of a heat map: its corner, its level from 0 to LEVELS, and what it stands for."""

    x: float
    y: float
    level: int
    day: date
    value: float


class HeatMap(NamedTuple):
    """A heat map of days in columns of weeks: its size, its days, and the corners of the months' labels."""

    width: float
    height: float
    days: tuple[Day, ...]
    months: tuple[tuple[float, date], ...]
    busy: int


def nice_step(highest: float, lines: int = 4) -> float:
    """Return the distance of at most `lines` grid lines: 1, 2 or 5 times a power of ten, 1 at the least."""
    power = 1.0
    while power * 10 * lines <= highest:
        power *= 10
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * lines >= highest)


def bars(
    values: Sequence[tuple[str, float]], width: float = 640.0, height: float = 180.0, gap: float = 0.3
) -> Bars:
    """Return a bar chart of labels and values; `gap` is the part of each column that stays empty."""
    highest = max((value for _, value in values), default=0.0)
    step = nice_step(highest)
    top = max(step * -(-highest // step), step)
    column = width / max(len(values), 1)
    drawn = []
    for place, (label, value) in enumerate(values):
        tall = round(height * value / top, 2)
        x = round(place * column + column * gap / 2, 2)
        middle = round((place + 0.5) * column, 2)
        drawn.append(
            Bar(x, round(height - tall, 2), round(column * (1 - gap), 2), tall, middle, label, value)
        )
    return Bars(width, height, tuple(drawn), _grid(top, step, height), highest)


def _grid(top: float, step: float, height: float) -> tuple[tuple[float, float], ...]:
    count = round(top / step)
    return tuple((round(height - height * n / count, 2), round(step * n, 6)) for n in range(1, count + 1))


def line(values: Sequence[tuple[str, float]], width: float = 640.0, height: float = 160.0) -> Line:
    """Return a line chart of labels and values."""
    highest = max((value for _, value in values), default=0.0)
    across = width / max(len(values) - 1, 1)
    points = tuple(
        (
            round(place * across, 2),
            round(height - (height * value / highest if highest else 0), 2),
            label,
            value,
        )
        for place, (label, value) in enumerate(values)
    )
    drawn = " ".join(f"{x:g},{y:g}" for x, y, _, _ in points)
    area = f"0,{height:g} {drawn} {points[-1][0]:g},{height:g}" if points else ""
    return Line(width, height, points, drawn, area, highest)


def heat_map(values: Mapping[date, float], first: date, last: date, week_start: int = 0) -> HeatMap:
    """Return a heat map of the days from first to last. `week_start`: 0 for Monday, 6 for Sunday."""
    begin = first - timedelta(days=(first.weekday() - week_start) % _DAYS)
    limits = _limits(value for value in values.values() if value > 0)
    days = []
    for n in range((last - first).days + 1):
        day = first + timedelta(days=n)
        week, weekday = divmod((day - begin).days, _DAYS)
        value = values.get(day, 0)
        level = sum(value >= limit for limit in limits) if value > 0 else 0
        days.append(Day(week * STEP, weekday * STEP, level, day, value))
    months = tuple((one.x, one.day) for one in days if one.day.day == 1)
    width = (days[-1].x if days else 0) + DAY
    busy = sum(1 for one in days if one.level)
    return HeatMap(width, _DAYS * STEP - (STEP - DAY), tuple(days), months, busy)


def _limits(values: Iterable[float]) -> tuple[float, ...]:
    """Return the least value of each level: the quartiles, so that a single large value hides no other."""
    found = sorted(values)
    if not found:
        return ()
    return tuple(found[len(found) * quarter // LEVELS] for quarter in range(LEVELS))

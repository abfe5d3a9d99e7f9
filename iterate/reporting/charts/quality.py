"""Charts of predictions: calibration, quantities against the truth; and of cost against score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from iterate.pages.axis import LogAxis, axis_of, log_axis_of
from iterate.reporting.charts.svg import Frame, chart, element, framed, label
from iterate.reporting.figures import number, percent, seconds_text
from iterate_core.inference.judging.reliability import BINS, Reliability

_SQUARE = 380.0
_BARS = 40
_MOST_DOTS = 1500
# Seconds at which an axis of times may have a tick.
_MARKS = (0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 10800, 36000, 86400, 259200, 864000)


def reliability_chart(found: Reliability) -> Markup:
    """How often what is predicted with some confidence comes true, beside what should."""
    frame = Frame(axis_of(0.0, 1.0), axis_of(0.0, 1.0), _SQUARE, _SQUARE)
    parts = frame.axes("confidence", "share that is right")
    total = int(found.counts.sum())
    bottom = frame.down(0.0)
    for place in range(BINS):
        count = int(found.counts[place])
        if not count:
            continue
        low, high = place / BINS, (place + 1) / BINS
        right, sure = float(found.right[place]), float(found.confidence[place])
        title = (
            f"confidence {low:.2f} to {high:.2f}: {count} predictions ({percent(count / total)}), "
            f"mean confidence {sure:.3f}, right {right:.3f}"
        )
        left, top = frame.right(low), frame.down(right)
        parts.append(
            element(
                "rect",
                element("title", title),
                x=left + 1,
                y=top,
                width=frame.right(high) - left - 2,
                height=max(1.0, bottom - top),
                class_="bar",
                style=f"--share:{0.25 + 0.75 * (count / total) ** 0.5:.2f}",
            )
        )
        parts.append(frame.dot(sure, right, "series s1", title, 3.0))
    parts.append(frame.line([(0.0, 0.0), (1.0, 1.0)], "line ideal"))
    told = f"Reliability diagram: expected calibration error {number(found.error)}"
    return chart(told, parts, _SQUARE, _SQUARE)


def scatter_chart(pairs: npt.NDArray[np.float64], name: str) -> Markup:
    """Predicted against true values.

    Args:
        pairs: (n, 2) true and predicted.
        name: Of the quantity, with its unit.
    """
    axis = axis_of(float(pairs.min()), float(pairs.max()))
    frame = Frame(axis, axis, _SQUARE, _SQUARE)
    parts = frame.axes(f"true {name}", f"predicted {name}")
    parts.append(frame.line([(axis.ticks[0],) * 2, (axis.ticks[-1],) * 2], "line ideal"))
    step = max(1, -(-len(pairs) // _MOST_DOTS))
    parts += [
        frame.dot(float(x), float(y), "series s0 faint", f"true {x:.4g}, predicted {y:.4g}", 2.5)
        for x, y in pairs[::step]
    ]
    return chart(
        f"Predicted against true {name}, {len(pairs[::step])} values", parts, _SQUARE, _SQUARE
    )


def residual_chart(pairs: npt.NDArray[np.float64], name: str) -> Markup:
    """How often a prediction is off by how much."""
    errors = pairs[:, 1] - pairs[:, 0]
    counts, edges = np.histogram(errors, bins=_BARS)
    frame = framed([float(edges[0]), float(edges[-1])], (0.0, float(counts.max())))
    parts = frame.axes(f"predicted − true {name}", "values")
    bottom = frame.down(0.0)
    for place, count in enumerate(counts.tolist()):
        if count:
            left, right = frame.right(float(edges[place])), frame.right(float(edges[place + 1]))
            top = frame.down(float(count))
            title = f"{edges[place]:.4g} to {edges[place + 1]:.4g}: {count}"
            size = {"x": left, "y": top, "width": max(0.5, right - left - 0.5)}
            parts.append(
                element("rect", element("title", title), **size, height=bottom - top, class_="bar")
            )
    return chart(f"Residuals of {name}: mean {errors.mean():.4g}", parts)


class Costed(NamedTuple):
    """A study in a chart of cost against score.

    Attributes:
        name: Its label.
        seconds: What it cost.
        score: What it came to.
        low: Lower end of the score's interval; None where not known.
        high: Upper end.
    """

    name: str
    seconds: float
    score: float
    low: float | None
    high: float | None


def cost_chart(rows: Sequence[Costed], cost: str, score: str) -> Markup | None:
    """Score against cost, the latter on a logarithmic axis."""
    drawn = [row for row in rows if row.seconds > 0]
    if not drawn:
        return None
    ends = [end for row in drawn for end in (row.low, row.high, row.score) if end is not None]
    times = [row.seconds for row in drawn]
    frame = Frame(
        _Times(log_axis_of(min(times), max(times), _MARKS)), axis_of(min(ends), max(ends))
    )
    parts = frame.axes(cost, score)
    for number_, row in enumerate(drawn):
        at, looks = row.seconds, f"series s{number_ % 8}"
        if row.low is not None and row.high is not None:
            parts.append(frame.line([(at, row.low), (at, row.high)], f"line {looks}"))
        title = f"{row.name}: {number(row.score)}, {seconds_text(row.seconds)}"
        parts.append(frame.dot(at, row.score, looks, title, 6.0))
        right = frame.right(at)
        near_end = right > 0.7 * frame.width
        shift = -10 if near_end else 10
        end = "end" if near_end else "start"
        parts.append(label(row.name, right + shift, frame.down(row.score) - 8, end, "halo"))
    return chart(f"{score} against {cost} of {len(drawn)} studies", parts)


@dataclass(frozen=True)
class _Times:
    """A logarithmic axis of seconds."""

    axis: LogAxis

    @property
    def ticks(self) -> tuple[float, ...]:
        return self.axis.ticks

    def share(self, value: float) -> float:
        return self.axis.share(value)

    def text(self, tick: float) -> str:
        return seconds_text(tick)

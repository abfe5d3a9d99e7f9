"""Metric points, and the names and values that MLflow accepts."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from iterate.tracking.records import RunRecord, StudyRecord

_NAME_LENGTH = 250
_PARAM_LENGTH = 6000
_TAG_LENGTH = 8000


class Point(NamedTuple):
    """One point of a curve, as MLflow keeps it."""

    key: str
    step: int
    timestamp_ms: int
    value: float

    @property
    def content(self) -> tuple[int, str]:
        """What makes two points of a curve the same one; NaN equals NaN."""
        return self.step, repr(stored(self.value))


def curves(record: RunRecord | StudyRecord) -> dict[str, list[Point]]:
    """The metrics of every epoch, by name, each curve in ascending order of step."""
    epochs = record.epochs if isinstance(record, RunRecord) else record.history
    found: dict[str, list[Point]] = {}
    for epoch in epochs:
        for name, value in epoch.metrics.items():
            key = legal_name(name)
            point = Point(key, epoch.epoch, epoch.timestamp_ms, stored(value))
            found.setdefault(key, []).append(point)
    return found


def figures(record: RunRecord | StudyRecord, now_ms: int) -> list[Point]:
    """The single figures, dated to the run's end or else to now.

    Their step is 0, by which the dashboard knows to draw bars; so the date decides which of two
    values is the latest.
    """
    return [
        Point(legal_name(name), 0, record.end_ms or now_ms, stored(value))
        for name, value in record.metrics.items()
    ]


def stored(value: float) -> float:
    """The value as a database column can hold it: infinity becomes the largest number."""
    value = float(value)
    if math.isinf(value):
        return math.copysign(sys.float_info.max, value)
    return value


def legal_name(name: str) -> str:
    """The name with what MLflow refuses replaced by ``_``, such as brackets in a class name."""
    name = re.sub(r"[^\w\-. :/]", "_", name, flags=re.ASCII)[:_NAME_LENGTH]
    return "/".join(part if part.strip(".") else "_" for part in name.split("/"))


def param_values(params: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as MLflow keeps them: text, of a limited length."""
    return {legal_name(name): _cut(str(value), _PARAM_LENGTH) for name, value in params.items()}


def tag_values(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags as MLflow keeps them: text, of a limited length."""
    return {legal_name(name): _cut(str(value), _TAG_LENGTH) for name, value in tags.items()}


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"

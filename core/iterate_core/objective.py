"""The one objective that sampler, scheduler, early stopping and checkpointing all ask."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from iterate_core.errors import WorkError
from iterate_core.registry.options import Section


class Objective(Section):
    """What a study optimises: a metric, the split it is measured on, and its direction.

    `metric` and `mode` may be left out of a YAML file: they are then the task's own.
    """

    metric: str | None = None
    split: Literal["train", "val"] = "val"
    mode: Literal["max", "min"] | None = None

    @property
    def key(self) -> str:
        """The name under which an epoch reports it: ``val/accuracy``."""
        return f"{self.split}/{self.metric}"

    def read(self, metrics: Mapping[str, float], split: str | None = None) -> float:
        """The objective's value among an epoch's metrics.

        Args:
            metrics: By names such as ``val/accuracy``.
            split: Read that of another split, such as ``test``.

        Raises:
            WorkError: It is missing or not finite; it never becomes a number.
        """
        key = self.key if split is None else f"{split}/{self.metric}"
        if key not in metrics:
            raise WorkError(f"the objective {key} was not reported; got {sorted(metrics)}")
        value = metrics[key]
        if not math.isfinite(value):
            raise WorkError(f"the objective {key} is {value}")
        return value

    def better(self, value: float, than: float | None, by: float = 0.0) -> bool:
        """Whether `value` beats `than` by more than `by`; anything beats None."""
        if than is None:
            return True
        return value > than + by if self.mode == "max" else value < than - by

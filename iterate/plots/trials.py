"""What the plots are drawn from."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from iterate.states import State


@dataclass(frozen=True)
class PlottedTrial:
    """One trial, as the plots need it.

    Attributes:
        number: In the order in which trials were begun.
        params: Exactly the active parameters.
        state: Trials that wait or run are drawn as far as they have come.
        value: The objective at the best epoch, be it of a trial that was stopped; None where the
            trial has none.
        curve: (epoch, objective) pairs in ascending order; values that are not finite are
            left out of the picture.
    """

    number: int
    params: Mapping[str, Any]
    state: State
    value: float | None
    curve: tuple[tuple[int, float], ...] = ()

    @property
    def points(self) -> list[tuple[int, float]]:
        """The finite part of the curve."""
        return [(epoch, value) for epoch, value in self.curve if math.isfinite(value)]

    @property
    def shown(self) -> float | None:
        """The objective, or for a trial without one the last that it reported."""
        if self.value is not None and math.isfinite(self.value):
            return self.value
        return self.points[-1][1] if self.points else None


@dataclass(frozen=True)
class PlottedStudy:
    """One study, as the plots need it.

    Attributes:
        name: The title.
        objective: The axis: ``"val/accuracy"``.
        mode: The objective's direction.
        importances: Parameter → share of the objective's variance it explains; may be empty.
        log: The parameters that were searched on a logarithmic scale.
        choices: The parameters that take one of some given values, numbers among them.
    """

    name: str
    objective: str
    mode: Literal["max", "min"]
    trials: tuple[PlottedTrial, ...]
    importances: Mapping[str, float] = field(default_factory=dict)
    log: Collection[str] = frozenset()
    choices: Collection[str] = frozenset()

    @property
    def complete(self) -> list[PlottedTrial]:
        """The trials that were trained to the end and have a finite objective."""
        return [t for t in self.trials if t.state == "COMPLETE" and t.shown is not None]

    @property
    def best(self) -> PlottedTrial | None:
        """The best complete trial; the first of equals."""
        best: PlottedTrial | None = None
        for trial in self.complete:
            if best is None or self.better(trial.shown or 0.0, best.shown or 0.0):
                best = trial
        return best

    def better(self, value: float, than: float) -> bool:
        """Whether a value beats another."""
        return value > than if self.mode == "max" else value < than


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Each name's shortest ending, at a dot or slash, that no other of the names shares."""
    parts = {name: re.split(r"[./]", name) for name in names}
    short = {}
    for name, own in parts.items():
        for length in range(1, len(own) + 1):
            ending = own[-length:]
            if sum(other[-length:] == ending for other in parts.values()) == 1:
                break
        short[name] = ".".join(own[-length:])
    return short

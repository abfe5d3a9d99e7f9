"""What the models of a leaderboard cost, as far as the runs that made them have said."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from iterate.bench.leaderboard.about import Made
from iterate.bench.leaderboard.entries import BoardEntry
from iterate.bench.leaderboard.provenance import made_of
from iterate.bench.leaderboard.rows import Leaderboard
from iterate.bench.suites.suite import SuiteBackbone

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0


def counted(value: float) -> str:
    """Parameters, as the field counts them: ``11.2 M``, ``1.3 B``."""
    return _short(value, ("", "k", "M", "B", "T")).strip()


def operations(value: float) -> str:
    """Floating-point operations: ``3.6 GFLOP``."""
    return f"{_short(value, ('', 'k', 'M', 'G', 'T', 'P', 'E'))}FLOP"


def _short(value: float, units: Sequence[str]) -> str:
    """A number of three digits in the unit that makes it short, each 1,000 of the one before."""
    power = 0
    while value >= 999.5 and power < len(units) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.3g} {units[power]}"


def duration(seconds: float) -> str:
    """A time in the largest unit that it fills: ``2.5 min``."""
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


@dataclass(frozen=True)
class CostKind:
    """A kind of cost.

    Attributes:
        key: Its name in JSON.
        title: Its name for people.
        meaning: What it counts, in a sentence.
        made: Of the models of one cell; None where not known.
        text: A figure of it for people.
        listed: Of a backbone as the suite lists it, where it is none of models.
        marks: What may stand at its axis; see `log_axis_of`.
        timed: Whether it depends on the device.
    """

    key: str
    title: str
    meaning: str
    made: Callable[[Made], float | None]
    text: Callable[[float], str]
    listed: Callable[[SuiteBackbone], float | None] | None = None
    marks: tuple[float, ...] = ()
    timed: bool = False

    def of(self, cells: Collection[Made], listed: SuiteBackbone | None) -> float | None:
        """The mean over cells; None where there are none, or one of them does not tell it."""
        if self.listed is not None:
            return None if listed is None else self.listed(listed)
        told = [value for cell in cells if (value := self.made(cell)) is not None]
        return sum(told) / len(told) if told and len(told) == len(cells) else None


def listed_size(backbone: SuiteBackbone) -> float | None:
    """``300M`` as a number; None where a suite gives no size, or one in other words."""
    text = (backbone.size or "").strip()
    scale = {"k": 1e3, "M": 1e6, "B": 1e9}.get(text[-1:])
    try:
        size = float(text if scale is None else text[:-1]) * (scale or 1.0)
    except ValueError:
        return None
    return size if size > 0 else None


_TIMES = tuple(
    count * unit
    for unit, counts in (
        (1.0, (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)),
        (_MINUTE, (1, 2, 5, 10, 20)),
        (_HOUR, (1, 2, 5, 10)),
        (_DAY, (1, 2, 5, 10, 20, 50, 100)),
    )
    for count in counts
)

KINDS = (
    CostKind(
        "parameters",
        "Parameters",
        "Parameters of the whole model, its decoder's included.",
        lambda made: made.parameters,
        counted,
    ),
    CostKind(
        "trained_parameters",
        "Trained parameters",
        "Those parameters of the whole model that train.",
        lambda made: made.trained_parameters,
        counted,
    ),
    CostKind(
        "flops",
        "Operations an image",
        "Floating-point operations of predicting one image: of matrix products and convolutions, "
        "a multiplication and an addition each.",
        lambda made: made.flops,
        operations,
    ),
    CostKind(
        "repeat_seconds",
        "Training time",
        "Wall time of training the best point once, validation included: the mean over repeats. "
        "Features that were kept by an earlier training cost nothing in it.",
        lambda made: made.repeat_seconds,
        duration,
        marks=_TIMES,
        timed=True,
    ),
    CostKind(
        "listed_size",
        "Size as listed",
        "The backbone's parameters, rounded as the benchmark lists them; decoders are not in it.",
        lambda _: None,
        counted,
        listed=listed_size,
    ),
)
"""All kinds of cost, the model's own first."""


def costs_of(
    board: Leaderboard, entry: BoardEntry, datasets: Collection[str]
) -> dict[str, float | None]:
    """An entry's mean costs over datasets, by kind; None where one of them does not tell it."""
    cells = {cell.dataset: cell for cell in made_of(board, entry, datasets)}
    whole = list(cells.values()) if len(cells) == len(datasets) else []
    listed = board.suite.backbones.get(entry.backbone)
    return {kind.key: kind.of(whole, listed) for kind in KINDS}


def devices(board: Leaderboard, entries: Collection[BoardEntry], datasets: Collection[str]) -> str:
    """What to say of the devices on which models were timed."""
    cells = [cell for entry in entries for cell in made_of(board, entry, datasets)]
    names = sorted({name for cell in cells for name in cell.devices})
    if len(names) > 1:
        return f"Timed on different devices ({', '.join(names)}): these times do not compare."
    return f"Timed on {names[0]}." if names else ""

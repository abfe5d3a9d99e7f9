"""What a learning-rate range test showed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

if TYPE_CHECKING:
    from iterate_core.engine.learning.range_test import RangeTest

_ROWS = 25
_BAR = 40  # characters


def rates_table(found: RangeTest) -> Table:
    """The smoothed loss over the rate, some steps a row, and the rate that is suggested."""
    table = Table(title="Learning-rate range test")
    for heading in ("optimiser.lr", "loss", "smoothed"):
        table.add_column(heading, justify="right")
    table.add_column("")
    chosen = {*np.linspace(0, len(found.rates) - 1, _ROWS).round().astype(int).tolist()}
    marks = {found.lowest: "  ← least"}
    if found.suggested is not None:
        marks[found.suggested] = "  ← falls most steeply"
    chosen |= {step for step, rate in enumerate(found.rates.tolist()) if rate in marks}
    for step in sorted(chosen):
        rate, loss, smoothed = found.rates[step], found.losses[step], found.smoothed[step]
        bar, mark = _bar(float(smoothed), found), marks.get(float(rate), "")
        table.add_row(f"{rate:.2e}", f"{loss:.4f}", f"{smoothed:.4f}", f"{bar}{mark}")
    return table


def _bar(loss: float, found: RangeTest) -> str:
    """Its length from the least loss to the first; of what is above that, cut there."""
    if not np.isfinite(loss):
        return "diverged"
    first, least = float(found.smoothed[0]), float(np.nanmin(found.smoothed))
    share = (loss - least) / (first - least) if first > least else 1.0
    return "█" * round(_BAR * min(max(share, 0.0), 1.0)) + ("+" if loss > first else "")


def advice(found: RangeTest) -> str:
    """What to make of it, in a sentence."""
    if found.suggested is None:
        return "The loss falls at none of these rates: try others, or more steps."
    ending = ", and breaks away above it" if found.diverged else ""
    return (
        f"[bold]suggested[/]  optimiser.lr={found.suggested:.2g}, where the loss falls most "
        f"steeply; it is least at {found.lowest:.2g}{ending}"
    )


def as_mapping(found: RangeTest) -> dict[str, Any]:
    """The same for machines; what is no number is null."""

    def plain(values: Any) -> list[float | None]:
        return [float(value) if np.isfinite(value) else None for value in values]

    return {
        "suggested": found.suggested,
        "lowest_loss_at": found.lowest,
        "diverged": found.diverged,
        "rates": plain(found.rates),
        "losses": plain(found.losses),
        "smoothed": plain(found.smoothed),
    }

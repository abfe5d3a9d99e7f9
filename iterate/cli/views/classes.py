"""The table of a test's scores, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from iterate_core.escaping import in_terminal
from iterate_core.tasks.per_class import score_names

_SHOWN = 30
_HEADINGS = {"iou": "IoU", "f1": "F1", "ap": "AP", "ap_50": "AP 0.50"}


def class_table(rows: Sequence[dict[str, Any]], title: str) -> Table:
    """Support and scores of each class; of many, the ones with the lowest F1 or average precision.

    Args:
        rows: As in ``classes`` of ``test.json`` or ``test_classes`` of ``summary.json``.
        title: What they were scored on.
    """
    shown = list(rows)
    names = score_names(rows[0])
    decisive = next(name for name in ("f1", "ap") if name in names)
    if len(rows) > _SHOWN:
        # The lowest first; a class that neither occurs nor is predicted has no score.
        shown = sorted(rows, key=lambda row: (row[decisive] is None, row[decisive] or 0.0))[:_SHOWN]
        lowest = f"with the lowest {_HEADINGS[decisive]}"
        title = f"{title}: the {_SHOWN} of {len(rows)} classes {lowest}"
    table = Table(
        title=in_terminal(title),
        title_justify="left",
        title_style="dim",
        box=None,
        header_style="bold",
    )
    table.add_column("class", overflow="fold")
    for heading in ("support", *(_HEADINGS.get(name, name) for name in names)):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in shown:
        scores = [score_text(row[name]) for name in names]
        table.add_row(in_terminal(row["name"]), str(row["support"]), *scores)
    return table


def score_text(value: float | None) -> str:
    """A score, or a dash where it is not defined."""
    return "–" if value is None else f"{value:.4f}"

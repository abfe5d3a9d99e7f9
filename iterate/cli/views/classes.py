"""The table of a test's scores, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from iterate_core.escaping import in_terminal

_SHOWN = 30
_COLUMNS = {"iou": "IoU", "precision": "precision", "recall": "recall", "f1": "F1"}


def class_table(rows: Sequence[dict[str, Any]], title: str) -> Table:
    """Support, IoU, precision, recall and F1 of each class; of many, the ones with the lowest F1.

    Args:
        rows: As in ``classes`` of ``test.json`` or ``test_classes`` of ``summary.json``.
        title: What they were scored on.
    """
    shown = list(rows)
    if len(rows) > _SHOWN:
        # The lowest first; a class that neither occurs nor is predicted has no score.
        shown = sorted(rows, key=lambda row: (row["f1"] is None, row["f1"] or 0.0))[:_SHOWN]
        title = f"{title}: the {_SHOWN} of {len(rows)} classes with the lowest F1"
    table = Table(
        title=in_terminal(title),
        title_justify="left",
        title_style="dim",
        box=None,
        header_style="bold",
    )
    table.add_column("class", overflow="fold")
    for heading in ("support", *_COLUMNS.values()):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in shown:
        scores = [_score(row[name]) for name in _COLUMNS]
        table.add_row(in_terminal(row["name"]), str(row["support"]), *scores)
    return table


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"

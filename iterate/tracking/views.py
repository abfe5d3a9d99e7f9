"""The list of studies as a saved view of the dashboard: with the columns that matter.

MLflow keeps a view as a tag of the experiment, shows it under "Views", and opens it at an address
that names it. Without one, its list of runs shows no metric.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

VIEW = "iterate"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
_NAME = "Studies"
_FIRST = ("attributes.`Dataset`", "tags.`iterate.backbone`")
_LAST = ("attributes.`Source`",)
_MOST = 20  # MLflow keeps 5,000 characters of a tag
_LETTER, _EDGES = 8, 32  # pixels of a heading


def studies_view(metrics: Iterable[str], before: str | None, now_ms: int) -> str:
    """The value of the view's tag.

    Args:
        metrics: Names of the metrics that stand for a study.
        before: The tag's value so far: columns of other studies in the experiment stay, and what
            shows them already stays as it is.
        now_ms: Milliseconds since 1970 (UTC).
    """
    columns = [f"metrics.`{name}`" for name in dict.fromkeys(metrics)]
    known = _metrics_of(before)
    if before is not None and set(columns) <= set(known):
        return before
    shown = [*_FIRST, *list(dict.fromkeys([*known, *columns]))[-_MOST:], *_LAST]
    widths = {column: _EDGES + _LETTER * len(_title(column)) for column in shown[1:-1]}
    state = {"selectedColumns": shown, "columnOrder": list(widths), "columnWidths": widths}
    view = {"name": _NAME, "createdAt": now_ms, "updatedAt": now_ms, "state": json.dumps(state)}
    return json.dumps(view)


def _title(column: str) -> str:
    return column.partition("`")[2].rstrip("`")


def _metrics_of(before: str | None) -> list[str]:
    """The metric columns of a view; none of one that a person made unreadable."""
    try:
        columns = json.loads(json.loads(before or "{}")["state"])["selectedColumns"]
        return [column for column in columns if column.startswith("metrics.")]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []

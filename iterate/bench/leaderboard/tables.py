"""A leaderboard as JSON, CSV and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

from iterate.bench.leaderboard.costs import costs_of
from iterate.bench.leaderboard.csv_table import table_text
from iterate.bench.leaderboard.entries import BoardEntry
from iterate.bench.leaderboard.heading import facts
from iterate.bench.leaderboard.provenance import Provenance, origins, provenance
from iterate.bench.leaderboard.rows import POINTS, DatasetRow, GroupFindings, GroupRow, Leaderboard
from iterate.statistics.published import shown_error, shown_value
from iterate_core.escaping import in_csv, in_markdown
from iterate_core.storage.files import replacing, write_json

DASH = "–"
_RULES = ("---", "---:")


def json_rows(board: Leaderboard) -> list[dict[str, Any]]:
    """Every group's and every dataset's rows, flat.

    Each has backbone, track, group, value, low and high in points, and what leaderboards publish
    beside them: published_error, bootstrap_sd, ``shown_value`` and ``shown_error``, the last two
    rounded as leaderboards round them. ``kind`` is ``"group"`` or ``"dataset"``; the group of a
    dataset's row is the dataset's name, and it has the raw mean, sd, sem and interval besides.
    Where the scores come from stands under ``scores``, ``sources``, ``protocols``, ``weights`` and
    ``licences``; see `Provenance`. ``costs`` has each kind of cost, None where it is not known; see
    `CostKind`.
    """
    names = {entry.label: board.suite.shown(entry.backbone) for entry in board.entries}
    rows: list[GroupRow | DatasetRow] = [*board.groups, *board.datasets]
    return [
        {
            "kind": "group" if isinstance(row, GroupRow) else "dataset",
            **asdict(row),
            "group": row.group if isinstance(row, GroupRow) else row.dataset,
            "name": names[row.backbone],
            "shown_value": _shown(row.published_value, shown_value),
            "shown_error": _shown(row.published_error, shown_error),
            **{key: list(told) for key, told in asdict(of).items()},
            "costs": costs_of(board, *_of(board, row)),
        }
        for row, of in zip(rows, _provenances(board, rows), strict=True)
    ]


def _provenances(board: Leaderboard, rows: Sequence[GroupRow | DatasetRow]) -> list[Provenance]:
    """Where the scores of each row come from."""
    return [provenance(board, *_of(board, row)) for row in rows]


def _of(board: Leaderboard, row: GroupRow | DatasetRow) -> tuple[BoardEntry, tuple[str, ...]]:
    """A row's entry and datasets."""
    entry = next(
        one for one in board.entries if (one.track, one.label) == (row.track, row.backbone)
    )
    if isinstance(row, GroupRow):
        return entry, board.suite.groups[row.group]
    return entry, (row.dataset,)


def _shown(points: float | None, rounded: Callable[[float], float]) -> float | None:
    return None if points is None else rounded(points / POINTS)


def json_board(board: Leaderboard) -> dict[str, Any]:
    """All of a leaderboard as plain JSON types."""
    return {
        "suite": board.suite.name,
        "normaliser": {
            "source": board.source,
            "scales": {name: [one.worst, one.best] for name, one in board.normaliser.items()},
        },
        "about": None if board.about is None else asdict(board.about),
        "unlike": board.unlike,
        "notes": list(board.notes),
        "rows": json_rows(board),
        "findings": [asdict(one) for one in board.findings],
    }


def csv_text(board: Leaderboard, rows: Sequence[GroupRow | DatasetRow]) -> str:
    """Rows as CSV, with where their scores come from; absent is empty."""
    if not rows:
        return ""
    lines = [
        {
            **{key: in_csv(_joined(cell, " ")) for key, cell in asdict(row).items()},
            **{key: in_csv(_joined(cell, "; ")) for key, cell in asdict(of).items()},
        }
        for row, of in zip(rows, _provenances(board, rows), strict=True)
    ]
    return table_text(list(lines[0]), lines)


def _joined(cell: Any, mark: str) -> Any:
    return mark.join(map(str, cell)) if isinstance(cell, tuple) else cell


def markdown(board: Leaderboard) -> str:
    """For people: a table of groups for each track, with intervals, and what they show."""
    lines = [f"# {in_markdown(board.suite.title)}", "", *_head(board)]
    lines += [f"> {in_markdown(note)}" for note in board.notes]
    for track, title in board.suite.tracks.items():
        rows = [row for row in board.groups if row.track == track]
        if rows:
            lines += ["", f"## {in_markdown(title)}", ""]
            if any(row.value is not None for row in rows):
                lines += [*_groups(board, rows, _interval), *_as_published(board, rows)]
            else:
                lines.append(NO_GROUP)
            lines += ["", "### Raw scores", "", *_raw(board, track)]
            lines += _sampled(board, track)
            lines += _alike([one for one in board.findings if one.track == track])
    lines += ["", LEGEND]
    return "\n".join(lines) + "\n"


LEGEND = (
    "Points are normalised scores × 100: the interquartile mean over the group's datasets and "
    "seeds. In brackets: its 95 % interval over training seeds, which ends where the metric does. "
    "It is not known where there is one seed, or where all seeds tie. Published leaderboards show "
    "the mean of 100 bootstrap rounds instead; their ± is the standard error of those rounds, ten "
    "times too small for a sampling error."
)

ORIGIN_HEADS = ["backbone", "scores", "protocol", "weights", "licence", "parameters"]
"""Of a table of `origins`."""

NO_GROUP = "No backbone has every dataset of a group."

NOT_KNOWN = "not known"
"""Stands for an interval that too few scores say nothing of."""


def _head(board: Leaderboard) -> list[str]:
    """Warnings, where the numbers come from, and what the backbones began with."""
    warnings = () if board.about is None else board.about.warnings
    lines = [line for text in warnings for line in (f"> **Warning.** {in_markdown(text)}", "")]
    lines += [f"- {what}: {in_markdown(text)}" for what, text in facts(board)]
    known = origins(board)
    if known:
        lines += ["", markdown_line(ORIGIN_HEADS), markdown_line([*["---"] * 5, "---:"])]
        lines += [markdown_line([cell or DASH for cell in astuple(one)]) for one in known]
    return [*lines, ""] if lines else []


def _as_published(board: Leaderboard, rows: Sequence[GroupRow]) -> list[str]:
    if not any(row.published_value is not None for row in rows):
        return []
    title = "### As published leaderboards compute it"
    return ["", title, "", *_groups(board, rows, _published_cell)]


def _published_cell(row: GroupRow | None) -> str:
    return DASH if row is None else published_text(row)


def published_text(row: GroupRow) -> str:
    """What published leaderboards show of a group; a dash for what is not known."""
    if row.published_value is None:
        return DASH
    error = DASH if row.published_error is None else f"{row.published_error:.2f}"
    return f"{row.published_value:.1f} ± {error}"


def _groups(
    board: Leaderboard, rows: Sequence[GroupRow], cell: Callable[[GroupRow | None], str]
) -> list[str]:
    used = [group for group in board.suite.groups if any(row.group == group for row in rows)]
    cells = {(row.backbone, row.group): row for row in rows}
    lines = [markdown_line(["backbone", *used]), markdown_line(["---", *["---:"] * len(used)])]
    for label in order(rows):
        found = [cells.get((label, group)) for group in used]
        lines.append(markdown_line([label, *map(cell, found)]))
    return lines


def order(rows: Sequence[GroupRow]) -> list[str]:
    """Backbones by their value on the first group, those without one after it."""
    first = rows[0].group if rows else ""
    values = {row.backbone: row.value for row in rows if row.group == first}
    labels = list(dict.fromkeys(row.backbone for row in rows))
    missing = float("-inf")
    return sorted(
        labels, key=lambda label: -(v if (v := values.get(label)) is not None else missing)
    )


def _interval(row: GroupRow | None) -> str:
    if row is None or row.value is None:
        return DASH
    if row.low is None or row.high is None:
        return f"{row.value:.1f} [{NOT_KNOWN}]"
    return f"{row.value:.1f} [{row.low:.1f}, {row.high:.1f}]"


def _raw(board: Leaderboard, track: str) -> list[str]:
    rows = [row for row in board.datasets if row.track == track]
    used = [name for name in board.suite.datasets if any(row.dataset == name for row in rows)]
    cells = {(row.backbone, row.dataset): row for row in rows}
    lines = [markdown_line(["backbone", *used]), markdown_line(["---", *["---:"] * len(used)])]
    for label in dict.fromkeys(row.backbone for row in rows):
        found = [cells.get((label, name)) for name in used]
        lines.append(markdown_line([label, *(_mean(row) for row in found)]))
    return lines


def _mean(row: DatasetRow | None) -> str:
    if row is None:
        return DASH
    return f"{row.mean:.4f}" if row.sd is None else f"{row.mean:.4f} (sd {row.sd:.4f})"


def _sampled(board: Leaderboard, track: str) -> list[str]:
    """Both intervals of every raw mean, where samples are known."""
    rows = [row for row in board.datasets if row.track == track]
    if all(row.sample_low is None for row in rows):
        return []
    heads = ["dataset", "backbone", "mean", "over seeds", "over test samples"]
    lines = ["", "### Would other seeds, or other test samples, give the same? (95 %)", ""]
    lines += [markdown_line(heads), markdown_line(["---", "---", "---:", "---:", "---:"])]
    for row in sorted(rows, key=lambda row: list(board.suite.datasets).index(row.dataset)):
        ends = [(row.mean_low, row.mean_high), (row.sample_low, row.sample_high)]
        told = [NOT_KNOWN if low is None else f"{low:.4f} to {high:.4f}" for low, high in ends]
        lines.append(markdown_line([row.dataset, row.backbone, f"{row.mean:.4f}", *told]))
    return lines


def _alike(findings: Sequence[GroupFindings]) -> list[str]:
    lines = ["", "### Cannot be told apart (95 %, Holm-corrected)"] if findings else []
    for one in findings:
        lines += ["", f"{in_markdown(one.group)}:", ""]
        lines += [f"- {in_markdown(', '.join(names))}" for names in one.alike] or [
            "- every pair differs"
        ]
    return lines


def markdown_line(cells: Sequence[str]) -> str:
    """A line of a table; rules are taken as they are."""
    return f"| {' | '.join(cell if cell in _RULES else in_markdown(cell) for cell in cells)} |"


def write_board(board: Leaderboard, folder: Path, page: str) -> list[Path]:
    """Write every form of a leaderboard into a folder.

    Args:
        board: The leaderboard.
        folder: Made if need be.
        page: The HTML page.

    Returns:
        The files.
    """
    texts = {
        "leaderboard.md": markdown(board),
        "leaderboard.csv": csv_text(board, board.groups),
        "datasets.csv": csv_text(board, board.datasets),
        "leaderboard.html": page,
    }
    for name, text in texts.items():
        with replacing(folder / name) as part:
            part.write_text(text, encoding="utf-8")
    write_json(folder / "leaderboard.json", json_board(board))
    scales = {name: [one.worst, one.best] for name, one in board.normaliser.items()}
    write_json(folder / "normaliser.json", scales)
    return [folder / name for name in (*texts, "leaderboard.json", "normaliser.json")]

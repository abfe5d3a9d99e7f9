"""The top of the leaderboard's page: warnings, where its numbers come from, and its settings."""

from __future__ import annotations

from iterate.bench.leaderboard.about import Made
from iterate.bench.leaderboard.heading import cells, facts, origins
from iterate.bench.leaderboard.rows import Leaderboard
from iterate.bench.leaderboard.tables import DASH
from iterate_core.escaping import in_html as escape


def warnings(board: Leaderboard) -> list[str]:
    """A banner for each thing that the numbers are not good for."""
    told = () if board.about is None else board.about.warnings
    return [f'<p class="warning" role="note"><b>Warning</b> {escape(text)}</p>' for text in told]


def provenance(board: Leaderboard) -> list[str]:
    """Protocol, results, dates, versions, weights, parameters and the best settings."""
    lines = "".join(f"<dt>{what}</dt><dd>{escape(text)}</dd>" for what, text in facts(board))
    parts = [f'<dl class="facts">{lines}</dl>'] if lines else []
    known = origins(board)
    if known:
        rows = [[one.backbone, one.weights, one.parameters or DASH] for one in known]
        heads = ["Backbone", "Weights at the start", "Parameters"]
        parts.append(_details("Backbones: weights and parameters", heads, rows, wide=1))
    made = [cell for cell in cells(board) if cell.settings]
    if made:
        rows = [[one.dataset, one.backbone, _settings(one)] for one in made]
        heads = ["Dataset", "Backbone", "Best settings found"]
        parts.append(_details("Settings of the models tested", heads, rows, wide=2))
    return parts


def _settings(made: Made) -> str:
    return ", ".join(
        f"{key} = {value:.4g}" if isinstance(value, float) else f"{key} = {value}"
        for key, value in made.settings.items()
    )


def _cell(text: str, *, long: bool) -> str:
    kind = ' class="long"' if long else ""
    return f"<td{kind}>{escape(text)}</td>"


def _details(title: str, heads: list[str], rows: list[list[str]], wide: int) -> str:
    """A table that opens on demand; the column `wide` takes long texts."""
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    body = "\n".join(
        f"<tr>{''.join(_cell(cell, long=place == wide) for place, cell in enumerate(row))}</tr>"
        for row in rows
    )
    return (
        f"<details><summary>{escape(title)}</summary>"
        f'<div class="card scroll"><table class="text"><thead><tr>{top}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div></details>"
    )

"""A leaderboard as one self-contained HTML page: no file, font or script from elsewhere.

What the page shows is prepared here and in ``panels``; how it looks is ``report.html.j2``.
"""

from __future__ import annotations

from dataclasses import astuple
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from iterate.bench.leaderboard.about import Made
from iterate.bench.leaderboard.heading import cells, facts
from iterate.bench.leaderboard.page.panels import AS_PUBLISHED, tracks_of
from iterate.bench.leaderboard.page.plots import share_bars
from iterate.bench.leaderboard.provenance import origins
from iterate.bench.leaderboard.rows import Leaderboard
from iterate.bench.leaderboard.tables import DASH, NO_GROUP, ORIGIN_HEADS
from iterate_core.escaping import in_html

_HERE = "iterate.bench.leaderboard.page"


def page(board: Leaderboard) -> str:
    """The whole page."""
    template = _environment().get_template("report.html.j2")
    return template.render(
        board=board,
        datasets=len({row.dataset for row in board.datasets}),
        warnings=() if board.about is None else board.about.warnings,
        facts=facts(board),
        origins=[[cell or DASH for cell in astuple(one)] for one in origins(board)],
        origin_heads=[head.capitalize() for head in ORIGIN_HEADS],
        settings=[
            (cell.dataset, cell.backbone, _settings(cell)) for cell in cells(board) if cell.settings
        ],
        tracks=tracks_of(board),
        share_bars=share_bars,
        as_published=AS_PUBLISHED,
        no_group=NO_GROUP,
        dash=DASH,
        style=_verbatim("report.css"),
        script=_verbatim("report.js"),
    )


def _verbatim(name: str) -> Markup:
    """A file beside this one as it is: no template, whatever braces it has."""
    return Markup((files(_HERE) / name).read_text(encoding="utf-8"))  # noqa: S704


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(_HERE, "."),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shown(value: Any) -> Markup:
    """A value as the page shows it: what macros made as it is, all else as text."""
    return value if isinstance(value, Markup) else Markup(in_html(value))  # noqa: S704


def _settings(made: Made) -> str:
    return ", ".join(
        f"{key} = {value:.4g}" if isinstance(value, float) else f"{key} = {value}"
        for key, value in made.settings.items()
    )

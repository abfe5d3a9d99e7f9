"""A leaderboard as one self-contained HTML page: no file, font or script from elsewhere.

What the page shows is prepared here and in ``panels``; how it looks is ``leaderboard.html.j2``, and
what it shares with other pages is in `iterate.pages`.
"""

from __future__ import annotations

from dataclasses import astuple

from iterate.bench.leaderboard.about import Made
from iterate.bench.leaderboard.heading import cells, facts
from iterate.bench.leaderboard.page.links import NO_LINKS, Links
from iterate.bench.leaderboard.page.panels import AS_PUBLISHED, tracks_of
from iterate.bench.leaderboard.page.plots import share_bars
from iterate.bench.leaderboard.provenance import origins
from iterate.bench.leaderboard.rows import Leaderboard
from iterate.bench.leaderboard.tables import DASH, NO_GROUP, ORIGIN_HEADS
from iterate.pages.template import render

_HERE = "iterate.bench.leaderboard.page"

# Fewer entries need no filter.
_FILTERED_FROM = 8


def page(board: Leaderboard, links: Links = NO_LINKS) -> str:
    """The whole page.

    Args:
        board: What it shows.
        links: The reports that it leads to.
    """
    return render(
        _HERE,
        "leaderboard.html.j2",
        board=board,
        datasets=len({row.dataset for row in board.datasets}),
        warnings=() if board.about is None else board.about.warnings,
        facts=facts(board),
        origins=[[cell or DASH for cell in astuple(one)] for one in origins(board)],
        origin_heads=[head.capitalize() for head in ORIGIN_HEADS],
        settings=[
            (cell.dataset, cell.backbone, _settings(cell)) for cell in cells(board) if cell.settings
        ],
        reports=links.runs,
        tracks=tracks_of(board, links),
        share_bars=share_bars,
        as_published=AS_PUBLISHED,
        no_group=NO_GROUP,
        dash=DASH,
        filtered_from=_FILTERED_FROM,
    )


def _settings(made: Made) -> str:
    return ", ".join(
        f"{key} = {value:.4g}" if isinstance(value, float) else f"{key} = {value}"
        for key, value in made.settings.items()
    )

"""Links from the page to the reports that lie in the folders of its runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from iterate.bench.leaderboard.rows import Leaderboard
from iterate_core.storage.names import is_inside

Key = TypeVar("Key")

REPORT_FILE = "report.html"
"""Where ``iterate report`` writes, below the folder of the run or study that it is asked for."""


@dataclass(frozen=True)
class Links:
    """Addresses of reports, relative to the page.

    Attributes:
        runs: A results file's label → the report of the run that wrote it.
        cells: (label, backbone, dataset) → the report of the study behind it.
    """

    runs: Mapping[str, str] = field(default_factory=dict)
    cells: Mapping[tuple[str, str, str], str] = field(default_factory=dict)


NO_LINKS = Links()


def links_of(board: Leaderboard, runs: Mapping[str, Path], page: Path) -> Links:
    """The reports that are there.

    Args:
        board: The leaderboard.
        runs: A results file's label → the folder that it lies in.
        page: The folder that the page is written to.
    """
    sources = [] if board.about is None else [one for one in board.about.sources if one.run]
    known = [(one, runs[one.label]) for one in sources if one.label in runs]
    found = {one.label: _link(folder, page) for one, folder in known}
    cells = {
        (one.label, cell.backbone, cell.dataset): _link(folder / cell.folder, page)
        for one, folder in known
        for cell in (one.run.cells if one.run else ())
        # A file of others says where they lie.
        if cell.folder is not None and (cell.folder == "." or is_inside(cell.folder))
    }
    return Links(_there(found), _there(cells))


def _there(links: Mapping[Key, str | None]) -> dict[Key, str]:
    return {key: link for key, link in links.items() if link is not None}


def _link(folder: Path, page: Path) -> str | None:
    """The address of a folder's report; None where it has none."""
    report = folder / REPORT_FILE
    if not report.is_file():
        return None
    return quote(Path(os.path.relpath(report, page)).as_posix())

"""The leaderboard of a run: its own results, and published ones beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from iterate.bench.leaderboard.about import RunRecord, SubmittedFile, about, licence_beside, without
from iterate.bench.leaderboard.entries import BoardEntry, entries_of
from iterate.bench.leaderboard.page.html import page
from iterate.bench.leaderboard.page.links import links_of
from iterate.bench.leaderboard.rank import build
from iterate.bench.leaderboard.results_csv import ResultsFile, labelled, read_results
from iterate.bench.leaderboard.rows import Leaderboard
from iterate.bench.leaderboard.submission import INFO_FILE, INFO_MODELS, INFO_TEXT
from iterate.bench.leaderboard.tables import write_board
from iterate.bench.runs.plan import Request, drawn_shares
from iterate.bench.runs.scores import CellResult
from iterate.bench.suites.suite import Suite
from iterate_core.storage.files import replacing


def board_of(
    request: Request,
    results: ResultsFile,
    baselines: Sequence[Path],
    kept: Sequence[CellResult],
    notes: Sequence[str],
) -> Leaderboard:
    """Rank the results of a run.

    Where no backbone has all datasets of any group, a group of those that every backbone of ours
    has is added, so that a part of a suite is ranked, too, under a name that says so. Baselines on
    datasets that are not those of the run are left out.

    Args:
        request: What the run was asked for.
        results: Its scores, as they were written.
        baselines: Published results files to show beside.
        kept: What its studies have found.
        notes: To carry along.

    Raises:
        DataError: A baseline cannot be read.
    """
    suite, run = request.suite, made_by(request, kept)
    *theirs, ours = labelled([*read_results(baselines, suite), results])
    sources = [
        SubmittedFile(file.label, file.sha256, True, None, licence_beside(file.path))
        for file in theirs
    ]
    sources.append(SubmittedFile(ours.label, ours.sha256, published=False, run=run))
    files = [*(without(file, run.unlike) for file in theirs), ours]
    left_out = [
        f"{name} of {file.label} is left out: the run has other data of that name."
        for file in theirs
        for name in run.unlike
        if any(cell.dataset == name for cell in file.cells)
    ]
    digests = frozenset(file.sha256 for file in theirs)
    entries, told = entries_of(files, suite, request.labels.portion, digests)
    own = [entry for entry in entries if not entry.published]
    said = [*notes, *drawn_shares(request), *left_out, *told]
    board = build(entries, _with_part(suite, own), notes=said, unlike=run.unlike)
    return replace(board, about=about(sources))


def made_by(request: Request, kept: Sequence[CellResult]) -> RunRecord:
    """How a run's results were made."""
    blocks = request.labels.portion.blocks
    return RunRecord(
        suite=request.suite.name,
        protocol=request.protocol.name,
        warning=request.protocol.config.bench.warning,
        percent=request.percent,
        shots=request.labels.portion.shots,
        splits=None if blocks is None else blocks.told,
        words=request.overrides,
        unlike={one.dataset: one.unlike for one in kept if one.unlike is not None},
        cells=tuple(one.made for one in kept if one.made is not None),
    )


def _with_part(suite: Suite, entries: Sequence[BoardEntry]) -> Suite:
    if any(set(group) <= set(e.cells) for e in entries for group in suite.groups.values()):
        return suite
    shared = [name for name in suite.datasets if all(name in entry.cells for entry in entries)]
    if not shared:
        return suite
    name = f"{len(shared)} of {len(suite.datasets)} datasets"
    return suite.model_copy(update={"groups": {name: tuple(shared), **suite.groups}})


def write_all(board: Leaderboard, request: Request, folder: Path) -> tuple[Path, ...]:
    """Write every form of a run's leaderboard, and a draft of what a submission has to say."""
    ours = [] if board.about is None else [one for one in board.about.sources if not one.published]
    links = links_of(board, {one.label: folder for one in ours}, folder)
    files = write_board(board, folder, page(board, links))
    draft = folder / INFO_FILE
    if request.suite.submission and not draft.exists():
        with replacing(draft) as part:
            text = json.dumps(_draft(board, request), indent=2, ensure_ascii=False) + "\n"
            part.write_text(text, encoding="utf-8")
    return tuple(files)


def _draft(board: Leaderboard, request: Request) -> dict[str, Any]:
    """What the leaderboard asks of a submission, as far as a run knows it; the rest is empty."""
    known = {"Number of HPO trials": str(request.protocol.config.search.trials)}
    ours = dict.fromkeys(e.backbone for e in board.entries if not e.published)
    models = [
        {"model_display_name": name, "model_size": "", "unique_backbone_key": name}
        for name in ours
        if name not in request.suite.backbones
    ]
    return {**{key: known.get(key, "") for key in INFO_TEXT}, INFO_MODELS: models}

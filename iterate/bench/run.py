"""A run of a benchmark: all its studies in one pool, and a leaderboard out of them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from iterate.bench.board import board_of, with_samples, write_all
from iterate.bench.mirror import mirrored
from iterate.bench.outcome import NOTE, Entered, all_gaps, note, ordered
from iterate.bench.plan import Gap, Plan, Request
from iterate.bench.results import RESULTS_FILE
from iterate.bench.rows import Leaderboard
from iterate.bench.submission import write_rows
from iterate.bench.tables import json_rows
from iterate.core.errors import Problem, RequestError
from iterate.core.files import replacing, write_json
from iterate.core.identity import canonical
from iterate.run.notes import Notes, noted
from iterate.run.session import Display, RunSettings, own_folder, run_studies
from iterate.run.storage import opened_storage
from iterate.search.jobs import Train
from iterate.search.ledger import Ledger
from iterate.search.study import same_question
from iterate.search.training import train as train_job
from iterate.tracking.mirror import Backlog

# Words of the command line that change how a run is done, and not what it finds.
_HOW = ("search", "ray", "tracking", "resources", "note")


@dataclass(frozen=True)
class BenchResult:
    """What a run found.

    Attributes:
        board: The leaderboard; None where nothing was tested.
        gaps: Every cell that is empty, or filled by an earlier run only.
        failed: Those that were tried.
        summary: The content of ``summary.json``.
        folder: The run's folder.
        files: What was written of the leaderboard.
        backlog: What MLflow has not been told yet.
    """

    board: Leaderboard | None
    gaps: tuple[Gap, ...]
    failed: tuple[Gap, ...]
    summary: dict[str, Any]
    folder: Path
    files: tuple[Path, ...]
    backlog: Backlog | None

    def to_mapping(self) -> dict[str, Any]:
        """As plain JSON types."""
        rows = [] if self.board is None else json_rows(self.board)
        return {"folder": str(self.folder), **self.summary, "leaderboard": rows}


def run_bench(
    request: Request,
    plan: Plan,
    settings: RunSettings,
    display: Display | None = None,
    train: Train = train_job,
    baselines: Sequence[Path] = (),
) -> BenchResult:
    """Run every study of a plan, and rank all backbones that the run's storage knows.

    Args:
        request: What is asked for.
        plan: What of it can be done.
        settings: Of the run as a whole.
        display: Shows it to people.
        train: What trains a job.
        baselines: Results files to show as published baselines.

    Raises:
        RequestError: Nothing can be done, or the run's folder holds results of another suite,
            partition or protocol.
        DataError: A baseline cannot be read.
        WorkError: Ray ended before the studies did.
        KeyboardInterrupt: The user stopped it; nothing that was reported is lost.
    """
    _check_question(request, settings)

    def conclude(ledgers: Sequence[Ledger]) -> None:
        for ledger in ledgers:
            note(ledger, plan.cells[ledger.study.name], request, settings.name)

    summary: dict[str, Any] = {"studies": []}
    failures: list[Gap] = []
    backlog: Backlog | None = None
    if plan.studies:
        result = run_studies(plan.studies, settings, display, train, conclude)
        summary, backlog = result.summary, result.backlog
        failures = [plan.cells[name].gap(why) for name, why in result.failures.items()]
    with (
        own_folder(settings.folder),
        opened_storage(settings.storage, settings.folder) as storage,
    ):
        kept = ordered(map(Entered.from_text, noted(storage, NOTE).values()), request)
        gaps = all_gaps(kept, plan.gaps, failures)
        if not kept:
            raise RequestError(_nothing(plan.gaps))
        summary |= {"gaps": [asdict(gap) for gap in gaps]}
        write_json(settings.folder / "summary.json", summary)
        board, files = _ranked(request, plan, kept, gaps, settings.folder, baselines)
        left = mirrored(request, settings, Notes(storage, settings.name), board, gaps, files)
    planned = {(gap.dataset, gap.backbone, gap.reason) for gap in plan.gaps}
    failed = tuple(g for g in gaps if (g.dataset, g.backbone, g.reason) not in planned)
    return BenchResult(board, tuple(gaps), failed, summary, settings.folder, files, left or backlog)


def _check_question(request: Request, settings: RunSettings) -> None:
    """Results of one run are comparable: the same suite, share of the data and protocol.

    Raises:
        RequestError: One problem for each difference.
    """
    words = [word for word in request.overrides if re.split(r"[.=/]", word)[0] not in _HOW]
    asked = {
        "suite": request.suite.name,
        "percent": request.percent,
        "protocol": request.protocol.question(),
        "words": sorted(words),
    }
    with (
        own_folder(settings.folder),
        opened_storage(settings.storage, settings.folder) as storage,
    ):
        notes = Notes(storage, settings.name)
        before = notes.recall("question")
        if before is not None:
            same_question(settings.name, asked, json.loads(before))
            return
        notes.remember("question", canonical(asked))
        notes.remember("began", str(int(time.time() * 1000)))


def _ranked(
    request: Request,
    plan: Plan,
    kept: Sequence[Entered],
    gaps: Sequence[Gap],
    folder: Path,
    baselines: Sequence[Path],
) -> tuple[Leaderboard | None, tuple[Path, ...]]:
    rows = [row for one in kept for row in one.rows]
    path = folder / RESULTS_FILE
    with replacing(path) as part:
        write_rows(part, rows)
    if not rows:
        return None, (path,)
    board = board_of(request, path, baselines, [*plan.notes, *_told(gaps)])
    board = with_samples(board, kept)
    return board, (path, *write_all(board, request, folder))


def _told(gaps: Sequence[Gap]) -> list[str]:
    """Gaps as notes of the leaderboard, those of one reason together."""
    together: dict[tuple[str, str, bool], list[str]] = {}
    for gap in gaps:
        together.setdefault((gap.dataset, gap.reason, gap.kept), []).append(gap.backbone)
    return [
        f"{dataset} ({', '.join(names)}): {reason}"
        + (" The results of an earlier run stand." if kept else "")
        for (dataset, reason, kept), names in together.items()
    ]


def _nothing(gaps: Sequence[Gap]) -> list[Problem]:
    """Why nothing at all can be done."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for gap in gaps:
        reasons.setdefault((gap.dataset, gap.reason), []).append(gap.backbone)
    return [
        Problem(dataset, f"[{', '.join(names)}] {reason}")
        for (dataset, reason), names in reasons.items()
    ]

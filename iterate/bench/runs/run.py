"""A run of a benchmark: all its studies in one pool, and a leaderboard out of them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from iterate.bench.leaderboard.results_csv import RESULTS_FILE, ResultsFile, write_results
from iterate.bench.leaderboard.rows import Leaderboard
from iterate.bench.leaderboard.tables import json_rows
from iterate.bench.runs import unfinished
from iterate.bench.runs.board import board_of, write_all
from iterate.bench.runs.mlflow import mirrored
from iterate.bench.runs.plan import Gap, Plan, Request
from iterate.bench.runs.question import check_same, question_of
from iterate.bench.runs.scores import NOTE, CellResult, all_gaps, note, ordered, repeats, result_of
from iterate.hpo.execute import train as train_job
from iterate.hpo.jobs import Job, Train
from iterate.hpo.ledger import Ledger
from iterate.hpo.storage.notes import Notes, notes_name, texts_of_studies
from iterate.hpo.storage.open import opened_storage
from iterate.run.session import Display, RunSettings, Silent, own_folder, run_studies
from iterate.tracking.mirror import Backlog
from iterate_core.errors import Problem, RequestError
from iterate_core.fingerprint import canonical
from iterate_core.storage.files import write_json

_QUESTION = "question"
"""The note under which a run keeps what it was asked for."""


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
    command: str = "the same command again",
) -> BenchResult:
    """Run every study of a plan, and rank all backbones that the run's storage knows.

    Args:
        request: What is asked for.
        plan: What of it can be done.
        settings: Of the run as a whole.
        display: Shows it to people.
        train: What trains a job.
        baselines: Results files to show as published baselines.
        command: What goes on with the run if it is stopped, for people.

    Raises:
        RequestError: Nothing can be done, or the run's folder holds results of another suite,
            partition or protocol.
        DataError: A baseline cannot be read.
        WorkError: Ray ended before the studies did.
        KeyboardInterrupt: The user stopped it; nothing that was reported is lost.
    """
    before = _begun(request, settings)

    def conclude(ledgers: Sequence[Ledger]) -> None:
        for ledger in ledgers:
            cell = plan.cells[ledger.study.name]
            note(ledger, cell, request, settings, plan.unlike.get(cell.dataset))

    summary: dict[str, Any] = {"studies": []}
    failures: list[Gap] = []
    backlog: Backlog | None = None
    if plan.studies:
        live = _Live(request, plan, settings, display or Silent(), before, command)
        result = run_studies(plan.studies, settings, live, train, conclude)
        summary, backlog = result.summary, result.backlog
        failures = [plan.cells[name].gap(why) for name, why in result.failures.items()]
    with _notes(settings) as notes:
        kept = ordered(_kept(notes, settings).values(), request)
        if not kept:
            raise RequestError(_nothing(plan.gaps))
        gaps = all_gaps(kept, plan.gaps, failures)
        unfinished.end(settings.folder, plan)
        summary |= {"gaps": [asdict(gap) for gap in gaps]}
        write_json(settings.folder / "summary.json", summary)
        board, files = _ranked(request, kept, gaps, settings.folder, baselines)
        left = mirrored(request, settings, notes, board, gaps, files)
    planned = {(gap.dataset, gap.backbone, gap.reason) for gap in plan.gaps}
    failed = tuple(g for g in gaps if (g.dataset, g.backbone, g.reason) not in planned)
    if not left and backlog is not None:
        left = backlog
    return BenchResult(board, tuple(gaps), failed, summary, settings.folder, files, left)


class _Live:
    """Keeps results, and what is owed, up to date while a run lasts; what is shown is passed on.

    Args:
        request: What is asked for.
        plan: What of it is done.
        settings: Of the run.
        display: Shows it to people.
        kept: What studies have found before, by their names.
        command: What goes on with the run if it is stopped.
    """

    def __init__(
        self,
        request: Request,
        plan: Plan,
        settings: RunSettings,
        display: Display,
        kept: dict[str, CellResult],
        command: str,
    ) -> None:
        self._request, self._plan, self._settings = request, plan, settings
        self._display = display
        self._kept = kept
        self._command = command

    def begin(self, ledgers: Sequence[Ledger]) -> None:
        """See `Display`."""
        unfinished.begin(self._settings.folder, self._plan, self._command)
        self._display.begin(ledgers)

    def changed(self, ledger: Ledger, job: Job) -> None:
        """See `Display`."""
        self._display.changed(ledger, job)
        if ledger.finished:
            name = ledger.study.name
            cell = self._plan.cells[name]
            self._kept[name] = result_of(ledger, cell, self._request, self._settings.name)
            _write(ordered(self._kept.values(), self._request), self._settings.folder)

    def end(self) -> None:
        """See `Display`."""
        self._display.end()


@contextmanager
def _notes(settings: RunSettings) -> Iterator[Notes]:
    """What the run's storage keeps, while no other process is at work in the run."""
    with (
        own_folder(settings.folder),
        opened_storage(settings.storage, settings.folder) as storage,
    ):
        yield Notes(storage, settings.name)


def _kept(notes: Notes, settings: RunSettings) -> dict[str, CellResult]:
    """What the run's studies have found; others may share its database."""
    prefix = "" if settings.storage is None else f"{settings.name}/"
    found = notes.of_studies(NOTE).items()
    return {name: CellResult.from_text(text) for name, text in found if name.startswith(prefix)}


def _begun(request: Request, settings: RunSettings) -> dict[str, CellResult]:
    """Check the run's question; returns what its studies have found before."""
    with _notes(settings) as notes:
        asked = question_of(request)
        _check_question(asked, notes.of_studies(_QUESTION), settings)
        if notes.recall(_QUESTION) is None:
            notes.remember(_QUESTION, canonical(asked))
            notes.remember("began", str(int(time.time() * 1000)))
        return _kept(notes, settings)


def check_question(request: Request, settings: RunSettings) -> None:
    """Refuse a run whose results could not stand beside those that are there; nothing is written.

    Raises:
        RequestError: They are of other options.
    """
    if settings.storage is None and not (settings.folder / "studies.db").exists():
        return
    with opened_storage(settings.storage, settings.folder) as storage:
        _check_question(question_of(request), texts_of_studies(storage, _QUESTION), settings)


def _check_question(
    asked: Mapping[str, Any], before: Mapping[str, str], settings: RunSettings
) -> None:
    """Compare with what the results are of that are there, in a folder's own storage by any name.

    A run is named by its protocol and its labels: other ones change the name, but not the folder.
    """
    own = before.get(notes_name(settings.name))
    if own is None and settings.storage is None:
        own = next(iter(before.values()), None)
    if own is not None:
        check_same(asked, json.loads(own), settings.folder)


def _ranked(
    request: Request,
    kept: Sequence[CellResult],
    gaps: Sequence[Gap],
    folder: Path,
    baselines: Sequence[Path],
) -> tuple[Leaderboard | None, tuple[Path, ...]]:
    results = _write(kept, folder)
    if not results.cells:
        return None, (results.path,)
    board = board_of(request, results, baselines, kept, _told(gaps))
    return board, (results.path, *write_all(board, request, folder))


def _write(kept: Sequence[CellResult], folder: Path) -> ResultsFile:
    return write_results(folder / RESULTS_FILE, repeats(kept))


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

"""A run's leaderboard in MLflow: one run beside its studies, with scores and files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from iterate.bench.leaderboard.rows import Leaderboard
from iterate.bench.runs.plan import Gap, Request
from iterate.hpo.storage.notes import Notes
from iterate.run.session import RunSettings
from iterate.tracking.mirror import Backlog, Mirror
from iterate.tracking.records import StudyRecord

_PATIENCE_SECONDS = 60.0


def mirrored(
    request: Request,
    settings: RunSettings,
    notes: Notes,
    board: Leaderboard | None,
    gaps: Sequence[Gap],
    files: Sequence[Path],
) -> Backlog | None:
    """Show a run's leaderboard in MLflow; returns what could not be, None where tracking is off."""
    if not settings.tracking.enabled:
        return None
    blocks = request.labels.portion.blocks
    folder = settings.tracking_folder or settings.folder
    mirror = Mirror(settings.tracking, folder, notes.remember, notes.recall)
    now = int(time.time() * 1000)
    mirror.study(
        StudyRecord(
            name=f"{settings.name} leaderboard",
            experiment=settings.tracking.experiment or settings.name,
            tags={
                "iterate.suite": request.suite.name,
                "iterate.protocol": request.protocol.name,
                "iterate.gaps": "; ".join(f"{gap.dataset}/{gap.backbone}" for gap in gaps),
            },
            params={
                "suite": request.suite.name,
                "protocol": request.protocol.name,
                "percent": str(request.percent),
                **({} if blocks is None else {"splits": blocks.told}),
            },
            artifacts=tuple(files),
            state="COMPLETE",
            start_ms=int(notes.recall("began") or now),
            end_ms=now,
            metrics={} if board is None else scores(board),
        )
    )
    return mirror.close(_PATIENCE_SECONDS)


def scores(board: Leaderboard) -> dict[str, float]:
    """``track/group/backbone`` → points, with the interval's ends; ``dataset/backbone`` → mean."""
    found: dict[str, float] = {}
    for row in board.groups:
        ends = {"": row.value, "/low": row.low, "/high": row.high}
        name = f"{row.track}/{row.group}/{row.backbone}"
        found |= {f"{name}{end}": value for end, value in ends.items() if value is not None}
    for one in board.datasets:
        found[f"{one.track}/{one.dataset}/{one.backbone}"] = one.mean
    return found

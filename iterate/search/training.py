"""The engine behind the pool: one job is one recipe trained, and a repeat is tested too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib import import_module

from iterate.core.errors import WorkError
from iterate.core.files import Locked, lock, write_json
from iterate.core.recipe import Recipe
from iterate.core.reports import EpochReport
from iterate.search.jobs import Job, Progress

TEST_FILE = "test.json"
"""Beside a repeat's checkpoint: its metrics on the test split, also class by class."""
OUTCOMES_FILE = "test_samples.npz"
"""Beside a repeat's checkpoint: what each test sample adds to its scores."""

# Epochs shorter than this travel together: a round trip to the driver costs some 20 ms.
_SECONDS_BETWEEN_REPORTS = 0.5
# How long a worker that outlived its driver may take to notice; see `iterate.core.files.lock`.
_SECONDS_FOR_ANOTHER = 60.0


def train(job: Job) -> Iterator[Progress]:
    """Train one job from wherever it was left; closing the iterator stops it between epochs.

    Raises:
        WorkError: Another process trains the same job and does not let go of it.
        IterateError: Whatever the engine refuses or fails at.
    """
    from iterate.core import fit

    for module in job.modules:
        import_module(module)
    recipe = Recipe.parse(job.recipe)
    recipe.write(job.folder / "recipe.yaml")
    try:
        with lock(job.folder / ".lock", _SECONDS_FOR_ANOTHER):
            yield from _grouped(
                fit.epochs(recipe, job.folder, replay=True), last=job.kind == "trial"
            )
            if job.kind == "repeat":
                found = fit.evaluate(recipe, job.folder, keep=job.folder / OUTCOMES_FILE)
                write_json(job.folder / TEST_FILE, found.to_mapping())
                yield Progress(test=found.metrics, done=True)
    except Locked as holder:
        raise WorkError(f"{job.key} is still being trained by another {holder}") from holder


def _grouped(epochs: Iterator[EpochReport], last: bool) -> Iterator[Progress]:
    """Pass reports on, short epochs several at a time; `last` says nothing follows them."""
    waiting: list[EpochReport] = []
    sent = time.monotonic()
    for report in epochs:
        waiting.append(report)
        if report.done or time.monotonic() - sent >= _SECONDS_BETWEEN_REPORTS:
            yield Progress(tuple(waiting), done=report.done and last)
            waiting, sent = [], time.monotonic()

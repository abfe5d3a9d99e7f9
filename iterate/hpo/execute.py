"""The engine behind the pool: one job is one recipe trained, and a repeat is tested too."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from iterate.hpo.failures import failed
from iterate.hpo.gauge import Gauge
from iterate.hpo.jobs import Job, Progress, Told
from iterate_core.data.dataset import Split
from iterate_core.data.store.pack import Pack
from iterate_core.engine.reports import EpochReport
from iterate_core.errors import IterateError, WorkError
from iterate_core.heartbeat import heard_by
from iterate_core.recipe import Recipe
from iterate_core.storage.files import Locked, lock, write_json

TEST_FILE = "test.json"
"""Beside a repeat's checkpoint: its metrics on the test split, also class by class."""
OUTCOMES_FILE = "test_samples.npz"
"""Beside a repeat's checkpoint: what each test sample adds to its scores."""

SIGN_OF_LIFE = ".lock"
"""In a job's folder: touched now and then while its training goes on, between epochs too."""

# Epochs shorter than this travel together: a round trip to the driver costs some 20 ms.
_SECONDS_BETWEEN_REPORTS = 0.5
# How long a worker that outlived its driver may take to notice;
# see `iterate_core.storage.files.lock`.
_SECONDS_FOR_ANOTHER = 60.0
_SECONDS_BETWEEN_SIGNS = 5.0


def train(job: Job) -> Iterator[Progress]:
    """Train one job from wherever it was left; closing the iterator stops it between epochs.

    Raises:
        MachineError: The disk is full, or the host's memory.
        WorkError: Another process trains the same job and does not let go of it.
        IterateError: Whatever the engine refuses or fails at.
    """
    from iterate_core.device import device_name
    from iterate_core.engine import fit
    from iterate_core.engine.checkpoints import OtherVersionError, set_aside
    from iterate_core.engine.cost import image_flops, parameters
    from iterate_core.engine.resolved import prepare

    for module in job.modules:
        import_module(module)
    recipe = Recipe.parse(job.recipe)
    recipe.write(job.folder / "recipe.yaml")
    gauge = Gauge(recipe.trainer.accelerator)
    try:
        with (
            signs_of_life(job.folder, gauge.look),
            lock(job.folder / SIGN_OF_LIFE, _SECONDS_FOR_ANOTHER),
        ):
            prepared = prepare(recipe)
            yield from _packed(prepared.pack, ("train", "val"))
            device, last = device_name(recipe.trainer.accelerator), job.kind == "trial"
            try:
                epochs = fit.epochs(prepared, job.folder, replay=True)
            except OtherVersionError as told:
                set_aside(job.folder)
                yield Progress(anew=str(told))
                epochs = fit.epochs(prepared, job.folder)
            trained, total = parameters(prepared)
            yield Progress(training=True, parameters=(trained, total))
            gauge.begin()
            yield from _grouped(epochs, last, device, gauge)
            if job.kind == "repeat":
                yield from _packed(prepared.pack, ("test",))
                found = fit.evaluate(prepared, job.folder, keep=job.folder / OUTCOMES_FILE)
                write_json(job.folder / TEST_FILE, found.to_mapping())
                yield Progress(test=found.metrics, flops=image_flops(prepared), done=True)
    except Locked as holder:
        raise WorkError(f"{job.key} is still being trained by another {holder}") from holder


def train_together(jobs: Sequence[Job]) -> Iterator[Told]:
    """Train trials whose heads may train as one, each from wherever it was left.

    Raises:
        MachineError: The disk is full, or the host's memory.
        WorkError: Another process trains one of them and does not let go of it.
        IterateError: Whatever the engine refuses of all of them.
    """
    from iterate_core.device import device_name
    from iterate_core.engine.cost import parameters
    from iterate_core.engine.resolved import prepare

    for module in jobs[0].modules:
        import_module(module)
    open_jobs = [job for job in jobs if not job.left]
    recipes = [Recipe.parse(job.recipe) for job in open_jobs]
    for job, recipe in zip(open_jobs, recipes, strict=True):
        recipe.write(job.folder / "recipe.yaml")
    gauge = Gauge(recipes[0].trainer.accelerator)
    with signs_of_life(jobs[0].folder, gauge.look), _held(open_jobs):
        prepared = [prepare(recipe) for recipe in recipes]
        for progress in _packed(prepared[0].pack, ("train", "val")):
            yield {job.key: progress for job in open_jobs}
        trained, total = parameters(prepared[0])
        begun = Progress(training=True, parameters=(trained, total))
        yield {
            job.key: replace(begun, anew=_anew(job, one.identity))
            for job, one in zip(open_jobs, prepared, strict=True)
        }
        device = device_name(recipes[0].trainer.accelerator)
        gauge.begin()
        yield from _gathered(open_jobs, prepared, device, gauge)


@contextmanager
def _held(jobs: Sequence[Job]) -> Iterator[None]:
    """Hold the folders of several jobs."""
    with ExitStack() as locks:
        for job in jobs:
            try:
                locks.enter_context(lock(job.folder / SIGN_OF_LIFE, _SECONDS_FOR_ANOTHER))
            except Locked as holder:
                told = f"{job.key} is still being trained by another {holder}"
                raise WorkError(told) from holder
        yield


def _anew(job: Job, identity: str) -> str | None:
    """Why a job begins again, if another version began it; what that left is put aside."""
    from iterate_core.engine.checkpoints import OtherVersionError, load_progress, set_aside

    try:
        load_progress(job.folder, identity)
    except OtherVersionError as told:
        set_aside(job.folder)
        return str(told)
    except IterateError:
        return None  # which training says of this job alone
    return None


def _gathered(
    jobs: Sequence[Job], prepared: Sequence[Any], device: str, gauge: Gauge
) -> Iterator[Told]:
    """Pass reports of several jobs on, short epochs several at a time."""
    from iterate_core.engine.together.fit import fit_together

    reports: dict[int, list[EpochReport]] = {}
    told: dict[str, Progress] = {}
    sent = time.monotonic()
    folders = [job.folder for job in jobs]
    training = fit_together(
        prepared, folders, replay=True, stopped=lambda number: jobs[number].left
    )
    for number, one in training:
        job = jobs[number]
        if isinstance(one, EpochReport):
            reports.setdefault(number, []).append(one)
            mine = tuple(reports[number])
            told[job.key] = Progress(mine, done=one.done, device=device, gpu=gauge.use())
        else:
            mine = tuple(reports.get(number, ()))
            told[job.key] = replace(failed(one, job.folder), reports=mine, device=device)
        if time.monotonic() - sent >= _SECONDS_BETWEEN_REPORTS:
            yield told
            reports, told, sent = {}, {}, time.monotonic()
    if told:
        yield told


def _packed(pack: Pack, splits: Sequence[Split]) -> Iterator[Progress]:
    """Pack what no check has packed on this machine, and tell how long that took.

    The packed dataset serves every study of it, so the time counts against none.
    """
    missing = [split for split in splits if not pack.holds(split)]
    if missing:
        began = time.monotonic()
        for split in missing:
            pack.names(split)
        yield Progress(preparing_seconds=time.monotonic() - began)


@contextmanager
def signs_of_life(folder: Path, *looks: Callable[[], None]) -> Iterator[None]:
    """Touch a file as training goes on, where the driver sees it; call what else looks at it."""
    shown = -_SECONDS_BETWEEN_SIGNS

    def show() -> None:
        nonlocal shown
        for look in looks:
            look()
        if time.monotonic() - shown >= _SECONDS_BETWEEN_SIGNS:
            shown = time.monotonic()
            with suppress(OSError):  # a full disk is for those to tell who need it
                os.utime(folder / SIGN_OF_LIFE)

    with heard_by(show):
        yield


def _grouped(
    epochs: Iterator[EpochReport], last: bool, device: str, gauge: Gauge
) -> Iterator[Progress]:
    """Pass reports on, short epochs several at a time; `last` says nothing follows them."""
    waiting: list[EpochReport] = []
    sent = time.monotonic()
    for report in epochs:
        waiting.append(report)
        if report.done or time.monotonic() - sent >= _SECONDS_BETWEEN_REPORTS:
            done = report.done and last
            yield Progress(tuple(waiting), done=done, device=device, gpu=gauge.use())
            waiting, sent = [], time.monotonic()

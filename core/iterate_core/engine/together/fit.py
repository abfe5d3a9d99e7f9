"""Training several recipes at a time, those whose heads may as one computation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from iterate_core.engine.checkpoints import load_progress
from iterate_core.engine.fit import epochs, going_on
from iterate_core.engine.reports import EpochReport
from iterate_core.engine.resolved import Prepared
from iterate_core.engine.run import Run
from iterate_core.engine.together.heads import Heads
from iterate_core.engine.together.kept import KeptFeatures
from iterate_core.engine.together.key import together_key
from iterate_core.engine.trainer import Trainer
from iterate_core.errors import IterateError, MachineError
from iterate_core.models.stacked import Unlike

Told = tuple[int, EpochReport | IterateError]
Asked = Callable[[int], bool]

SECONDS_BETWEEN_CHECKPOINTS = 10.0
"""Heads' epochs are short, and their checkpoints many: what is cut off in between is trained again,
to the same results."""


def fit_together(
    prepared: Sequence[Prepared],
    folders: Sequence[Path],
    *,
    replay: bool = False,
    stopped: Asked = lambda number: False,  # noqa: ARG005
) -> Iterator[Told]:
    """Train recipes, an epoch at a time, each continuing where its folder says it was left.

    Recipes of equal `iterate_core.engine.together.key.together_key` that are at the same epoch
    train as one; each comes to what `iterate_core.engine.fit.epochs` gives, but for the last
    digits, and leaves the same files. The others train one after another.

    Args:
        prepared: What to train.
        folders: Where each is kept; see `iterate_core.engine.fit.epochs`.
        replay: Give the reports of epochs finished earlier first.
        stopped: Asked before every epoch whether a recipe, by its number, trains no further.

    Yields:
        A recipe's number, and its next epoch, or why it cannot go on; the others do.

    Raises:
        MachineError: The machine lacks something.
    """
    begun: dict[object, dict[int, Run]] = {}
    alone: list[int] = []
    for number, (one, folder) in enumerate(zip(prepared, folders, strict=True)):
        try:
            key, progress = _key(one), load_progress(folder, one.identity)
            if key is None or progress.done:
                alone.append(number)
                continue
            run = Run(Trainer(one, progress.at_once), progress, folder)
        except MachineError:
            raise
        except IterateError as error:
            yield number, error
            continue
        begun.setdefault((key, run.epoch), {})[number] = run
        if replay:
            yield from ((number, report) for report in progress.reports)
    for runs in begun.values():
        yield from _trained(runs, stopped)
    for number in alone:
        reports = epochs(prepared[number], folders[number], replay=replay)
        yield from _in_turn(number, reports, stopped)


def _key(prepared: Prepared) -> tuple[str, ...] | None:
    """Equal for recipes on the same features whose heads may train as one."""
    key = together_key(prepared.recipe, prepared.info.task)
    return None if key is None else (key, prepared.backbone_key, prepared.data)


def _trained(runs: dict[int, Run], stopped: Asked) -> Iterator[Told]:
    """Train as one if that can be, else one after another."""
    try:
        group = _Group(runs)
    except Unlike:
        for number, run in runs.items():
            yield from _in_turn(number, going_on(run), stopped)
        return
    yield from group.trained(stopped)


def _in_turn(number: int, reports: Iterator[EpochReport], stopped: Asked) -> Iterator[Told]:
    try:
        while not stopped(number) and (report := next(reports, None)) is not None:
            yield number, report
    except MachineError:
        raise
    except IterateError as error:
        yield number, error


class _Group:
    """Recipes that train as one.

    Args:
        runs: By their numbers.

    Raises:
        Unlike: They cannot.
    """

    def __init__(self, runs: dict[int, Run]) -> None:
        if len(runs) == 1:
            raise Unlike("there is but one")
        self._runs = dict(runs)
        self._kept = KeptFeatures(next(iter(runs.values())).trainer.setup)
        self._heads = Heads(list(runs.values()), self._kept)
        self._written = time.monotonic()

    def trained(self, stopped: Asked) -> Iterator[Told]:
        """Train them to their ends; closing it keeps what was trained."""
        try:
            while self._runs:
                self._leave([number for number in self._runs if stopped(number)])
                if self._runs:
                    yield from self._epoch()
        except GeneratorExit:
            self._keep([run for number, run in self._runs.items() if not stopped(number)])
            raise

    def _epoch(self) -> list[Told]:
        start = time.perf_counter()
        ended = self._heads.epoch()
        seconds = (time.perf_counter() - start) / len(ended)
        told: list[Told] = []
        for (number, run), one in zip(self._runs.items(), ended, strict=True):
            if isinstance(one, IterateError):
                told.append((number, one))
            else:
                told.append((number, run.take(*one, seconds, copy=True)))
        done = [number for number, one in told if isinstance(one, EpochReport) and one.done]
        self._keep([self._runs[number] for number in done])
        self._leave([*done, *(number for number, one in told if isinstance(one, IterateError))])
        if time.monotonic() - self._written >= SECONDS_BETWEEN_CHECKPOINTS:
            self._keep(list(self._runs.values()))
            self._written = time.monotonic()
        return told

    def _leave(self, numbers: Sequence[int]) -> None:
        """These train no further; the others go on as a smaller group."""
        if not numbers:
            return
        self._heads.store()
        for number in numbers:
            self._runs.pop(number).keep_best()
        if self._runs:
            self._heads = Heads(list(self._runs.values()), self._kept)

    def _keep(self, runs: Sequence[Run]) -> None:
        """Write the checkpoints of some, from which they can go on."""
        late = [run for run in runs if not run.kept]
        if late:
            self._heads.store()
        for run in late:
            run.keep()

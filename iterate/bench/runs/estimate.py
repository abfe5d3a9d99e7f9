"""How long a run may take, before it is begun."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from iterate.bench.runs.plan import Cell, Plan, Request, gap_of, study_name
from iterate.config.studies import prepared_branches
from iterate.hpo.points import trials_to_make
from iterate.hpo.shares import gpus_held, machine
from iterate.hpo.storage.open import opened_storage
from iterate.hpo.trials.trained import Trained, trained
from iterate.run.session import RunSettings
from iterate_core.errors import RequestError
from iterate_core.plurals import counted
from iterate_core.recipe import Recipe

SUSTAINED = {"32-true": 10e12, "bf16-mixed": 40e12, "16-mixed": 40e12}
"""Operations a second that training is assumed to reach on one data-centre GPU."""

CPU_CORE = 0.04e12
"""Likewise of one core: ResNets and a small vision transformer reach 0.035 to 0.04 TFLOP/s."""


@dataclass(frozen=True)
class Previewed:
    """A study as it would run.

    Attributes:
        decoder: At the base point.
        trials: Asked for in all.
        repeats: Asked for.
        epochs: Of each, at most.
        done: Trials and repeats that ended already.
        hours: That training the rest would hold a GPU (or a worker, where trials take no GPU).
        measured: Whether `hours` comes from the study's own trials.
    """

    name: str
    dataset: str
    backbone: str
    decoder: str
    trials: int
    repeats: int
    epochs: int
    done: int
    hours: float
    measured: bool

    @property
    def hours_text(self) -> str:
        """`hours` for people."""
        return _text(self.hours)


@dataclass(frozen=True)
class Preview:
    """A run as it would be.

    Attributes:
        title: Names it.
        studies: One a cell that seems possible.
        gpu: Whether hours are those of GPUs.
        hours: Of all studies together.
        operations: A second that the estimate reckons with, per worker.
        said: How the estimate was made, for people.
    """

    title: str
    studies: tuple[Previewed, ...]
    gpu: bool
    hours: float
    operations: float
    said: tuple[str, ...]

    def to_mapping(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class _Costed:
    """A cell, and what is known of its cost."""

    cell: Cell
    recipe: Recipe
    flops: float
    before: Trained


def preview(request: Request, settings: RunSettings, cells: Sequence[Cell], plan: Plan) -> Preview:
    """What a run would do, and for how long.

    Studies with finished epochs are reckoned from those. For the others the operations of the model
    are counted, and divided by the pace that this run's epochs had so far; without any, by what a
    data-centre GPU is assumed to sustain. Early stopping makes everything shorter.

    Args:
        request: What is asked for.
        settings: Of the run.
        cells: To look at.
        plan: Its gaps are added to, where a cell turns out to be one.
    """
    costed = list(_costed(settings, cells, plan))
    seconds = sum(one.before.seconds for one in costed)
    done = sum(one.flops * one.before.epochs for one in costed)
    precision = request.protocol.config.trainer.precision
    gpu = any(_gpu(one) for one in costed)
    cores = max((one.cell.loaded.config.resources.cpu for one in costed), default=1.0)
    assumed = SUSTAINED[precision] if gpu else CPU_CORE * cores
    pace = done / seconds if seconds else assumed
    studies = tuple(_previewed(one, pace) for one in costed)
    said = _how(pace, precision, gpu=gpu, measured=seconds > 0)
    hours = sum(study.hours for study in studies)
    return Preview(settings.name, studies, gpu, hours, pace, (_total(studies, hours, gpu), said))


def _costed(settings: RunSettings, cells: Sequence[Cell], plan: Plan) -> Iterator[_Costed]:
    from iterate_core.engine.cost import epoch_flops  # imports torch

    with _looked_up(settings) as before:
        for cell in cells:
            try:
                _, base = prepared_branches(cell.loaded)[0]
                flops = epoch_flops(base)
            except RequestError as error:
                plan.gaps.append(gap_of(cell, error))
                continue
            yield _Costed(cell, base.recipe, flops, before(study_name(cell, settings)))


@contextmanager
def _looked_up(settings: RunSettings) -> Iterator[Any]:
    """Tells what a study has done; looking makes no storage where there is none."""
    if settings.storage is None and not (settings.folder / "studies.db").exists():
        yield lambda _: Trained()
        return
    with opened_storage(settings.storage, settings.folder) as storage:
        yield lambda name: trained(storage, name)


def _previewed(one: _Costed, pace: float) -> Previewed:
    config, before = one.cell.loaded.config, one.before
    trials = trials_to_make(config.search, one.cell.loaded.space)
    asked = trials + config.search.repeats
    ended = before.trials + before.repeats
    left = max(0, asked - ended)
    if before.seconds and ended:
        seconds = before.seconds / ended * left
    else:
        seconds = one.flops * one.recipe.trainer.epochs * left / pace
    held = _gpu(one) or 1.0
    return Previewed(
        name=one.cell.name,
        dataset=one.cell.dataset,
        backbone=one.cell.contestant.name,
        decoder=one.recipe.model.decoder.name,
        trials=trials,
        repeats=config.search.repeats,
        epochs=one.recipe.trainer.epochs,
        done=ended,
        hours=held * seconds / 3600,
        measured=bool(before.seconds and ended),
    )


def _gpu(one: _Costed) -> float:
    """GPUs that a trial holds; where the file leaves it open, by what this machine has."""
    resources = one.cell.loaded.config.resources
    return gpus_held(resources, one.recipe.trainer.accelerator, machine())


def _total(studies: Sequence[Previewed], hours: float, gpu: bool) -> str:
    runs = sum(max(0, one.trials + one.repeats - one.done) for one in studies)
    what = "GPU" if gpu else "worker"
    told = f"{counted(len(studies), 'study', 'studies')}, {counted(runs, 'training')} left"
    return f"{told}: about {_text(hours)} {what} hours of training."


def _text(hours: float) -> str:
    return f"{hours:.2f}" if hours >= 0.01 or not hours else "under 0.01"


def _how(pace: float, precision: str, *, gpu: bool, measured: bool) -> str:
    shown = f"{pace / 1e12:.3g} TFLOP/s"
    if measured:
        return (
            f"From the epochs that this run has trained: {shown} for each worker. "
            "Early stopping makes it shorter."
        )
    where = "a data-centre GPU" if gpu else "a worker's CPU cores"
    return (
        f"Operations of each model, counted, at an assumed {shown} sustained by {where} in "
        f"{precision}; reading data is not counted. Every epoch is taken to be trained, though "
        "early stopping makes it shorter. A run that has begun is reckoned from its own epochs."
    )

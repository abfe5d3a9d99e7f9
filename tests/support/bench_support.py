"""Runs of benchmarks without data or training: folders that are empty, curves that are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import yaml

from iterate.bench.runs.backbones import contestants
from iterate.bench.runs.labels import labels_of
from iterate.bench.runs.plan import Plan, Request, cells_of, check_cells
from iterate.bench.runs.protocol import load_protocol
from iterate.bench.runs.run import BenchResult, run_bench
from iterate.bench.suites.suite import load_suite
from iterate.config.load import LoadedStudy
from iterate.hpo.jobs import Job, Train
from iterate.hpo.replay import Recorded
from iterate.hpo.space import Point
from iterate.hpo.study import Study
from iterate.run.session import Display, RunSettings
from iterate.tracking.settings import TrackingSettings
from iterate_core.errors import Problem, RequestError
from iterate_core.recipe import Recipe

SMALL = """
name: small
title: A small suite
reference: none
protocol: quick
metrics:
  Accuracy: {of: accuracy}
  Jaccard: {of: miou}
  F1: {of: f1_micro}
  RMSE: {of: rmse, offset: 1, factor: -0.2537951171398163}
tracks: {full_ft: Full fine-tuning, frozen: Frozen backbone}
groups:
  Images: [alpha, beta]
  Maps: [gamma, delta]
  Objects: [epsilon]
datasets:
  alpha: {task: classification, classes: 3, metric: Accuracy, meaning: accuracy}
  beta: {task: multilabel, classes: 4, metric: F1, meaning: F1}
  gamma: {task: segmentation, classes: 3, metric: Jaccard, meaning: IoU}
  delta: {task: regression, metric: RMSE, meaning: transformed RMSE}
  epsilon: {task: tracking, metric: mAP, meaning: mean average precision}
"""


def small_suite(folder: Path) -> str:
    """The path of a suite of five tasks."""
    content = yaml.safe_load(SMALL)
    for dataset in content["datasets"].values():
        dataset["reader"] = "geobench_v1"
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return str(path)


def score_of(job: Job) -> Sequence[float]:
    """Rises over two epochs to a value fixed by seed and learning rate, below 1."""
    last = 0.5 + (job.recipe["seed"] % 97) / 400 + job.recipe["optimiser"]["lr"] / 10
    return [last / 2, last]


def stand_in(loaded: LoadedStudy, name: str, tasks: dict[str, str]) -> Study:
    """A study whose data are never opened."""
    dataset = name.split("/")[-2]
    mode = "min" if tasks[dataset] == "regression" else "max"
    objective = loaded.recipe.objective.model_copy(update={"mode": mode})
    if loaded.recipe.model.backbone.name == "resnet26":  # stands for one that does not fit
        raise RequestError(Problem("data.bands", f"{dataset} has no band nir.", "It has red."))

    def recipe_at(point: Point, seed: int) -> Recipe:
        return loaded.recipe_at(point, seed).model_copy(update={"objective": objective})

    return Study(
        name=name,
        recipe=loaded.recipe.model_copy(update={"objective": objective}),
        space=loaded.space,
        recipe_at=recipe_at,
        data="given",
        dataset=dataset,
        task=tasks[dataset],
        settings=loaded.config.search,
        resources=loaded.config.resources,
    )


def request_of(
    root: Path,
    suite: str,
    protocol: str,
    backbones: str,
    datasets: str = "",
    overrides: Sequence[str] = (),
    partition: str | None = None,
    shots: int | None = None,
    episodes: int | None = None,
    block_metres: float | None = None,
    distance_metres: float | None = None,
) -> Request:
    """What the command line would ask for."""
    known = load_suite(suite)
    found = load_protocol(protocol, known, overrides)
    words = ("resources.gpu=0", "resources.cpu=1", *overrides)
    return Request(
        known,
        found,
        tuple(contestants([backbones], found.config.bench.backbones, "protocol")),
        tuple(name for name in known.datasets if not datasets or name in datasets.split(",")),
        root,
        labels_of(found, partition, shots, episodes, block_metres, distance_metres),
        words,
    )


def settings_in(folder: Path, name: str = "run") -> RunSettings:
    return RunSettings(name=name, folder=folder, tracking=TrackingSettings(enabled=False))


def play(
    request: Request,
    folder: Path,
    train: Train | None = None,
    baselines: Sequence[Path] = (),
    display: Display | None = None,
) -> tuple[BenchResult, Plan]:
    """Run a request on given curves."""
    cells, gaps = cells_of(request)
    plan = Plan(gaps=gaps)
    settings = settings_in(folder)
    tasks = {name: dataset.task for name, dataset in request.suite.datasets.items()}
    check: Callable[[LoadedStudy, str], Study] = partial(stand_in, tasks=dict(tasks))
    check_cells(request, cells, plan, settings, check)
    result = run_bench(request, plan, settings, display, train or Recorded(score_of), baselines)
    return result, plan


def folders(root: Path, suite: str, names: str = "") -> Path:
    """A folder for each dataset where the suite looks for it, with nothing in it."""
    for name, dataset in load_suite(suite).datasets.items():
        if not names or name in names.split(","):
            (root / (dataset.folder or name)).mkdir(parents=True, exist_ok=True)
    return root

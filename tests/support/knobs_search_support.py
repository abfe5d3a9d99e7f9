"""What each field of the sections on search, resources, Ray and tracking changes.

Studies are worked through in this process, one job after another, on curves that are given.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import optuna
import pytest
from config_support import loader_in
from engine_support import recipe
from knobs_support import Case, Scene, merged, setting
from optuna.storages import RDBStorage
from pool_support import make_study

from iterate.cli.plan import describe
from iterate.config.load import LoadedStudy
from iterate.hpo.jobs import GpuUse, Job, Progress
from iterate.hpo.ledger import Ledger
from iterate.hpo.pool import cluster as ray_cluster
from iterate.hpo.pool.coordinator import Coordinator
from iterate.hpo.pool.pool import _resources_of
from iterate.hpo.pool.sharing import Shares
from iterate.hpo.pool.watch import Watch
from iterate.hpo.replay import Recorded
from iterate.hpo.settings import RaySettings, ResourceSettings
from iterate.hpo.shares import machine
from iterate.hpo.storage.journal import Journal
from iterate.hpo.storage.open import opened_storage
from iterate.hpo.storage.truth import Truth
from iterate.hpo.study import Study
from iterate.run import mlflow
from iterate.run.folders import run_folder
from iterate.states import State
from iterate.tracking.settings import TrackingSettings
from iterate.tracking.store import place
from iterate_core.engine.resolved import prepare
from iterate_core.errors import WorkError

EPOCHS = 9
SPACE = {"optimiser.lr": "interval(0, 1)", "optimiser.momentum": "interval(0, 1)"}


def rising(job: Job) -> Sequence[float]:
    """Better all the time, and the better the larger the learning rate."""
    return [job.recipe["optimiser"]["lr"] * epoch for epoch in range(1, EPOCHS + 1)]


def worse_and_worse(job: Job) -> Sequence[float]:
    """Trials of which each is poorer than all before it, at every epoch."""
    return [float(epoch - 10 * job.number) for epoch in range(1, EPOCHS + 1)]


def failing(job: Job) -> Sequence[float]:
    """No curve at all."""
    raise WorkError("it cannot work")


@contextmanager
def opened(study: Study, scene: Scene) -> Iterator[Ledger]:
    """A study's ledger, on a database of its own."""
    tables = RDBStorage("sqlite:///:memory:")
    try:
        yield Ledger(study, Truth(Journal(tables, "memory")), scene.folder)
    finally:
        tables.engine.dispose()


def worked(
    study: Study, scene: Scene, curve: Callable[[Job], Sequence[float]] = rising, seconds: float = 0
) -> Ledger:
    """A study, worked through."""
    with opened(study, scene) as ledger:
        while (job := ledger.next_job()) is not None:
            ledger.started(job.key)
            began = time.monotonic()
            try:
                for progress in Recorded(curve, seconds)(job):
                    held = replace(progress, held_seconds=time.monotonic() - began)
                    if ledger.record(job.key, held):
                        break
            except WorkError as error:
                ledger.record(job.key, Progress(failure=str(error)))
    return ledger


def study(scene: Scene, space: Any = SPACE, **search: Any) -> Study:
    """A study with the field of its search section at its value."""
    base = {"trials": 8, "max_failures": 9, "sampler": "random"}
    component = {"name": scene.knob.component} if scene.knob.component else {}
    _, _, path = scene.knob.name.partition(".")
    if component:
        path = f"{path.partition('=')[0]}.{scene.knob.field}"
    asked = setting(path, scene.value)
    if component:
        asked = merged(setting(path.partition(".")[0], component), asked)
    return make_study(space=space, **merged(base, search, asked))


def points(scene: Scene, **search: Any) -> list[dict[str, float]]:
    """The points that were drawn, in order."""
    ledger = worked(study(scene, **search), scene)
    return [trial.params for trial in ledger.history("trial")]


def first_points(scene: Scene) -> list[dict[str, float]]:
    """Those that no model has drawn yet."""
    return points(scene)[:3]


def lengths(scene: Scene, curve: Any = worse_and_worse, **search: Any) -> list[int]:
    """How many epochs each trial trained."""
    ledger = worked(study(scene, **search), scene, curve)
    return [len(trial.curve) for trial in ledger.history("trial")]


def stopped(scene: Scene, curve: Any = worse_and_worse) -> int:
    """The first epoch after which any trial was stopped."""
    return min(lengths(scene, curve))


def counted(scene: Scene, kind: Any = "trial", **search: Any) -> int:
    """How many trials, or repeats, there were."""
    return len(worked(study(scene, **search), scene).history(kind))


def failures(scene: Scene) -> int:
    """How many trials of a study that cannot work were tried."""
    trials = worked(study(scene), scene, failing).history("trial")
    return sum(trial.state == "FAIL" for trial in trials)


def seeds(scene: Scene) -> list[int]:
    """Of the repeats."""
    ledger = worked(study(scene, trials=1, repeats=2), scene)
    return [trial.seed for trial in ledger.history("repeat")]


def hours(scene: Scene) -> bool:
    """Whether the budget of trials was used up."""
    ledger = worked(study(scene, trials=5), scene, seconds=0.002)
    return len(ledger.history("trial")) == 5


def watched(scene: Scene, minutes: float) -> State:
    """What becomes of a trial that has reported one epoch and then is silent for so long."""
    one = study(scene, trials=1)
    with opened(one, scene) as ledger, pytest.MonkeyPatch.context() as patch:
        coordinator = Coordinator([ledger], [], Shares([one], {"CPU": 1.0}), machine)
        (job,) = coordinator.next_jobs("1")
        watch = Watch(coordinator, [], lambda trial_id: None)
        watch.began("1", job)
        coordinator.record("1", {job.key: next(iter(Recorded(rising)(job)))})
        later = time.monotonic() + 60 * minutes
        patch.setattr(time, "monotonic", lambda: later)
        watch.look()
        return ledger.history("trial")[0].state


def storage(scene: Scene) -> list[str]:
    """The databases that a run leaves."""
    url = None if scene.value is None else f"sqlite:///{scene.folder / 'other.db'}"
    with opened_storage(url, scene.folder) as storage:
        optuna.create_study(study_name="study", storage=storage)
    return sorted(path.name for path in scene.folder.glob("*.db"))


def resources(scene: Scene) -> ResourceSettings:
    """With the field at its value."""
    return ResourceSettings.model_validate({scene.knob.field: scene.value})


def held(scene: Scene) -> dict[str, float]:
    """What Ray is asked for, for one trial, once another took an eighth of its GPU's memory."""
    one = Study(**{**vars(make_study(trials=1)), "resources": resources(scene)})
    shares = Shares([one], {"CPU": 4.0, "GPU": 2.0})
    shares.hear(one.name, shares[one.name], GpuUse(10 * 2**30, 80 * 2**30, busy=0.3))
    return dict(_resources_of(shares)({}).required_resources)


def at_once(scene: Scene) -> int:
    """How many of four trials are handed out before one has ended."""
    one = make_study(trials=4, concurrent=scene.value, sampler="random")
    jobs = 0
    with opened(one, scene) as ledger:
        while ledger.next_job() is not None:
            jobs += 1
    return jobs


def given(scene: Scene) -> int:
    """How many of four trials of heads a worker is given at a time."""
    (scene.folder / "weights.pth").touch()
    backbone = {"weights": str(scene.folder / "weights.pth")}
    chosen = recipe(tuning={"name": "frozen"}, model={"backbone": backbone})
    rates = {"optimiser.lr": "interval(0.001, 0.1)"}
    one = Study.of("study", chosen, rates, trials=4, sampler="random")
    with opened(replace(one, resources=resources(scene)), scene) as ledger:
        return len(ledger.next_jobs(workers=1))


def connected(scene: Scene) -> str:
    """To which cluster Ray is told to connect."""
    asked: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ray.init", lambda address, **_: asked.append(address))
        patch.setattr("ray.cluster_resources", lambda: {"CPU": 4.0})
        patch.setattr("ray.shutdown", lambda: None)
        with ray_cluster.cluster(RaySettings(address=scene.value), [ResourceSettings()]):
            pass
    return asked[0]


def mirrored(scene: Scene, **settings: Any) -> list[Any]:
    """What MLflow is told of a study: where, under which experiment, and with which tags."""
    sent: list[Any] = []

    class Mirror:
        def __init__(self, given: TrackingSettings, folder: Any, *_: Any) -> None:
            sent.append(place(given.uri, folder).uri.replace(str(scene.folder), ""))

        def study(self, record: Any) -> None:
            sent.extend([record.experiment, record.tags])

        def run(self, record: Any) -> None:
            """Nothing runs."""

    one = make_study(trials=1, **settings)
    section = {scene.knob.field: scene.value} if scene.knob.name.startswith("tracking") else {}
    with pytest.MonkeyPatch.context() as patch, opened(one, scene) as ledger:
        patch.setattr(mlflow, "Mirror", Mirror)
        given = TrackingSettings.model_validate(section)
        mlflow.Tracker(given, scene.folder).begin("run", [ledger])
    return sent


def written(scene: Scene) -> LoadedStudy:
    """A search file with the field at its value, loaded."""
    load = loader_in(scene.folder)
    return load("defaults: [recipe, _self_]\nname: study\n", f"{scene.knob.name}={scene.value}")


def planned(scene: Scene) -> Any:
    """What a plan says of the study, for people."""
    loaded = written(scene)
    return describe(loaded, prepare(loaded.recipe), None)["note"]


def named(scene: Scene) -> str:
    """The folder of a study."""
    return str(run_folder(written(scene).config.name, None, fresh=False)[1])


SEARCH: dict[str, Case] = {
    "name": Case(
("one", "two"), named, ("runs/one", "runs/two")),
    "note": Case(("one", "two"), planned, ("one", "two")),
    "search.sampler": Case(("random", "qmc"), points),
    "TPE.startup_trials": Case((3, 10), points, same=first_points),
    "GP.startup_trials": Case((3, 10), points, same=first_points),
    "NSGAII.population": Case((2, 50), points),
    "search.scheduler": Case(("none", "asha"), lambda s: min(lengths(s)), (EPOCHS, 1)),
    "ASHA.min_epochs": Case((1, 3), stopped, (1, 3)),
    "ASHA.reduction_factor": Case((2, 4), lambda s: lengths(s, rising)),
    "Hyperband.min_epochs": Case((1, 3), stopped, (1, 3)),
    "Hyperband.reduction_factor": Case((2, 4), lambda s: lengths(s, rising)),
    "Median.startup_trials": Case(
        (1, 4), lambda s: lengths(s).index(min(lengths(s))), (1, 4)
    ),
    "Median.warmup_epochs": Case((0, 2), stopped, (1, 3)),
    "search.trials": Case((2, 5), counted, (2, 5)),
    "search.hours": Case((None, 1e-9), hours, (True, False)),
    "search.trial_hours": Case(
        (None, 0.5), partial(watched, minutes=40), ("RUNNING", "PRUNED")
    ),
    "search.silence_minutes": Case(
        (None, 30), partial(watched, minutes=40), ("RUNNING", "FAIL")
    ),
    "search.patience": Case(
        (None, 2), lambda s: len(lengths(s)), (8, 3)
    ),
    "search.repeats": Case(
        (0, 2), lambda s: counted(s, "repeat", trials=1), (0, 2), same=first_points
    ),
    "search.seeds": Case(((), (7, 9)), seeds, same=points),
    "search.seed": Case((0, 1), points),
    "search.max_failures": Case((2, 4), failures, (2, 4)),
    "search.storage": Case((None, "a database"), storage, (["studies.db"], ["other.db"])),
    "resources.cpu": Case((1, 2), lambda s: held(s)["CPU"], (1, 2)),
    "resources.gpu": Case(("auto", 0.5), lambda s: held(s).get("GPU", 0), (0.3333, 0.5)),
    "resources.concurrent": Case((None, 2), at_once, (4, 2)),
    "resources.together": Case((None, 2), given, (4, 2)),
    "ray.address": Case((None, "auto"), connected, ("local", "auto")),
    "tracking.enabled": Case((True, False), lambda s: bool(mirrored(s)), (True, False)),
    "tracking.uri": Case((None, "http://host"), lambda s: mirrored(s)[0],
                         ("sqlite:////mlflow.db", "http://host")),
    "tracking.experiment": Case((None, "other"), lambda s: mirrored(s)[1], ("run", "other")),
}  # fmt: skip

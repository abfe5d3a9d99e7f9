"""`resources.gpu: auto`: as many trials share a GPU as it has room and time for."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray
from engine_support import recipe
from pool_support import make_study

from iterate.hpo import execute, gauge
from iterate.hpo.execute import train as train_job
from iterate.hpo.jobs import GpuUse, Job, Progress, Train
from iterate.hpo.ledger import Ledger
from iterate.hpo.pool import own_ray
from iterate.hpo.pool.cluster import cluster
from iterate.hpo.pool.coordinator import Coordinator
from iterate.hpo.pool.forked import pool as forked_pool
from iterate.hpo.pool.sharing import CONTEXT, MOST, Shares, trials_on_one_gpu
from iterate.hpo.pool.workplace import Workplace
from iterate.hpo.settings import RaySettings, ResourceSettings
from iterate.hpo.shares import Share
from iterate.hpo.storage.open import open_storage
from iterate.hpo.study import Study
from iterate_core import device
from iterate_core.engine.reports import EpochReport
from iterate_core.errors import DeviceMemoryError

GIB = 2**30
THERE = {"CPU": 8.0, "GPU": 1.0}
A_THIRD = GpuUse(10 * GIB, 80 * GIB, busy=0.3)


@pytest.mark.parametrize(
    ("use", "trials"),
    [
        (GpuUse(70 * GIB, 80 * GIB, 0.1), 1),  # two would not fit
        (GpuUse(33 * GIB, 80 * GIB, 0.1), 2),  # 2 × 33.5 of 68 GiB
        (GpuUse(34 * GIB, 80 * GIB, 0.1), 1),  # 2 × 34.5 of 68 GiB
        (GpuUse(10 * GIB, 80 * GIB, 0.95), 1),
        (GpuUse(10 * GIB, 80 * GIB, 0.5), 2),
        (GpuUse(10 * GIB, 80 * GIB, 0.3), 3),
        (GpuUse(16 * GIB, 80 * GIB, 0.0), 4),
        (GpuUse(16 * GIB, 80 * GIB, None), 4),  # nothing tells how busy it is
        (GpuUse(1 * GIB, 80 * GIB, 0.0), MOST),
        (GpuUse(90 * GIB, 80 * GIB, 1.0), 1),
    ],
)
def test_memory_and_time_say_how_many_share(use: GpuUse, trials: int) -> None:
    assert trials_on_one_gpu(use) == trials
    assert trials == 1 or trials * (use.peak + CONTEXT) <= 0.85 * use.total


def auto(study: Study) -> Study:
    return dataclasses.replace(study, resources=ResourceSettings(gpu="auto"))


def test_a_share_shrinks_by_what_a_trial_alone_tells_and_grows_where_that_was_too_little() -> None:
    shares = Shares([auto(make_study())], THERE)
    whole = shares["study"]
    assert (whole.gpu, str(whole)) == (
        1,
        "1 CPU and 1 GPU, or a part of one once a trial has shown how many fit",
    )
    shares.hear("study", whole, A_THIRD)
    third = shares["study"]
    assert third.gpu == 0.3333
    # How busy a GPU is tells nothing of one trial among several; what it takes of memory does.
    shares.hear("study", third, GpuUse(11 * GIB, 80 * GIB, busy=0.99))
    assert shares["study"] == third
    shares.hear("study", third, GpuUse(30 * GIB, 80 * GIB, busy=0.99))
    assert shares["study"].gpu == 0.5
    assert shares.grow("study", third)
    assert shares.grow("study", third)  # another of those that had so little
    assert shares["study"].gpu == 0.5
    assert shares.grow("study", shares["study"])
    assert shares["study"] == whole
    assert not shares.grow("study", whole)


@pytest.mark.parametrize("gpu", [None, 0.5, 1, 0])
def test_other_shares_stay_as_they_are(gpu: float | None) -> None:
    study = dataclasses.replace(make_study(), resources=ResourceSettings(gpu=gpu))
    shares = Shares([study], THERE)
    before = shares["study"]
    shares.hear("study", before, A_THIRD)
    assert not shares.grow("study", before)
    assert shares["study"] == before


def test_without_a_gpu_trials_hold_none() -> None:
    assert Shares([auto(make_study())], {"CPU": 4.0})["study"] == Share(1, 0)


# In the pool, on a GPU that is not there


@pytest.fixture(scope="module", params=["forked", "ray"])
def one_gpu(request: pytest.FixtureRequest) -> Iterator[Workplace]:
    """Workers on this machine, told of a GPU."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    wanted = [ResourceSettings(gpu="auto")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_ray, "gpus", lambda: 1)
        patch.setattr(own_ray, "usable_cores", lambda: 8)
        patch.setattr(forked_pool, "gpu_names", lambda: ["0"])
        patch.setattr(forked_pool, "machine", lambda: THERE)
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        kind = request.param
        with (
            forked_pool.forked(wanted) if kind == "forked" else cluster(RaySettings(), wanted)
        ) as place:
            yield place


def epoch(number: int, *, done: bool = False) -> Progress:
    report = EpochReport(number, {"val/score": 0.5}, 0.5, 0.5, 0.0, done)
    return Progress((report,), done=done, gpu=A_THIRD)


def present(job: Job) -> int:
    return len(list(job.folder.parent.glob("*/in")))


def together(job: Job, trials: set[int]) -> None:
    """Wait until these are all there."""
    deadline = time.monotonic() + 120
    folders = [job.folder.parent / f"{number:04d}" for number in trials]
    while not all((folder / "came").exists() for folder in folders):
        assert time.monotonic() < deadline, "the others never came"
        time.sleep(0.05)


def counted(job: Job) -> Iterator[Progress]:
    """A trial that writes down how many there are; three wait for each other."""
    job.folder.mkdir(parents=True, exist_ok=True)
    (job.folder / "in").touch()
    (job.folder / "came").touch()
    with (job.folder / "seen").open("a") as seen:
        seen.write(f"{present(job)} ")
        if job.number in (2, 3, 4):
            together(job, {2, 3, 4})
            seen.write(f"{present(job)} ")
    yield epoch(1)
    (job.folder / "in").unlink()
    yield epoch(2, done=True)


def exhausted(job: Job) -> Iterator[Progress]:
    """As `counted`; for one trial memory runs out the first time, when three are there."""
    full = job.folder.parent / "full"
    for progress in counted(job):
        if job.number == 3 and not full.exists():
            full.touch()
            (job.folder / "in").unlink()
            raise DeviceMemoryError("GPU memory ran out")
        yield progress


Seen = Callable[[Train], tuple[Ledger, dict[int, list[int]]]]


@pytest.fixture
def play(one_gpu: Workplace, tmp_path: Path) -> Seen:
    """Run a study of eight trials; what each saw."""

    def run(train: Train) -> tuple[Ledger, dict[int, list[int]]]:
        study = auto(make_study(trials=8, epochs=2, sampler={"name": "random"}))
        ledger = Ledger(study, open_storage(None, tmp_path), tmp_path)
        one_gpu.run([ledger], train)
        assert ledger.finished
        files = {n: tmp_path / f"trials/{n:04d}/seen" for n in range(8)}
        return ledger, {n: [*map(int, file.read_text().split())] for n, file in files.items()}

    return run


def test_the_first_trial_is_alone_and_then_three_share_the_gpu(play: Seen) -> None:
    ledger, seen = play(counted)
    assert [trial.state for trial in ledger.history("trial")] == ["COMPLETE"] * 8
    assert seen[0] == [1]
    assert max(most for counts in seen.values() for most in counts) == 3


def test_a_trial_whose_memory_ran_out_is_trained_again_among_fewer(play: Seen) -> None:
    ledger, seen = play(exhausted)
    trials = ledger.history("trial")
    assert [(trial.state, trial.failure) for trial in trials] == [("COMPLETE", None)] * 8
    assert len(seen[3]) == 4  # it came twice
    assert seen[3][2] <= 2
    assert all(most <= 2 for number in (6, 7) for most in seen[number])


def test_a_trial_whose_memory_runs_out_alone_has_failed(tmp_path: Path) -> None:
    ledger = Ledger(auto(make_study(trials=1)), open_storage(None, tmp_path), tmp_path)
    coordinator = Coordinator([ledger], [], Shares([ledger.study], THERE), lambda: THERE)
    (job,) = coordinator.next_jobs("a")
    full = Progress(failure="GPU memory ran out", failure_kind="memory", lacks_memory=True)
    assert coordinator.record("a", {job.key: full})
    (trial,) = ledger.history("trial")
    assert (trial.state, trial.failure) == ("FAIL", "GPU memory ran out")


def test_a_training_tells_what_it_takes_of_its_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "gpu_memory", lambda _: (3 * GIB, 80 * GIB))
    busy = iter([0.25, 0.75])
    monkeypatch.setattr(device, "gpu_busy", lambda _: next(busy, None))
    monkeypatch.setattr(gauge, "_SECONDS_BETWEEN_LOOKS", 0.0)
    monkeypatch.setattr(execute, "_SECONDS_BETWEEN_REPORTS", 0.0)
    chosen = recipe(trainer={"epochs": 2})
    job = Job("study", "trial", 0, chosen.to_mapping(), tmp_path / "job", tmp_path)
    told = [progress.gpu for progress in train_job(job) if progress.reports]
    assert told == [GpuUse(3 * GIB, 80 * GIB, 0.5)] * 2


def test_memory_that_runs_out_is_told_apart(tmp_path: Path) -> None:
    assert execute.failed(DeviceMemoryError("full"), tmp_path).lacks_memory
    assert not execute.failed(ValueError("wrong"), tmp_path).lacks_memory

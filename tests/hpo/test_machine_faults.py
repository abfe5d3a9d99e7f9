"""A full disk and exhausted memory are the machine's fault: said, and nothing fails by them."""

from __future__ import annotations

import errno
import json
import re
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from disk_support import file_size_limit, small_disk
from engine_support import RGB, give, random_images, recipe
from pool_support import make_study

from iterate.cli.main import main
from iterate.hpo.failures import failed
from iterate.hpo.jobs import Progress as Told
from iterate.hpo.ledger import Ledger
from iterate.hpo.storage.open import opened_storage
from iterate_core.data.dataset import SPLITS
from iterate_core.engine import fit
from iterate_core.engine.checkpoints import FitProgress, save_progress
from iterate_core.engine.reports import EpochReport
from iterate_core.engine.resolved import prepare
from iterate_core.errors import DataError, MachineError, Problem, WorkError
from iterate_core.faults import machine_error
from iterate_core.tasks.supervised import SupervisedTask

HOW_MUCH = r"\d+(\.\d)? [kM]?B free, about \d+(\.\d)? [kM]?B needed"


def values(result: fit.FitResult) -> list[float]:
    return [report.value for report in result.reports]


@pytest.mark.parametrize("tuning", ["full", "frozen"])
def test_a_run_folder_without_space_says_which_and_how_much_and_training_goes_on(
    tuning: str, tmp_path: Path
) -> None:
    chosen = recipe(tuning={"name": tuning}, trainer={"epochs": 2})
    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        out = disk.folder / "run"
        if tuning == "frozen":  # checkpoints of a few kB: not even those
            disk.fill()
        with pytest.raises(MachineError) as full:
            fit.fit(prepare(chosen), out)
        assert str(out) in str(full.value)
        assert "no space left on device" in str(full.value)
        assert re.search(HOW_MUCH, str(full.value))
        disk.resize(64)
        again, whole = (fit.fit(prepare(chosen), folder) for folder in (out, tmp_path / "whole"))
        assert values(again) == values(whole)


@pytest.mark.parametrize("what", ["the packed train split of arrays", "features"])
def test_a_cache_without_space_says_which_and_how_much(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = give(random_images((24, 3, 64, 64)), np.arange(24) % 2, RGB, classes=2)
    plain = {"flip": False, "rotate": False}
    chosen = recipe(data=data, tuning={"name": "frozen"}, trainer={"epochs": 1}, augmentation=plain)
    with small_disk(tmp_path / "disk", megabytes=2) as disk:
        monkeypatch.setenv("ITERATE_CACHE", str(disk.folder))
        if what == "features":
            packed = prepare(chosen).pack
            assert [len(packed.images(split)) for split in SPLITS] == [24, 24, 24]
        disk.fill()
        with pytest.raises(MachineError) as full:
            fit.fit(prepare(chosen), tmp_path / "run")
        told = str(full.value)
        disk.resize(64)
        assert fit.fit(prepare(chosen), tmp_path / "run").reports[-1].done
    assert told.startswith(f"{what} cannot be written to {disk.folder}")
    assert re.search(HOW_MUCH, told)
    assert told.endswith("Set ITERATE_CACHE to a folder with space.")


def test_a_dataset_drawn_into_a_full_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        monkeypatch.setenv("ITERATE_CACHE", str(disk.folder))
        disk.fill()
        with pytest.raises(MachineError, match="no space left on device"):
            prepare(recipe(data={"seed": 5})).pack.names("train")


def test_a_limit_on_files_is_as_good_as_a_full_disk(tmp_path: Path) -> None:
    chosen = recipe(trainer={"epochs": 1})
    list(fit.epochs(prepare(chosen), tmp_path / "whole"))
    with (
        file_size_limit(100_000),
        pytest.raises(MachineError, match=r"best.safetensors cannot be written.*file too large"),
    ):
        list(fit.epochs(prepare(chosen), tmp_path / "run"))
    with (
        file_size_limit(100_000),
        pytest.raises(MachineError, match=r"last.ckpt cannot be written.*file too large"),
    ):
        # PyTorch's own complaint is of an "unexpected pos".
        save_progress(tmp_path / "run", FitProgress("x", state={"w": torch.zeros(100_000)}))


def test_a_checkpoint_on_a_disk_that_is_lost_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(islice(fit.epochs(prepare(recipe()), tmp_path), 1))

    def lost(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "Input/output error", str(tmp_path / "last.ckpt"))

    monkeypatch.setattr(torch, "load", lost)
    with pytest.raises(MachineError, match=r"last.ckpt cannot be used \(input/output error\)"):
        list(fit.epochs(prepare(recipe()), tmp_path))


def test_a_full_disk_under_the_storage_is_recognised(tmp_path: Path) -> None:
    epochs = tuple(
        EpochReport(epoch, {"val/score": 0.5}, 0.5, 0.5, 0.1, done=False)
        for epoch in range(1, 2000)
    )
    with small_disk(tmp_path / "disk", megabytes=3) as disk:

        def overflow() -> None:
            with opened_storage(None, disk.folder) as storage:
                ledger = Ledger(make_study(trials=1), storage, disk.folder)
                job = ledger.next_job()
                assert job is not None
                disk.fill()
                ledger.record(job.key, Told(epochs))

        with pytest.raises(WorkError, match="refuses what the run writes") as full:
            overflow()
        fault = machine_error(full.value, disk.folder, "the run's files")
        assert fault is not None
        assert str(fault).startswith(f"the run's files cannot be written to {disk.folder}")
        disk.resize(64)
        with opened_storage(None, disk.folder) as storage:
            again = Ledger(make_study(trials=1), storage, disk.folder).next_job()
            assert again is not None
            assert again.number == 0


def test_the_disk_that_is_full_is_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        # Ray keeps files in the system's folder for temporary ones.
        monkeypatch.setattr(tempfile, "tempdir", str(disk.folder))
        assert f"written to {disk.folder}:" in str(machine_error(error, tmp_path / "run"))
        error.filename = str(tmp_path / "elsewhere/file")
        assert f"written to {tmp_path}/elsewhere:" in str(machine_error(error, tmp_path / "run"))


def too_large() -> MemoryError:
    """NumPy's own, of more than any machine has."""
    with pytest.raises(MemoryError) as raised:
        np.empty((1 << 20, 1 << 30), np.float64)
    return raised.value


def of(cause: Exception) -> DataError:
    error = DataError(Problem("file", "is damaged."))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "machines"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (OSError(errno.ESTALE, "Stale file handle"), True),
        (OSError(errno.ENOENT, "No such file or directory", "x"), False),
        (PermissionError(errno.EACCES, "Permission denied", "x"), False),
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
         True),
        # More than any machine has: that is the point's own fault, as is the GPU's memory.
        (RuntimeError(f"can't allocate memory: you tried to allocate {1 << 60} bytes"), False),
        (too_large(), False),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), False),
        (ValueError("a wrong value"), False),
        # A reader's word on a file stands, unless there was no room to read it.
        (of(MemoryError()), False),
        (of(OSError(errno.ENOSPC, "No space left on device")), True),
    ],
)  # fmt: skip
def test_what_is_the_machines_fault(error: Exception, machines: bool, tmp_path: Path) -> None:
    told = failed(error, tmp_path)
    assert (told.fault is not None) == machines
    assert (told.failure is not None) != machines
    assert (told.failure_kind is not None) != machines


def test_memory_of_the_host_that_others_took_is_the_machines_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(SupervisedTask, "training_step", exhausted)
    with pytest.raises(MachineError, match="the memory of this machine ran out"):
        list(fit.epochs(prepare(recipe()), tmp_path))

    def too_much(*_: Any) -> None:
        torch.empty(1 << 50)

    monkeypatch.setattr(SupervisedTask, "training_step", too_much)
    with pytest.raises(WorkError, match=r"lower data\.batch_size") as refused:
        list(fit.epochs(prepare(recipe()), tmp_path))
    assert not isinstance(refused.value, MachineError)


SEARCH = """
# iterate hpo search.yaml
defaults:
  - recipe
  - override data: generated
  - override model/backbone: timm
  - override model/decoder: linear
  - _self_
name: full
data: {kind: classification, samples: [24, 12, 12], size: 16}
model: {backbone: {name: resnet10t, weights: none}}
trainer: {epochs: 1}
space:
  optimiser.lr: tag(log, interval(1e-4, 1e-2))
search: {sampler: random, scheduler: none, trials: 2, repeats: 0, max_failures: 1}
resources: {concurrent: 1}
tracking: {enabled: false}
"""


@pytest.mark.usefixtures("one_ray")
def test_a_search_on_a_full_disk_pauses_and_ends_as_if_there_had_been_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    search = tmp_path / "search.yaml"
    search.write_text(SEARCH, encoding="utf-8")
    with small_disk(tmp_path / "disk", megabytes=10) as disk:
        out = disk.folder / "run"
        words = ["iterate", "hpo", str(search), "--out", str(out), "--json"]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 1
        told = " ".join(capsys.readouterr().err.split())
        assert "paused best.safetensors cannot be written to" in told
        assert str(out / "trials/0000") in told.replace(" ", "")
        assert re.search(HOW_MUCH, told)
        assert "the same command goes on" in told
        assert "recipe.yaml" not in told
        assert "Traceback" not in told
        disk.resize(200)
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 0
        summary = json.loads(capsys.readouterr().out)
        assert summary["studies"][0]["trials"] == {"complete": 2, "pruned": 0, "failed": 0}
        assert (out / "recipe.yaml").exists()

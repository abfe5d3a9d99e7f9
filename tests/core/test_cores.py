"""Cores are counted as this process may use them: on a Mac, and in a container with a quota."""

from __future__ import annotations

import builtins
import io
import os
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from iterate.hpo.storage.process import Process
from iterate_core import device
from iterate_core.provenance import environment, usable_cores


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def pretend(monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    """Control groups as these files say, and no others."""
    there, opened = os.path.exists, builtins.open

    def exists(path: Any) -> bool:
        named = str(path)
        return named in files if named.startswith("/sys/fs/cgroup/cpu") else there(path)

    def reads(path: Any, *rest: Any, **options: Any) -> Any:
        held = files.get(str(path))
        return opened(path, *rest, **options) if held is None else io.StringIO(held)

    monkeypatch.setattr(os.path, "exists", exists)
    monkeypatch.setattr(builtins, "open", reads)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"/sys/fs/cgroup/cpu.max": "max 100000"}, 8),
        ({"/sys/fs/cgroup/cpu.max": "300000 100000"}, 3),
        ({"/sys/fs/cgroup/cpu.max": "50000 100000"}, 1),
        (
            {
                "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000",
                "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            2,
        ),
    ],
    ids=["none", "no limit", "three", "half a core", "the older files"],
)
def test_a_containers_quota_limits_cores_and_threads(
    files: dict[str, str], cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, files)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert usable_cores() == cores
    assert device.threads() == cores
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert device.threads() == 8


def test_affinity_limits_cores_and_a_mac_that_knows_none_has_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pretend(monkeypatch, {})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5})
    assert usable_cores() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.delattr(psutil.Process, "cpu_affinity")
    assert usable_cores() == 8
    assert environment(tmp_path)["cpu"]["usable_cores"] == 8


def test_a_process_is_told_from_a_later_one_of_its_number_without_files_of_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = Path.exists
    monkeypatch.setattr(Path, "exists", lambda p: not str(p).startswith("/proc") and there(p))
    this = Process.this()
    assert float(this.birth) == pytest.approx(psutil.Process().create_time(), abs=1)
    assert not this.gone
    assert Process(this.machine, this.number, "12.0").gone
    assert Process(this.machine, 2**22 + 1, this.birth).gone  # no system counts so far

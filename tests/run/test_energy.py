"""What the hardware counts is kept with the run, from command to command; else nothing is."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from iterate.hpo import hardware
from iterate.run import energy
from iterate.run.energy import EnergyMeter, energy_of


def package(place: Path, name: str, counted: int, most: int = 10_000_000) -> Path:
    place.mkdir(parents=True)
    (place / "name").write_text(f"{name}\n")
    (place / "max_energy_range_uj").write_text(f"{most}\n")
    (place / "energy_uj").write_text(f"{counted}\n")
    return place / "energy_uj"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(energy.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture(autouse=True)
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    counted: list[float | None] = [None]
    monkeypatch.setattr(energy, "gpu_joules", lambda: counted[0])
    return counted


def test_packages_are_summed_and_their_counters_may_begin_anew(
    tmp_path: Path, clock: list[float]
) -> None:
    first = package(tmp_path / "cap/intel-rapl:0", "package-0", 9_000_000)
    second = package(tmp_path / "cap/intel-rapl:1", "package-1", 100)
    core = package(tmp_path / "cap/intel-rapl:0:0", "core", 0)  # counted in its package
    other = package(tmp_path / "cap/intel-rapl:2", "psys", 0)
    meter = EnergyMeter(tmp_path, tmp_path / "cap")
    for file in (core, other):
        file.write_text("5000000")
    first.write_text("1000000")  # beyond its end
    second.write_text("500100")
    clock[0] += 0.005
    meter.look()
    assert energy_of(tmp_path) == [{"cpu_joules": 2.5, "seconds": 0.005}]
    # The next command adds its own.
    again = EnergyMeter(tmp_path, tmp_path / "cap")
    first.write_text("1250000")
    clock[0] += 0.005
    again.look()
    assert [one["cpu_joules"] for one in energy_of(tmp_path)] == [2.5, 0.25]


def test_what_may_have_begun_anew_twice_is_not_told(tmp_path: Path, clock: list[float]) -> None:
    package(tmp_path / "cap/intel-rapl:0", "package-0", 0)
    meter = EnergyMeter(tmp_path, tmp_path / "cap")
    clock[0] += 1.0  # 10 J at 1000 W last a hundredth of that
    meter.look()
    assert energy_of(tmp_path) == []


def test_gpus_are_told_beside(tmp_path: Path, clock: list[float], gpus: list[float | None]) -> None:
    gpus[0] = 1000.0
    meter = EnergyMeter(tmp_path, tmp_path / "none")
    gpus[0], clock[0] = 1600.0, 102.0
    meter.look()
    assert energy_of(tmp_path) == [{"gpu_joules": 600.0, "seconds": 2.0}]


def test_without_counters_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "cap/dtpm").mkdir(parents=True)
    EnergyMeter(tmp_path, tmp_path / "cap").look()
    assert [path.name for path in tmp_path.iterdir()] == ["cap"]
    (tmp_path / "energy.json").write_text("{")
    assert energy_of(tmp_path) == []


class Driver:
    """NVIDIA's library with two GPUs, the second of which may not count."""

    def __init__(self, counts: bool) -> None:
        self.counts, self.open = counts, 0

    def nvmlInit_v2(self) -> int:  # noqa: N802 - the library's names
        self.open += 1
        return 0

    def nvmlShutdown(self) -> int:  # noqa: N802
        self.open -= 1
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        count._obj.value = 2
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, handle: Any) -> int:  # noqa: N802
        handle._obj.value = index + 1
        return 0

    def nvmlDeviceGetHandleByUUID(self, name: bytes, handle: Any) -> int:  # noqa: N802
        handle._obj.value = 2
        return 0 if name == b"GPU-b" else 6

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any, counted: Any) -> int:  # noqa: N802
        counted._obj.value = 1500 * handle.value
        return 0 if self.counts or handle.value == 1 else 3


@pytest.mark.parametrize(
    ("visible", "counts", "joules"),
    [
        (None, True, 4.5),
        ("0", True, 1.5),
        ("GPU-b", True, 3.0),
        ("GPU-x", True, None),
        ("", True, None),
        (None, False, None),
        ("0", False, 1.5),
    ],
)
def test_gpus_that_are_visible_are_asked(
    visible: str | None, counts: bool, joules: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Driver(counts)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: driver)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert hardware.gpu_joules() == joules
    assert driver.open == 0

"""The energy that this machine takes while it works on a run, where its hardware counts it.

Processors count what their packages take (RAPL, in ``/sys/class/powercap``, which the kernel often
shows to root alone), and NVIDIA's driver what a GPU does. Both count all that the machine does.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iterate.hpo.hardware import gpu_joules
from iterate.hpo.jobs import Job
from iterate.hpo.ledger import Ledger
from iterate_core.storage.files import write_json

ENERGY_FILE = "energy.json"
"""In a run's folder: of each command that worked on it, seconds and joules."""

_POWERCAP = Path("/sys/class/powercap")
_SECONDS_BETWEEN_LOOKS = 10.0
_MOST_WATTS = 1000.0  # that a package takes; its counter begins anew after so long at least


@dataclass
class _Package:
    """A processor's counter, and what it has counted since we look."""

    folder: Path
    range: float
    last: float
    seen: float
    joules: float = 0.0
    lost: bool = False

    def look(self) -> None:
        now = time.monotonic()
        found = _number(self.folder / "energy_uj")
        if found is None or (now - self.seen) * _MOST_WATTS * 1e6 > self.range:
            self.lost = True  # it may have begun anew more than once
            return
        self.joules += (found - self.last) % self.range / 1e6
        self.last, self.seen = found, now


class EnergyMeter:
    """Reads the counters now and then, as ledgers change, and keeps what they come to.

    Args:
        folder: The run's. Nothing is written there where nothing is counted.
        powercap: Where the kernel shows the processors' counters.
    """

    def __init__(self, folder: Path, powercap: Path = _POWERCAP) -> None:
        self._file = folder / ENERGY_FILE
        self._earlier = energy_of(folder)
        self._packages = [
            found
            for place in sorted(powercap.glob("*:*"))
            if place.name.count(":") == 1 and (found := _package(place)) is not None
        ]
        self._gpus = gpu_joules()
        self._began = self._looked = time.monotonic()

    def changed(self, ledger: Ledger, job: Job) -> None:
        """See `iterate.hpo.pool.coordinator.Observer`."""
        del ledger, job
        if time.monotonic() - self._looked >= _SECONDS_BETWEEN_LOOKS:
            self.look()

    def look(self) -> None:
        """Read the counters, and keep what they have counted since the meter was made."""
        self._looked = time.monotonic()
        for package in self._packages:
            package.look()
        told: dict[str, Any] = {}
        if self._packages and not any(package.lost for package in self._packages):
            told["cpu_joules"] = round(sum(package.joules for package in self._packages), 3)
        now = gpu_joules()
        if self._gpus is not None and now is not None:
            told["gpu_joules"] = round(now - self._gpus, 3)
        if told:
            told["seconds"] = round(self._looked - self._began, 3)
            write_json(self._file, [*self._earlier, told])


def energy_of(folder: Path) -> list[dict[str, float]]:
    """What each command counted that worked on a run; empty where none did."""
    try:
        found = json.loads((folder / ENERGY_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _package(folder: Path) -> _Package | None:
    """The counter of a processor's package; None of anything else, or if it may not be read."""
    with suppress(OSError):
        if not (folder / "name").read_text(encoding="ascii").startswith("package"):
            return None
        most, last = (_number(folder / name) for name in ("max_energy_range_uj", "energy_uj"))
        if most and last is not None:
            return _Package(folder, most, last, time.monotonic())
    return None


def _number(file: Path) -> float | None:
    try:
        return float(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None

"""What a result was made with: packages, hardware and the state of the code.

Nothing here names a person or a machine, and no environment variable is read: those hold secrets.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, TypeVar

import psutil

from iterate_core import __version__
from iterate_core.secrets import without_passwords

T = TypeVar("T")

PATCH_LIMIT = 256 * 1024  # bytes of a patch that are kept
_PROGRAM_SECONDS = 10.0
# Whose versions decide a result; the whole list stands under "freeze".
_MAIN = (
    "torch",
    "lightning",
    "timm",
    "segmentation-models-pytorch",
    "torchmetrics",
    "torchgeo",
    "numpy",
    "h5py",
    "rasterio",
    "optuna",
    "ray",
    "mlflow",
    "hydra-core",
)
_NAME = re.compile(r"^Name: *(\S+)", re.MULTILINE)
_VERSION = re.compile(r"^Version: *(\S+)", re.MULTILINE)


def environment(folder: Path | None = None) -> dict[str, Any]:
    """Describe what a run is made with, in JSON types. Never fails: what is unknown is None.

    Args:
        folder: Whose git state is told; None takes the current folder.

    Returns:
        ``iterate`` (its version), ``python``, ``system``, ``cpu``, ``memory_bytes``, ``gpus``,
        ``packages`` (those that decide results), ``freeze`` (all of them) and ``git``: the
        commit, whether tracked files were changed, and the patch that changed them.
    """
    freeze = _attempt(_installed) or {}
    return {
        "iterate": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": {
            "name": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "libc": " ".join(platform.libc_ver()).strip() or None,
        },
        "cpu": {
            "model": _attempt(_cpu_model),
            "cores": os.cpu_count(),
            "usable_cores": _attempt(usable_cores),
        },
        "memory_bytes": _attempt(memory_bytes),
        "gpus": _attempt(_gpus),
        "packages": {name: freeze[name] for name in _MAIN if name in freeze},
        "freeze": freeze,
        "git": _attempt(lambda: _git(folder or Path.cwd())),
    }


def commit(folder: Path) -> str | None:
    """The commit of the repository that a folder is in; None outside one. Never fails."""
    return _attempt(lambda: _commit(folder))


def _attempt(question: Callable[[], T]) -> T | None:
    """The answer, or None: not knowing one thing about a machine must not end a run on it."""
    try:
        return question()
    except Exception:  # noqa: BLE001 - promised: whatever a machine answers, we go on
        return None


def _installed() -> dict[str, str]:
    found = {}
    for package in distributions():
        # Parsing the whole of every description takes half a second.
        told = package.read_text("METADATA") or package.read_text("PKG-INFO") or ""
        name, version = _NAME.search(told), _VERSION.search(told)
        if name is not None and version is not None:
            found[name[1].lower().replace("_", "-")] = version[1]
    return dict(sorted(found.items()))


def _cpu_model() -> str | None:
    if platform.system() == "Darwin":
        told = _output(["sysctl", "-n", "machdep.cpu.brand_string"])
        return None if told is None else told.decode().strip()
    description = Path("/proc/cpuinfo")
    if description.exists():
        for line in description.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or None


def usable_cores() -> int:
    """Cores this process may use: its affinity, or its container's quota, may leave it a part."""
    from joblib import cpu_count  # not light

    return int(cpu_count())


def memory_bytes() -> int:
    """Of the machine, or of the container that limits us to less."""
    installed: int = psutil.virtual_memory().total
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text(encoding="ascii").strip() if limit.exists() else "max"
    return min(installed, int(text)) if text.isdecimal() else installed


def _gpus() -> list[dict[str, Any]]:
    """Each GPU's name and memory.

    The driver's own program is asked first: asking torch would take a piece of each GPU's memory
    for as long as this process lives.
    """
    program = shutil.which("nvidia-smi")
    if program is not None:
        query = "--query-gpu=name,memory.total,driver_version"
        answer = _output([program, query, "--format=csv,noheader,nounits"])
        if answer is not None:
            rows = [line.split(", ") for line in answer.decode().splitlines() if line]
            return [
                {"name": name, "memory_bytes": int(mebibytes) * 2**20, "driver": driver}
                for name, mebibytes, driver in rows
            ]
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is None or not cuda.is_available():
        return []
    found = [cuda.get_device_properties(index) for index in range(cuda.device_count())]
    return [{"name": gpu.name, "memory_bytes": gpu.total_memory, "driver": None} for gpu in found]


def _commit(folder: Path) -> str | None:
    program = shutil.which("git")
    if program is None:
        return None
    found = _output([program, "-C", str(folder), "--no-optional-locks", "rev-parse", "HEAD"])
    return None if found is None else found.decode().strip()


def _git(folder: Path) -> dict[str, Any] | None:
    """Commit, and what tracked files were changed since; None outside a repository."""
    program = shutil.which("git")
    if program is None:
        return None
    # Nothing is written to the repository, and no program that its configuration names shows diffs.
    git = [program, "-C", str(folder), "-c", "core.fsmonitor=false", "--no-optional-locks"]
    commit = _output([*git, "rev-parse", "HEAD"])
    if commit is None:
        return None
    patch = _output([*git, "diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color"])
    if patch is None:
        return {"commit": commit.decode().strip(), "dirty": None, "patch": None}
    kept = without_passwords(patch[:PATCH_LIMIT].decode(errors="replace"))
    return {
        "commit": commit.decode().strip(),
        "dirty": bool(patch),
        "patch": kept if len(patch) <= PATCH_LIMIT else kept + "\n[the rest was left out]\n",
    }


def _output(command: list[str]) -> bytes | None:
    """What a program prints, or None if it fails."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=_PROGRAM_SECONDS,
        check=False,
    )
    return done.stdout if done.returncode == 0 else None

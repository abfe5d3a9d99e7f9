"""Devices: which there are, what each can do, and what a recipe sets on one while it runs.

The one file that tells kinds of device apart: another accelerator is a row of `_KINDS`, and another
strategy a change of `fabric_for`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch.utils import deterministic as _debugging

from iterate_core.errors import Problem, RequestError
from iterate_core.provenance import usable_cores

WHERE = "trainer.accelerator"
_CPU = torch.device("cpu")
_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
# Lightning sets this when imported; PyTorch's optimisers, which look for a GPU at every step, then
# load NVIDIA's library each time: a millisecond a step on a machine without a GPU.
_NVML = "PYTORCH_NVML_BASED_CUDA_CHECK"


@dataclass(frozen=True)
class _Kind:
    """What a kind of device can do.

    Attributes:
        precisions: The arithmetic that it has, as Lightning names it.
        float64: Whether it has numbers in double precision.
        apart: Whether its memory is not the host's, so that what goes there is worth keeping
            there, and goes faster from pinned memory.
    """

    precisions: tuple[str, ...]
    float64: bool
    apart: bool


_KINDS = {
    "cpu": _Kind(("32-true", "bf16-mixed"), float64=True, apart=False),
    "cuda": _Kind(("32-true", "bf16-mixed", "16-mixed"), float64=True, apart=True),
    "mps": _Kind(("32-true", "bf16-mixed", "16-mixed"), float64=False, apart=False),
}


def kind_of(accelerator: str) -> str:
    """The kind of device that `trainer.accelerator` means on this machine.

    ``auto`` takes a GPU where this process sees one: CUDA's, or a Mac's through MPS.

    Raises:
        RequestError: There is none such here.
    """
    seen = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    gpu = next((kind for kind, there in seen.items() if there), None)
    if accelerator == "cpu" or (accelerator == "auto" and gpu is None):
        return "cpu"
    if accelerator == "mps" and not seen["mps"]:
        raise RequestError(Problem(WHERE, "there is no MPS here.", "Choose auto or cpu."))
    if gpu is None:
        raise RequestError(Problem(WHERE, "there is no GPU here.", "Choose auto or cpu."))
    return "mps" if accelerator == "mps" else gpu


def device_name(accelerator: str) -> str:
    """The device for people: ``CPU``, or the GPU's name."""
    kind = kind_of(accelerator)
    if kind == "cuda":
        return str(torch.cuda.get_device_name(0))
    return {"cpu": "CPU", "mps": "Apple GPU"}[kind]


def gpu_memory(accelerator: str) -> tuple[int, int] | None:
    """Bytes of an NVIDIA GPU that this process held at most, and that there are; else None."""
    if kind_of(accelerator) != "cuda":
        return None
    _, total = torch.cuda.mem_get_info()
    return torch.cuda.max_memory_reserved(), total


def gpu_busy(accelerator: str) -> float | None:
    """For how much of the last moments an NVIDIA GPU was at work, 0 to 1; None if nothing tells.

    PyTorch asks the package nvidia-ml-py, which it does not bring.
    """
    if kind_of(accelerator) != "cuda":
        return None
    try:
        return torch.cuda.utilization() / 100
    except (ImportError, RuntimeError):
        return None


def release_gpu(accelerator: str) -> None:
    """Give a GPU's memory back that is held but not used, and count its peak anew from here."""
    if kind_of(accelerator) == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def fabric_for(accelerator: str, precision: str) -> Fabric:
    """One device and the arithmetic a recipe asks for on it.

    Raises:
        RequestError: This machine has no such device, or it has no such arithmetic.
    """
    kind = kind_of(accelerator)
    able = _KINDS[kind].precisions
    if precision not in able:
        what = f"{precision} needs a GPU, and this recipe trains on a CPU."
        hint = f"Choose {' or '.join(reversed(able))}."
        raise RequestError(Problem("trainer.precision", what, hint))
    if not fuses(precision):
        return _fabric(kind, precision)
    own = copy(_shared_fabric(kind, precision))
    # Fabric holds on to every task that it sets up, in case it has hooks to be called.
    own._callbacks = []
    return own


def _fabric(kind: str, precision: str) -> Fabric:
    return Fabric(accelerator=kind, devices=1, precision=precision)  # type: ignore[arg-type]


# Of float16 each training needs its own, with a scaler. The others know of no training, and
# Lightning reads the metadata of every installed package for each that it makes.
_shared_fabric = cache(_fabric)


def keeps_data(device: torch.device) -> bool:
    """Whether it has memory of its own, worth keeping data in and pinning memory for."""
    return _KINDS[device.type].apart


def exact_device(device: torch.device) -> torch.device:
    """Where that device's numbers are worked out in double precision: there, or on the CPU."""
    return device if device.type not in _KINDS or _KINDS[device.type].float64 else _CPU


def fuses(precision: str) -> bool:
    """Whether optimisers may take their fused step.

    The scaler of float16 must see gradients that the fused step would unscale itself.
    """
    return precision != "16-mixed"


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether the GPU's memory, and not the host's, was too small."""
    return isinstance(error, torch.OutOfMemoryError) or "MPS backend out of memory" in str(error)


def threads() -> int:
    """With how many threads PyTorch's operations on the CPU run, unless told otherwise.

    PyTorch knows nothing of a container's quota of cores, so more would get in each other's way.
    """
    chosen = torch.get_num_threads()
    return chosen if "OMP_NUM_THREADS" in os.environ else min(chosen, usable_cores())


@contextmanager
def isolated(
    seed: int, device: torch.device, *, deterministic: bool, threads: int | None
) -> Iterator[None]:
    """Run with random state fixed by `seed`; whoever called finds everything as it was.

    With `threads`, PyTorch's operations on the CPU use so many.

    Random state of Python, NumPy and PyTorch (CPU and `device`) and PyTorch's switches for
    deterministic algorithms are saved, set, and restored. Operations that have no deterministic
    form on a GPU warn rather than fail.
    """
    saved = _save()
    try:
        with forked(device):
            seed_all(seed)
            _switch(device, deterministic=deterministic)
            if threads is not None:
                torch.set_num_threads(threads)
            yield
    finally:
        _restore(saved)


def forked(device: torch.device) -> AbstractContextManager[None]:
    """PyTorch's random state on the CPU and on a device, put back at the end."""
    gpus = [] if device.type == "cpu" else range(torch.get_device_module(device).device_count())
    return torch.random.fork_rng(gpus, device_type=device.type)


def seed_all(seed: int) -> None:
    """Fix the random state of Python, NumPy and PyTorch on every device."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _switch(device: torch.device, *, deterministic: bool) -> None:
    cuda = device.type == "cuda"
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    # Filling fresh memory serves debugging only and costs a write for every tensor.
    _debugging.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.benchmark = cuda and not deterministic
    if deterministic and cuda:
        os.environ.setdefault(_CUBLAS, ":4096:8")
    os.environ.pop(_NVML, None)


def _save() -> dict[str, Any]:
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "fill": _debugging.fill_uninitialized_memory,  # type: ignore[attr-defined]
        "cudnn": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        "threads": torch.get_num_threads(),
        "environment": {name: os.environ.get(name) for name in (_CUBLAS, _NVML)},
    }


def _restore(saved: dict[str, Any]) -> None:
    random.setstate(saved["python"])
    np.random.set_state(saved["numpy"])
    torch.use_deterministic_algorithms(saved["deterministic"], warn_only=saved["warn_only"])
    _debugging.fill_uninitialized_memory = saved["fill"]  # type: ignore[attr-defined]
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = saved["cudnn"]
    torch.set_num_threads(saved["threads"])
    for name, value in saved["environment"].items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value

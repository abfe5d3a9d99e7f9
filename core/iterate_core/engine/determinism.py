"""Global state of a training step, set for its length and put back afterwards."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils import deterministic as _debugging

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
# Lightning sets this when imported; PyTorch's optimisers, which look for a GPU at every step, then
# load NVIDIA's library each time: a millisecond a step on a machine without a GPU.
_NVML = "PYTORCH_NVML_BASED_CUDA_CHECK"


@contextmanager
def isolated(seed: int, *, deterministic: bool, cuda: bool, threads: int | None) -> Iterator[None]:
    """Run with random state fixed by `seed`; whoever called finds everything as it was.

    With `threads`, PyTorch's operations on the CPU use so many.

    Random state of Python, NumPy and PyTorch (CPU and CUDA) and PyTorch's switches for
    deterministic algorithms are saved, set, and restored. Operations that have no deterministic
    form on CUDA warn rather than fail.
    """
    saved = _save(cuda)
    try:
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(deterministic, warn_only=True)
        # Filling fresh memory serves debugging only and costs a write for every tensor.
        _debugging.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cudnn.deterministic = deterministic
        torch.backends.cudnn.benchmark = cuda and not deterministic
        if deterministic and cuda:
            os.environ.setdefault(_CUBLAS, ":4096:8")
        os.environ.pop(_NVML, None)
        if threads is not None:
            torch.set_num_threads(threads)
        yield
    finally:
        _restore(saved, cuda)


def threads() -> int:
    """With how many threads PyTorch's operations on the CPU run, unless told otherwise."""
    return torch.get_num_threads()


def _save(cuda: bool) -> dict[str, Any]:
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if cuda else None,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "fill": _debugging.fill_uninitialized_memory,  # type: ignore[attr-defined]
        "cudnn": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        "threads": torch.get_num_threads(),
        "environment": {name: os.environ.get(name) for name in (_CUBLAS, _NVML)},
    }


def _restore(saved: dict[str, Any], cuda: bool) -> None:
    random.setstate(saved["python"])
    np.random.set_state(saved["numpy"])
    torch.set_rng_state(saved["torch"])
    if cuda:
        torch.cuda.set_rng_state_all(saved["cuda"])
    torch.use_deterministic_algorithms(saved["deterministic"], warn_only=saved["warn_only"])
    _debugging.fill_uninitialized_memory = saved["fill"]  # type: ignore[attr-defined]
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = saved["cudnn"]
    torch.set_num_threads(saved["threads"])
    for name, value in saved["environment"].items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value

"""Global state of a training step, set for its length and put back afterwards."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.utils import deterministic as _debugging

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


@contextmanager
def isolated(seed: int, *, deterministic: bool, cuda: bool) -> Iterator[None]:
    """Run with random state fixed by `seed`; whoever called finds everything as it was.

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
        yield
    finally:
        _restore(saved, cuda)


def _save(cuda: bool) -> dict[str, object]:
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if cuda else None,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "fill": _debugging.fill_uninitialized_memory,  # type: ignore[attr-defined]
        "cudnn": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        "cublas": os.environ.get(_CUBLAS),
    }


def _restore(saved: dict[str, object], cuda: bool) -> None:
    random.setstate(saved["python"])  # type: ignore[arg-type]
    np.random.set_state(saved["numpy"])  # type: ignore[arg-type]
    torch.set_rng_state(saved["torch"])  # type: ignore[arg-type]
    if cuda:
        torch.cuda.set_rng_state_all(saved["cuda"])  # type: ignore[arg-type]
    torch.use_deterministic_algorithms(
        bool(saved["deterministic"]), warn_only=bool(saved["warn_only"])
    )
    _debugging.fill_uninitialized_memory = bool(saved["fill"])  # type: ignore[attr-defined]
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = saved["cudnn"]  # type: ignore[misc]
    if saved["cublas"] is None:
        os.environ.pop(_CUBLAS, None)

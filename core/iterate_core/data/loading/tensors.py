"""Stored pixels and targets as tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

_SAME_WIDTH = {np.dtype(np.uint16): np.int16, np.dtype(np.uint32): np.int32}


def tensor(array: npt.NDArray[Any]) -> Tensor:
    """An array as a tensor; unsigned types that PyTorch can barely index keep their bits."""
    kind = array.dtype.newbyteorder("=")
    array = np.ascontiguousarray(array, dtype=kind)
    return torch.from_numpy(array.view(_SAME_WIDTH.get(kind, kind)))


def tensors(targets: Any) -> Any:
    """Stored targets, or ragged ones by sample and name, as tensors."""
    return apply_to_collection(targets, np.ndarray, tensor)


def placed(targets: Any, device: torch.device) -> Any:
    """Tensors, or collections of them such as ragged targets, on a device.

    Nobody waits for copies from pinned memory to a GPU, whose own work on them comes after them.
    """
    ahead = device.type != "cpu"
    return apply_to_collection(targets, Tensor, lambda each: each.to(device, non_blocking=ahead))


def widened(raw: Tensor, stored: np.dtype[Any]) -> Tensor:
    """Undo what `tensor` did to unsigned types: the same numbers in a wider type."""
    if stored.kind == "u" and stored.itemsize == 2:
        return raw.to(torch.int32) & 0xFFFF
    if stored.kind == "u" and stored.itemsize == 4:
        return raw.to(torch.int64) & 0xFFFFFFFF
    return raw

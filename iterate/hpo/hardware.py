"""The GPUs this machine has for trials, counted without Ray or torch. Light to import."""

from __future__ import annotations

import ctypes
import os


def gpus() -> int:
    """How many NVIDIA GPUs this process may use, as ``CUDA_VISIBLE_DEVICES`` leaves them."""
    return len(gpu_names())


def gpu_names() -> list[str]:
    """The GPUs that this process may use, by the names that ``CUDA_VISIBLE_DEVICES`` has."""
    there = _driver_gpus()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return ([str(index) for index in range(there)] if named is None else _visible(named))[:there]


def _visible(named: str) -> list[str]:
    """The devices of ``CUDA_VISIBLE_DEVICES``; CUDA reads it up to the first that cannot be."""
    devices: list[str] = []
    for device in (part.strip() for part in named.split(",")):
        if not device or device.startswith("-") or device == "NoDevFiles":
            break
        devices.append(device)
    return devices


def _driver_gpus() -> int:
    """GPUs that NVIDIA's driver tells of; 0 where there is no such driver."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return 0
    count = ctypes.c_uint(0)
    if library.nvmlInit_v2() != 0:
        return 0
    told = library.nvmlDeviceGetCount_v2(ctypes.byref(count))
    library.nvmlShutdown()
    return count.value if told == 0 else 0

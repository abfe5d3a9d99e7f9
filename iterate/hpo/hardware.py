"""The GPUs this machine has for trials, without Ray or torch. Light to import."""

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


def gpu_joules() -> float | None:
    """What these GPUs have taken since their driver counts; None if there is none, or one does not.

    GPUs count so since Volta.
    """
    names = gpu_names()
    library = _driver() if names else None
    if library is None:
        return None
    try:
        each = [_millijoules(library, name) for name in names]
    finally:
        library.nvmlShutdown()
    known = [one for one in each if one is not None]
    return sum(known) / 1000 if len(known) == len(names) else None


def _millijoules(library: ctypes.CDLL, name: str) -> int | None:
    """Of a GPU by its number, or by the identifier that the driver has for it."""
    handle, counted = ctypes.c_void_p(), ctypes.c_ulonglong(0)
    by_number = name.isdecimal()
    ask = library.nvmlDeviceGetHandleByIndex_v2 if by_number else library.nvmlDeviceGetHandleByUUID
    if ask(int(name) if by_number else name.encode(), ctypes.byref(handle)) != 0:
        return None
    told = library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(counted))
    return counted.value if told == 0 else None


def _driver_gpus() -> int:
    """GPUs that NVIDIA's driver tells of; 0 where there is no such driver."""
    library = _driver()
    if library is None:
        return 0
    count = ctypes.c_uint(0)
    told = library.nvmlDeviceGetCount_v2(ctypes.byref(count))
    library.nvmlShutdown()
    return count.value if told == 0 else 0


def _driver() -> ctypes.CDLL | None:
    """The library of NVIDIA's driver, ready to be asked; None where there is none."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    return library if library.nvmlInit_v2() == 0 else None

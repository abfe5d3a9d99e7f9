"""What the C library does with memory that PyTorch lets go of on the CPU."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_NEVER, _LARGEST = -1, 32 * 2**20  # beyond which glibc takes no threshold on 64 bits


def keep_freed_memory() -> None:
    """Have this process keep what it frees rather than give it back to the system.

    A training step frees and asks for the same tensors over and over. By its defaults glibc gives
    the top of the heap back each time, and the system then clears every page anew: five to ten per
    cent of a convolutional network's step. Blocks above 32 MiB are given back as before, so that
    no more is held than was in use at once. Nothing happens with another C library.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_MMAP_THRESHOLD, _LARGEST)
        library.mallopt(_TRIM_THRESHOLD, _NEVER)

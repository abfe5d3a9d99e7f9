"""What becomes of memory that is let go of: by PyTorch on the CPU, and by Python."""

from __future__ import annotations

import ctypes
import gc

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_NEVER, _LARGEST = -1, 32 * 2**20  # beyond which glibc takes no threshold on 64 bits

_BY_DEFAULT = gc.get_threshold()
_OBJECTS_BETWEEN_LOOKS = 100_000


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


def expect_no_garbage() -> None:
    """Have Python look for reference cycles seldom: what is imported has none to let go of.

    By its defaults it looks at all that is there again and again, a fifth of the time of an import.
    """
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS)


def expect_garbage() -> None:
    """Have it look as often as ever, but at nothing that is there already."""
    gc.freeze()
    gc.set_threshold(*_BY_DEFAULT)


def let_go() -> None:
    """Let go of what a training leaves behind: its parts refer to each other.

    Python would look for such seldom, as a training makes few objects, though they are large.
    """
    gc.collect()


def pass_over_libraries() -> None:
    """Have Python look no more at what is there the first time that this is called."""
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()

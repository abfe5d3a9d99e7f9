"""What this machine has, and who holds it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from iterate.hpo.shares import Share

_ROUNDING = 1e-9


class Room:
    """Cores, and each GPU for itself.

    Args:
        cpus: Cores.
        gpus: Names of the GPUs, as ``CUDA_VISIBLE_DEVICES`` has them.
    """

    def __init__(self, cpus: float, gpus: Sequence[str]) -> None:
        self._cpus = cpus
        self._gpus = dict.fromkeys(gpus, 1.0)

    def place(self, share: Share) -> tuple[str, ...] | None:
        """The GPUs that a share could have now; None where it does not fit.

        Several shares of a GPU are of one that is shared already, where that is possible.
        """
        if share.cpu > self._cpus + _ROUNDING:
            return None
        count, part = _parts(share)
        free = sorted((left, name) for name, left in self._gpus.items() if left > part - _ROUNDING)
        return tuple(name for _, name in free[:count]) if len(free) >= count else None

    def take(self, share: Share, gpus: Sequence[str]) -> None:
        """Hold a share on these GPUs."""
        self._change(share, gpus, -1)

    def give_back(self, share: Share, gpus: Sequence[str]) -> None:
        """Hold it no longer."""
        self._change(share, gpus, 1)

    def _change(self, share: Share, gpus: Sequence[str], sign: int) -> None:
        self._cpus += sign * share.cpu
        _, part = _parts(share)
        for name in gpus:
            self._gpus[name] += sign * part


def _parts(share: Share) -> tuple[int, float]:
    """Of how many GPUs a share is, and how much of each."""
    if share.gpu > 1:
        return math.ceil(share.gpu), 1.0
    return (1, share.gpu) if share.gpu else (0, 0.0)

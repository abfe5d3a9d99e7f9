"""What a training takes of its GPU, seen from within its worker."""

from __future__ import annotations

import time

from iterate.hpo.jobs import GpuUse

_SECONDS_BETWEEN_LOOKS = 1.0


class Gauge:
    """Looks at the GPU now and then while a job trains; tells nothing where there is none.

    Args:
        accelerator: Of the job's recipe.
    """

    def __init__(self, accelerator: str) -> None:
        self._accelerator = accelerator
        self._looked: float | None = None
        self._busy: list[float] = []

    def begin(self) -> None:
        """Training begins; what another job of this process has left counts no more."""
        from iterate_core.device import release_gpu  # imports torch

        release_gpu(self._accelerator)
        self._looked = time.monotonic()

    def look(self) -> None:
        """See whether the GPU is at work; quick, to be called often."""
        from iterate_core.device import gpu_busy

        now = time.monotonic()
        if self._looked is None or now - self._looked < _SECONDS_BETWEEN_LOOKS:
            return
        self._looked = now
        busy = gpu_busy(self._accelerator)
        if busy is not None:
            self._busy.append(busy)

    def use(self) -> GpuUse | None:
        """What the job has taken up to now."""
        from iterate_core.device import gpu_memory

        memory = gpu_memory(self._accelerator)
        if memory is None:
            return None
        return GpuUse(*memory, sum(self._busy) / len(self._busy) if self._busy else None)

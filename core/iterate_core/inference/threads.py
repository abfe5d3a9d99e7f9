"""Several scenes at once, in threads: PyTorch and GDAL let others run while they work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

import torch

from iterate_core.device import threads
from iterate_core.inference.progress import Watch

T = TypeVar("T")
R = TypeVar("R")


class _Abandoned(Exception):  # noqa: N818 - no error: another thread has one
    pass


class _Stopping:
    """Passes on what is told, until the work is abandoned."""

    def __init__(self, watch: Watch) -> None:
        self._watch, self.abandoned = watch, Event()

    def planned(self, scene: str, windows: int, done: int) -> None:
        self._watch.planned(scene, windows, done)

    def advanced(self, scene: str, windows: int) -> None:
        if self.abandoned.is_set():
            raise _Abandoned
        self._watch.advanced(scene, windows)

    def written(self, scene: str) -> None:
        self._watch.written(scene)


def at_once(things: Sequence[T], jobs: int, watch: Watch, work: Callable[[T, Watch], R]) -> list[R]:
    """Do a work on each of some things, so many of them at a time; results are in their order.

    What ends one ends all: the others stop when they next tell how far they are.
    """
    if jobs == 1:
        return [work(thing, watch) for thing in things]
    stopping = _Stopping(watch)
    with ThreadPoolExecutor(jobs, thread_name_prefix="scene") as pool:
        coming = [pool.submit(work, thing, stopping) for thing in things]
        try:
            return [one.result() for one in coming]
        except BaseException:
            stopping.abandoned.set()
            for one in coming:
                one.cancel()
            raise


@contextmanager
def shared_cores(jobs: int) -> Iterator[None]:
    """Let each of some jobs have its share of the cores, for PyTorch's operations on the CPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, threads() // jobs))
    try:
        yield
    finally:
        torch.set_num_threads(before)

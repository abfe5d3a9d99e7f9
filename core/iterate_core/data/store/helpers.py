"""Processes that help this one with a large split: they ask for it too, and so share its work."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from iterate_core.heartbeat import heard_by


@contextmanager
def helped(count: int, work: Callable[[], object]) -> Iterator[None]:
    """Have some processes do the same work meanwhile; whatever they fail at, this one comes upon.

    They are forked, so they find what this process holds; where that is not safe, there are none.
    They end with the context, or with this process.

    Args:
        count: How many.
        work: What they do; it may be ended at any moment.
    """
    helpers = [_started(work) for _ in range(count if may_fork() else 0)]
    try:
        yield
    finally:
        for helper in helpers:
            helper.kill()
        for helper in helpers:
            helper.join()


def may_fork() -> bool:
    """Whether a fork goes on safely: a lock that another thread holds would be held there forever.

    So it does on Linux alone, and where no other thread of Python's is.
    """
    return sys.platform == "linux" and threading.active_count() == 1


def _started(work: Callable[[], object]) -> multiprocessing.process.BaseProcess:
    process = multiprocessing.get_context("fork").Process(
        target=_help, args=(work, os.getpid()), daemon=True
    )
    process.start()
    return process


def _help(work: Callable[[], object], helped_process: int) -> None:
    def end_with_it() -> None:
        if os.getppid() != helped_process:
            os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that is helped answers Ctrl-C
    if "torch" in sys.modules:  # whose threads a fork does not have
        sys.modules["torch"].set_num_threads(1)
    with heard_by(end_with_it), suppress(Exception):
        work()
    os._exit(0)  # what the process that is helped would do at its end is not for this one

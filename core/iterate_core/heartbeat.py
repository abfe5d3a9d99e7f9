"""Signs of life: long work beats as it goes on, and whoever is responsible for it may listen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_listener: Callable[[], None] | None = None


def beat() -> None:
    """Say that work goes on: after a batch, a sample, a look at a lock. Costs next to nothing."""
    if _listener is not None:
        _listener()


@contextmanager
def heard_by(listener: Callable[[], None]) -> Iterator[None]:
    """Have a listener told of every beat of this process."""
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before

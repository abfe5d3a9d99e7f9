"""Ctrl-C and SIGTERM: the first stops a command in order, the second at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A pool that has not come to a safe point by then is stopped wherever it is.
_PATIENCE_SECONDS = 5.0
_AT_ONCE = b"\nstopped at once  The same command continues from what was written.\n"


class Stopped(BaseException):
    """The user or the system asked the command to stop.

    Not an `Exception`: whoever handles failed work must not take it for one.

    Attributes:
        exit_code: The command's.
        told: What the user reads; a command that keeps nothing says another thing.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number
        self.told = "Nothing is lost: the same command continues."


class _Requests:
    """What this process was asked, and how it answers."""

    def __init__(self) -> None:
        self.installed = False
        self.received: int | None = None
        self.deferring = False

    def handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the system's
        if self.received is not None:
            # Past all buffers: this may interrupt who is writing to them.
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _AT_ONCE)
            leave(128 + number)
        self.received = number
        if not self.deferring:
            raise Stopped(number)
        signal.signal(signal.SIGALRM, self.overdue)
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE_SECONDS)

    def overdue(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.check()

    def check(self) -> None:
        """Stop here, if that was asked for."""
        if self.received is not None and self.deferring:
            self.deferring = False
            raise Stopped(self.received)


_requests = _Requests()


@contextmanager
def stoppable() -> Iterator[None]:
    """Answer both signals with `Stopped`, once; a second signal ends everything at once.

    A process that was asked to stop keeps the handlers: a second signal may come while it ends.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    _requests.installed, _requests.received = True, None
    _install()
    try:
        yield
    finally:
        _requests.installed = False
        if _requests.received is None:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def at_safe_points() -> Iterator[Callable[[], None]]:
    """Stop only where the yielded function is called, if it is called every few seconds.

    A library with threads and a database of its own may not like to be left anywhere. Its handlers,
    Ray's among them, give way to ours. Without `stoppable` around it this does nothing: another
    program's signals are its own.
    """
    if not _requests.installed:
        yield lambda: None
        return
    _install()
    _requests.deferring = True
    try:
        yield _requests.check
    finally:
        _requests.deferring = False
        if _requests.received is not None:
            signal.setitimer(signal.ITIMER_REAL, 0.0)


def leave(code: int) -> NoReturn:
    """End this process and all that it started, now.

    Everything of ours is closed by then. Libraries' own endings are passed by: some crash after
    an interruption, and would put a code of theirs in place of ours.
    """
    from iterate.hpo.pool.child_processes import end_descendants

    end_descendants()
    end_at_once(code)


def end_at_once(code: str | int | None) -> NoReturn:
    """End this process without taking apart what it has imported, which the system does faster.

    Args:
        code: As of `SystemExit`.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _install() -> None:
    for number in _SIGNALS:
        signal.signal(number, _requests.handle)

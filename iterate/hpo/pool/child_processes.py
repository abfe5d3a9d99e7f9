"""The processes that this one started: whether they live, and that none outlives it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from iterate_core.errors import WorkError

# Workers come and go; so often they are counted anew.
_SECONDS_BETWEEN_COUNTS = 1.0
# What was told to end may take so long before it is ended.
_SECONDS_TO_END = 3.0


class Family:
    """Processes that were started meanwhile, and all that those start.

    Attributes:
        members: All that were ever seen.
    """

    def __init__(self) -> None:
        self._before = set(_descendants())
        self._founders: set[psutil.Process] = set()
        self._adopted: set[psutil.Process] = set()
        self.members: set[psutil.Process] = set()
        self._vital: dict[psutil.Process, str] = {}
        self._counted = 0.0

    @classmethod
    @contextmanager
    def begun(cls) -> Iterator[Family]:
        """A family whose founders are started within; all of it is ended in the end."""
        family = cls()
        _alive.append(family)
        try:
            yield family
        finally:
            family.end()
            _alive.remove(family)

    def founded(self, *vital: str) -> None:
        """All founders are there; without those of these names nothing goes on."""
        self._founders = set(_descendants()) - self._before
        names = {founder: _name(founder) for founder in self._founders}
        self._vital = {
            founder: f"Ray itself has died on this machine (its process {name} is gone)"
            for founder, name in names.items()
            if name in vital
        }
        self._count()

    def adopt(self, pid: int, died: str) -> None:
        """What a process starts from now on belongs here too; it is vital itself.

        Args:
            pid: Its number. It is not ended with the family: whoever started it does that.
            died: What its death is, in words.
        """
        parent = psutil.Process(pid)
        self._adopted.add(parent)
        self._vital[parent] = died
        self._count()

    def check(self) -> None:
        """Look whether those live without whom nothing goes on.

        Raises:
            WorkError: One of them has died.
        """
        for founder, died in self._vital.items():
            if not _lives(founder):
                raise WorkError(
                    f"{died}, perhaps for want of memory. Nothing is lost: the same command "
                    "continues"
                )
        if time.monotonic() - self._counted > _SECONDS_BETWEEN_COUNTS:
            self._count()

    def end(self) -> None:
        """End every member that has not ended by itself."""
        self._count()
        _, alive = psutil.wait_procs(self.members, timeout=_SECONDS_TO_END)
        for member in alive:
            _kill(member)
        psutil.wait_procs(alive, timeout=_SECONDS_TO_END)

    def _count(self) -> None:
        """Take in who is new; one whose parent died would not be found later."""
        self.members |= self._founders
        for founder in self._founders | self._adopted:
            self.members |= set(_descendants(founder)) - self._before
        self._counted = time.monotonic()


_alive: list[Family] = []


def end_descendants() -> None:
    """End every process that this one started, at once, orphans of a family among them."""
    orphans = [member for family in _alive for member in family.members]
    for process in {*_descendants(), *orphans}:
        _kill(process)


def _descendants(of: psutil.Process | None = None) -> list[psutil.Process]:
    """Of a process; of this one unless another is named."""
    try:
        found: list[psutil.Process] = (of or psutil.Process()).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return found


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.NoSuchProcess:
        return ""

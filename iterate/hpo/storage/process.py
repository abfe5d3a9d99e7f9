"""Which process on which machine somebody is, and whether it still lives."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Process:
    """A process, told apart from any other that may bear its number.

    Attributes:
        machine: Equal for processes that see each other's numbers, and for no others.
        number: As the system counts.
        birth: Tells it from another process of the same number, before or after a restart.
    """

    machine: str
    number: int
    birth: str

    @classmethod
    def this(cls) -> Process:
        """The process that asks."""
        return cls(_machine(), os.getpid(), _birth(os.getpid()) or "")

    @property
    def gone(self) -> bool:
        """Whether it has certainly ended; false where that cannot be seen from here."""
        return self.machine == _machine() and _birth(self.number) != self.birth


def _machine() -> str:
    """Host, installation and space of process numbers: containers share some of these, not all."""
    parts = [socket.gethostname()]
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        if Path(path).is_file():
            parts.append(Path(path).read_text(encoding="utf-8").strip())
            break
    if Path("/proc/self/ns/pid").exists():
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _birth(number: int) -> str | None:
    """When a process began, by the clock of this start of the system; None if it has ended."""
    status = Path(f"/proc/{number}/stat")
    if not Path("/proc/self/stat").exists():
        return _began(number)
    try:
        # The name before the last parenthesis may hold anything; the state is first after it.
        fields = status.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    ended, began = fields[0] in "ZX", fields[19]
    return None if ended else f"{boot} {began}"


def _began(number: int) -> str | None:
    """As `_birth`, where the system shows no processes as files: on a Mac."""
    try:
        process = psutil.Process(number)
        ended = process.status() == psutil.STATUS_ZOMBIE
        return None if ended else str(process.create_time())
    except psutil.NoSuchProcess:
        return None

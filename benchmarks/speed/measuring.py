"""What the scripts of speed share: commands measured with all their processes. Linux.

A command is timed from its start until its prompt would be back. Memory is the peak of the
proportional set sizes summed over all of its processes (a page that several share counts once),
read twice a second. Processor time is that of all of its processes, those included that outlive it.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

EVERY = 0.5  # seconds between two readings of memory
PATIENCE = 30.0  # seconds that processes may outlive their command
BECOME_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)


@dataclass(frozen=True)
class Command:
    """A program with its words; a variable of the environment that is None is taken out."""

    words: Sequence[str]
    environment: Mapping[str, str | None] = field(default_factory=dict)
    folder: Path | None = None


@dataclass(frozen=True)
class Measured:
    """What a command, or several at once, took.

    Attributes:
        began: Seconds since the epoch.
        wall: Seconds until the last of them ended.
        cpu: Seconds of processors, of all their processes.
        memory: Bytes of all their processes at the peak.
        lines: What they printed, with the seconds after which it came.
        figures: What was read in the folder that they wrote.
    """

    began: float
    wall: float
    cpu: float
    memory: int
    lines: tuple[tuple[float, str], ...]
    figures: Mapping[str, float] = field(default_factory=dict)

    def first(self, text: str) -> float | None:
        """The seconds after which a line with this text was printed; None where none was."""
        return next((seconds for seconds, line in self.lines if text in line), None)


Side = Callable[[Path], Sequence[Command]]  # what to run at once, writing into a new folder
Look = Callable[[Path, Measured], Mapping[str, float]]  # figures of what was written there


def pin(cores: int) -> list[int]:
    """Leave this process, and all that it starts, the first of the cores that it may use."""
    mine = sorted(os.sched_getaffinity(0))
    if cores > len(mine):
        raise SystemExit(f"{cores} cores are asked for, but {len(mine)} may be used.")
    os.sched_setaffinity(0, mine[:cores])
    os.environ["OMP_NUM_THREADS"] = str(cores)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return mine[:cores]


def measure(commands: Sequence[Command]) -> Measured:
    """Run commands side by side until all have ended.

    Raises:
        SystemExit: One failed; with the last of what it printed.
    """
    ctypes.CDLL(None).prctl(BECOME_SUBREAPER, 1, 0, 0, 0)  # orphans come to us to be waited for
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    now = time.time()
    began = time.perf_counter()
    with _memory() as peak:
        running = [_Running(command, began) for command in commands]
        for one in running:
            one.wait()
        wall = time.perf_counter() - began
        _see_out()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = spent.ru_utime + spent.ru_stime - used.ru_utime - used.ru_stime
    lines = sorted((line for one in running for line in one.lines), key=lambda line: line[0])
    return Measured(now, wall, cpu, peak[0], tuple(lines))


class _Running:
    """A command at work, its output read as it comes."""

    def __init__(self, command: Command, began: float) -> None:
        changed = {**os.environ, **command.environment}
        environment = {name: value for name, value in changed.items() if value is not None}
        self._words, self._began = list(command.words), began
        self.lines: list[tuple[float, str]] = []
        self._process = subprocess.Popen(
            self._words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", env=environment, cwd=command.folder,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append((time.perf_counter() - self._began, line.rstrip("\n")))

    def wait(self) -> None:
        if code := self._process.wait():
            self._reader.join(2)
            tail = "\n".join(line for _, line in self.lines[-30:])
            raise SystemExit(f"{tail}\n{' '.join(self._words)}\nended with {code}.")
        self._reader.join(2)  # one that outlives its parent may hold the pipe


@contextmanager
def _memory() -> Iterator[list[int]]:
    """Watch the memory of all processes below this one; the peak in bytes, as first element."""
    peak, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(EVERY):
            peak[0] = max(peak[0], sum(map(proportional_size, _below())))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def proportional_size(process: psutil.Process) -> int:
    """Bytes of memory that a process holds, its share of what it shares; 0 once it has ended."""
    try:
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line[:4] == "Pss:") * 1024


def _below() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _see_out() -> None:
    """Wait until no process is left, and end what does not end by itself."""
    _, left = psutil.wait_procs(_below(), PATIENCE)
    for process in left:
        print(f"  ended {process}, which had outlived its command", file=sys.stderr)
        process.kill()
    while _reaped():
        pass


def _reaped() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def alternate(
    sides: Mapping[str, Side], runs: int, scratch: Path, looks: Mapping[str, Look] | None = None
) -> dict[str, list[Measured]]:
    """Measure each side in turn, `runs` times, each in a new folder that is removed afterwards."""
    measured: dict[str, list[Measured]] = {name: [] for name in sides}
    for run in range(runs):
        for name, side in sides.items():
            one = once(side, scratch, (looks or {}).get(name))
            measured[name].append(one)
            print(f"  {name}, run {run + 1} of {runs}: {one.wall:.1f} s", file=sys.stderr)
    return measured


def once(side: Side, scratch: Path, look: Look | None = None) -> Measured:
    """Measure a side in a new folder, look at what it wrote, and remove that."""
    with tempfile.TemporaryDirectory(dir=scratch, prefix="run-") as made:
        folder = Path(made)
        one = measure(side(folder))
        return one if look is None else replace(one, figures=look(folder, one))


def options(doc: str, runs: int) -> argparse.ArgumentParser:
    """The options that every script has."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--runs", type=int, default=runs, help="of each side; medians are shown")
    parser.add_argument("--cores", type=int, default=2, help="that every side may use")
    parser.add_argument("--scratch", type=Path, help="folder for data and runs; default a new one")
    parser.add_argument("--json", type=Path, help="file for the figures of every run")
    return parser


@contextmanager
def scratch(folder: Path | None) -> Iterator[Path]:
    """The folder that was asked for, made; or one that is gone afterwards."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="iterate-speed-") as made:
            yield Path(made)
    else:
        folder = folder.expanduser().absolute()
        folder.mkdir(parents=True, exist_ok=True)
        yield folder

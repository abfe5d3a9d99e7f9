"""A worker of the pool on one machine: the process that trains, and its handle in the driver."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from iterate.hpo.jobs import Job, Progress, Told, Train, TrainTogether
from iterate.hpo.pool.forked.server import Server
from iterate.hpo.pool.seat import Seat, see_only
from iterate.hpo.shares import Share
from iterate_core.heap import keep_freed_memory

_GO_ON, _STOP = "go on", "stop"


@dataclass(frozen=True)
class Labour:
    """What a worker does: it takes jobs one after another, and asks after each report.

    Attributes:
        train: What trains a job.
        together: What trains several jobs at a time; None trains each alone.
        gpus: Those it sees.
    """

    train: Train
    together: TrainTogether | None
    gpus: tuple[str, ...]

    def __call__(self, connection: Connection) -> None:
        """Work until the driver closes the connection."""
        _say_nothing()
        see_only(list(self.gpus))
        keep_freed_memory()
        seat = Seat(self.train, self.together)
        connection.send(os.getpid())
        while True:
            seat.begin(connection.recv())
            while True:
                told = {key: progress.to_mapping() for key, progress in seat.step().items()}
                connection.send((told, seat.done))
                if seat.done:
                    break
                if connection.recv() == _STOP:
                    seat.stop()
                    break


def _say_nothing() -> None:
    """What libraries write would come between the lines of the driver's table."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


@dataclass
class Task:
    """Jobs on their way; as a rule one.

    Attributes:
        trial_id: Names them in the pool.
        jobs: The jobs.
        share: What their worker holds meanwhile.
        deaths: How many processes have died of them.
    """

    trial_id: str
    jobs: tuple[Job, ...]
    share: Share
    deaths: int = 0


class Hand:
    """A worker, seen from the driver.

    Args:
        server: Whose fork it is.
        labour: What it does.

    Attributes:
        task: What it works on; None while it is idle.
        up: Whether it runs and has taken up its task.
    """

    def __init__(self, server: Server, labour: Labour) -> None:
        self.gpus = labour.gpus
        self.task: Task | None = None
        self._pid: int | None = None
        self.connection = server.fork(labour)

    @property
    def up(self) -> bool:
        """Whether its process runs; it says so once."""
        return self._pid is not None

    def begin(self, task: Task) -> None:
        """Take up a task, as soon as the process runs."""
        self.task = task
        with suppress(BrokenPipeError):  # it has died, and what it tells next is that
            self.connection.send(task.jobs)

    def hear(self) -> tuple[Told, bool] | None:
        """What it says, and whether it is done; None the first time, which is that it runs.

        Raises:
            EOFError: It has died.
        """
        try:
            said = self.connection.recv()
        except ConnectionResetError as error:
            raise EOFError from error
        if isinstance(said, int):
            self._pid = said
            return None
        told, done = said
        return {key: Progress.from_mapping(mapping) for key, mapping in told.items()}, done

    def answer(self, *, stop: bool) -> None:
        """Say whether its jobs go on."""
        with suppress(BrokenPipeError):
            self.connection.send(_STOP if stop else _GO_ON)

    def end(self) -> None:
        """End it, at work or not; it would not listen."""
        if self._pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def dismiss(self) -> None:
        """Let it go; an idle one ends by itself."""
        self.connection.close()

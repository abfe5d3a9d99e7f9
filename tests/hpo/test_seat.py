"""What a worker holds between one job and the next."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iterate.hpo.jobs import Job, Progress
from iterate.hpo.pool.seat import Seat


class Large:
    """Something that refers to itself, as a task and its model do."""

    def __init__(self) -> None:
        self.itself: Any = self


def test_what_a_job_leaves_behind_is_let_go_of_before_the_next(tmp_path: Path) -> None:
    made: list[weakref.ref[Large]] = []

    def train(job: Job) -> Iterator[Progress]:
        del job
        made.append(weakref.ref(Large()))
        yield Progress(done=True)

    jobs = [Job("study", "trial", number, {}, tmp_path, tmp_path) for number in range(2)]
    seat = Seat(train)
    gc.disable()
    try:
        seat.begin(jobs[:1])
        seat.step()
        assert made[0]() is not None
        seat.begin(jobs[1:])
        assert made[0]() is None
    finally:
        gc.enable()
    seat.step()

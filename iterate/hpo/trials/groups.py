"""Which of a study's jobs one worker takes: one, or several whose heads train together."""

from __future__ import annotations

from collections.abc import Callable

from iterate.hpo.jobs import Job
from iterate.hpo.settings import samplers
from iterate.hpo.study import Study
from iterate_core.engine.together.key import together_key
from iterate_core.errors import RequestError
from iterate_core.recipe import Recipe


class Groups:
    """Draws jobs until enough of one kind are there; what else was drawn begins the next groups.

    Args:
        study: The jobs'.
        draw: Begins the next job; None while there is none.
    """

    def __init__(self, study: Study, draw: Callable[[], Job | None]) -> None:
        self._study, self._draw = study, draw
        self._waiting: list[tuple[str | None, Job]] = []

    @property
    def waiting(self) -> int:
        """How many jobs are drawn that no worker has been given."""
        return len(self._waiting)

    def next(self, most: int) -> tuple[Job, ...]:
        """The jobs that a worker takes next; none while there is none.

        Args:
            most: A worker's part of what is left, which bounds a group unless
                `resources.together` says how many it is of.
        """
        asked = self._study.resources.together
        sampler = samplers.get(self._study.settings.sampler.name)
        size = asked or max(1, min(most, sampler.facts.get("together", 1)))
        if not self._waiting and not self._drawn():
            return ()
        key, first = self._waiting.pop(0)
        if key is None or size == 1:
            return (first,)
        # So many are drawn as make a group at best: each further one would know more results.
        while len(self._waiting) < size - 1 and self._drawn():
            continue
        alike = [job for its_key, job in self._waiting if its_key == key][: size - 1]
        self._waiting = [(its_key, job) for its_key, job in self._waiting if job not in alike]
        return (first, *alike)

    def _drawn(self) -> bool:
        job = self._draw()
        if job is not None:
            self._waiting.append((self._key(job), job))
        return job is not None

    def _key(self, job: Job) -> str | None:
        """Equal for jobs that train together; None of one that trains alone."""
        if job.kind != "trial" or self._study.resources.together == 1:
            return None
        try:
            return together_key(Recipe.parse(job.recipe), self._study.task)
        except RequestError:
            return None  # which training says better

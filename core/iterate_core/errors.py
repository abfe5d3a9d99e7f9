"""What can go wrong, told to a person.

    IterateError
    ├── RequestError   the request was wrong; nothing was started (exit code 2)
    │   └── DataError  a file or folder of a dataset is absent, truncated, foreign or unsafe
    └── WorkError      the work itself failed (exit code 1)
        ├── DeviceMemoryError  more was done at once than memory holds; less may go
        └── MachineError  the machine ran out of something, so the work waits until it has it again

A `RequestError` carries every mistake found, not only the first. What is a `MachineError` counts
against nobody: no trial has failed by it, and the same command goes on (`iterate_core.faults`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from iterate_core.escaping import visible


@dataclass(frozen=True)
class Problem:
    """One mistake: where it stands, what is wrong, and what would be right.

    Attributes:
        where: A YAML path (``model.decoder.name``), a file, or a dataset and sample.
        what: The broken rule with the values that break it.
        hint: What would be right, where that is known.
    """

    where: str
    what: str
    hint: str | None = None

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return visible(f"{place}{self.what}" + (f" {self.hint}" if self.hint else ""), keep="\n")

    def under(self, prefix: str) -> Problem:
        """The same problem, seen from one section further up."""
        return Problem(f"{prefix}.{self.where}" if self.where else prefix, self.what, self.hint)


class IterateError(Exception):
    """Whatever a user should read as a sentence rather than as a traceback."""

    exit_code = 1


class RequestError(IterateError):
    """The request cannot be carried out as it stands; all that is wrong with it, together.

    Args:
        problems: Every mistake.
        headline: What they come to, as a sentence; None where each speaks for itself.
        advice: What to do about all of them.
    """

    exit_code = 2

    def __init__(
        self,
        problems: Problem | Sequence[Problem],
        headline: str | None = None,
        advice: str | None = None,
    ) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        self.headline = None if headline is None else visible(headline)
        self.advice = None if advice is None else visible(advice)
        told = [self.headline, *map(str, self.problems), self.advice]
        super().__init__("\n".join(line for line in told if line is not None))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problems, self.headline, self.advice)


class DataError(RequestError):
    """A dataset's file or folder is absent, truncated, foreign or unsafe."""


class WorkError(IterateError):
    """The request was fine and the work failed."""


class DeviceMemoryError(WorkError):
    """Memory ran out by what the request does at once, and not by what others hold."""


class MachineError(WorkError):
    """The machine has no room left, no memory, or has lost a disk: nobody's request is at fault."""


def nearest(name: str, legal: Iterable[str]) -> str | None:
    """A hint that names the nearest legal names: ``Did you mean 'unet'?``; None if none is near."""
    names = sorted(set(legal))
    if (meant := near_miss(name, names)) is not None:
        return meant
    if names and len(names) <= 12:
        return f"Legal here: {', '.join(names)}."
    return None


def near_miss(name: str, legal: Iterable[str]) -> str | None:
    """``Did you mean 'unet'?``; None if no legal name is near."""
    close = difflib.get_close_matches(str(name), sorted(set(legal)), n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(map(repr, close))}?" if close else None

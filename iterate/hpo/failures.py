"""Whose fault a failure is, what is said of it, and what other failures are of its kind."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from iterate.hpo.jobs import Progress
from iterate.hpo.trials.view import TrialView
from iterate_core.errors import DeviceMemoryError, IterateError, RequestError
from iterate_core.faults import causes, machine_error

_PATH = re.compile(r"(?:~|\.{1,2}|\b[\w.-]+)?(?:/[\w.@+=-]+)+")
_OURS = re.compile(r"[\\/](iterate|iterate_core)[\\/]")
_NUMBER = re.compile(r"(?<![A-Za-z_])[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?", re.IGNORECASE)


def failed(error: Exception, folder: Path) -> Progress:
    """What a worker tells of a job that raised.

    Args:
        error: What it raised.
        folder: The job's.
    """
    if (fault := machine_error(error, folder)) is not None:
        return Progress(fault=str(fault))
    told = str(error) if isinstance(error, IterateError) else _described(error)
    lacks_memory = isinstance(error, DeviceMemoryError)
    return Progress(failure=told, failure_kind=kind_of(error), lacks_memory=lacks_memory)


def kind_of(error: Exception) -> str:
    """Equal for failures that have one cause, whatever figures and paths their words hold.

    A wrong recipe is known by what is wrong with it; all else by the classes of the error and its
    causes, and the function of ours that it came through last.
    """
    if isinstance(error, RequestError):
        wrong = {general(f"{problem.where}: {problem.what}") for problem in error.problems}
        return f"{type(error).__name__} {'; '.join(sorted(wrong))}"
    classes = " from ".join(type(cause).__name__ for cause in causes(error))
    return f"{classes} in {_place(error)[0]}"


def kind_of_trial(trial: TrialView) -> str:
    """The kind of a failed trial; one of an earlier version is known by its words."""
    kind = trial.failure_kind
    return kind if kind is not None else general(str(trial.failure))


def general(text: str) -> str:
    """A message without its paths and figures."""
    return _NUMBER.sub("#", _PATH.sub("…", text))


def _described(error: Exception) -> str:
    """An unexpected error in one line, with the place in our own code that it came through."""
    function, line = _place(error)
    name, _, within = function.partition(" ")
    place = f" ({name}:{line} {within})" if function else ""
    return f"{type(error).__name__}: {error}{place}"


def _place(error: Exception) -> tuple[str, int]:
    """The last file and function of ours that an error came through, and the line there."""
    found = ("", 0)
    for frame, line in _frames(error):
        code = frame.f_code
        if _OURS.search(code.co_filename):
            found = (f"{os.path.basename(code.co_filename)} {code.co_name}", line)
    return found


def _frames(error: Exception) -> Iterator[tuple[FrameType, int]]:
    step = error.__traceback__
    while step is not None:
        yield step.tb_frame, step.tb_lineno
        step = step.tb_next

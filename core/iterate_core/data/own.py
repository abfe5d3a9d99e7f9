"""A reader that somebody wrote: what goes wrong in its code is told with the line it stands in."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from iterate_core.data.dataset import DatasetInfo, Reader, Sample, Split
from iterate_core.data.options import DataSection
from iterate_core.errors import DataError, IterateError, Problem, RequestError
from iterate_core.faults import machine_error

_PARTS = ("info", "names", "read", "fingerprint")


class OwnReader:
    """See `iterate_core.data.dataset.Reader`. Hands every call on to the reader it is made of.

    Args:
        make: Makes that reader of its section.
        section: What the recipe says of it; `name` is the path of its code.

    Raises:
        RequestError: What is made is no reader.
        DataError: Here and in every call: the code raised something of its own, which is told
            with the file and line.
    """

    def __init__(self, make: Callable[[Any], Any], section: DataSection) -> None:
        self._name = section.name
        self._file = file_of(make)
        with self._told("is opened"):
            self._reader: Reader = make(section)
            lacking = [part for part in _PARTS if not hasattr(self._reader, part)]
        if lacking:
            what = f"{self._name} makes no reader of a dataset: it lacks {', '.join(lacking)}."
            raise RequestError(Problem("data.name", what, "See docs/examples/own_reader.py."))
        with self._told("is asked for its info"):
            self.info: DatasetInfo = self._reader.info
        self._check(self.info, DatasetInfo, "info")

    def names(self, split: Split) -> Sequence[str]:
        """The identifiers of a split's samples, as the reader lists them."""
        with self._told(f"lists the {split} samples"):
            return self._reader.names(split)

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        """One sample, as the reader reads it."""
        with self._told(f"reads sample {name!r}"):
            sample = self._reader.read(name, bands)
        self._check(sample, Sample, "read()")
        return sample

    def fingerprint(self) -> str:
        """What the reader says of its data's content."""
        with self._told("is asked for its fingerprint"):
            return self._reader.fingerprint()

    def _check(self, given: Any, wanted: type, part: str) -> None:
        if not isinstance(given, wanted):
            what = f"{part} of {self._name} gives {type(given).__name__}, not {wanted.__name__}."
            raise RequestError(Problem("data.name", what, "See docs/examples/own_reader.py."))

    def _told(self, doing: str) -> AbstractContextManager[None]:
        return told(self._name, self._file, doing)


@contextmanager
def told(name: str, file: str, doing: str) -> Iterator[None]:
    """Whatever somebody's code raises is told with the line it stands in.

    Args:
        name: Of the code, as the recipe names it.
        file: That the code is written in.
        doing: What it was asked for: ``reads sample 'a'``.

    Raises:
        DataError: The code raised something that is neither ours nor the machine's fault.
    """
    try:
        yield
    except IterateError:
        raise
    except (Exception, SystemExit) as error:
        if machine_error(error, Path.cwd()) is not None:
            raise
        what = f"{type(error).__name__}: {error}, while {name} {doing}."
        raise DataError(Problem(_line_of(error, file), what)) from error


def file_of(make: Callable[..., Any]) -> str:
    """The file that a function or class is written in; empty where it is in none."""
    try:
        return inspect.getsourcefile(inspect.unwrap(make)) or ""
    except TypeError:
        return ""


def _line_of(error: BaseException, file: str) -> str:
    """Where an error came up: in a reader's own file, the last of its lines that was reached."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == file] or frames
    return f"{own[-1].filename}, line {own[-1].lineno}"

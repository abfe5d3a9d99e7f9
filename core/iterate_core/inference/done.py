"""What is predicted already: of each scene how far, and of a finished one which files it left.

In the output folder ``.predict`` keeps a file and, while it is worked on, a folder of each scene.
A file that stands there is replaced only where ``.predict`` knows it as the work of the same model
on the same scene.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iterate_core.errors import Problem, RequestError
from iterate_core.inference.wanted import Wanted
from iterate_core.storage.files import Locked, lock, write_json

FOLDER = ".predict"
_ASIDE = ".aux.xml"
"""Ends the file beside a map in which GDAL keeps names, and viewers their statistics."""
_SHOWN = 5  # problems
_INSTEAD = "Take another --out, or --overwrite to replace what is there."


@dataclass(frozen=True)
class Done:
    """A finished scene.

    Attributes:
        outputs: Paths of what was written.
        windows: How many it has.
        predicted: How many of them were predicted, as they hold data.
        found: Objects or rows; None of maps.
    """

    outputs: tuple[Path, ...]
    windows: int
    predicted: int
    found: int | None = None


def notes_on(done: Done) -> tuple[str, ...]:
    """What is to be said of a scene that was read to its end."""
    if done.predicted:
        return ()
    return ("no pixel has data in every band that the model uses, so that nothing is predicted",)


class Records:
    """What a folder's scenes have come to.

    Args:
        out: The folder of outputs.
    """

    def __init__(self, out: Path) -> None:
        self.out, self._folder = out, out / FOLDER

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder against other processes.

        Raises:
            RequestError: Another one holds it, or it cannot be written.
        """
        try:
            with lock(self._folder / ".lock"):
                yield
        except Locked as other:
            what, hint = f"{other} is predicting into it.", "Wait for it, or take another --out."
            raise RequestError(Problem(str(self.out), what, hint)) from None
        except OSError as error:
            if self._folder.is_dir():
                raise
            what = f"{self.out}: the output folder cannot be written ({error.strerror})."
            raise RequestError(Problem("--out", what, "Choose another.")) from error

    def check(self, wanted: Sequence[Wanted], inputs: Collection[str], *, overwrite: bool) -> None:
        """Refuse to replace what is not of these predictions.

        Args:
            wanted: All scenes.
            inputs: Real paths of files that are read.
            overwrite: Whether what is there is replaced, but for the files that are read.

        Raises:
            RequestError: With what stands in the way.
        """
        problems = [problem for one in wanted if (problem := self._read_too(one, inputs))]
        if not overwrite and not problems:
            problems = [problem for one in wanted if (problem := self._of_others(one))]
        if problems:
            more = len(problems) - _SHOWN
            rest = [Problem("--out", f"and {more} more scenes are so.")] if more > 0 else []
            raise RequestError([*problems[:_SHOWN], *rest])

    def _read_too(self, one: Wanted, inputs: Collection[str]) -> Problem | None:
        for path in (self.out / file for file in one.files):
            if path.exists() and str(path.resolve()) in inputs:
                what = f"is read here, and what is predicted of {one.source} would replace it."
                return Problem(str(path), what, "Take another --out.")
        return None

    def _of_others(self, one: Wanted) -> Problem | None:
        """What there is of another model, scene or request, or of no prediction at all."""
        found = self._read(self._file(one.name)) or {}
        known = [file for file in found.get("files", ()) if self._own(found, file)]
        there = [self.out / file for file in known]
        begun = self._state(one.name)
        if found and begun.exists():
            there.append(begun.parent)
        if there and found["how"] != one.how:
            what = "is of another model, or was asked for with other options."
            return Problem(str(there[0]), what, _INSTEAD)
        if there and found["of"] != list(one.of):
            what = f"is of another scene: {', '.join(found['of'])}."
            return Problem(str(there[0]), what, _INSTEAD)
        for file in one.files:
            if file not in known and (self.out / file).exists():
                what = "is there already, and is no prediction, or was changed since."
                return Problem(str(self.out / file), what, _INSTEAD)
        return None

    def _own(self, record: dict[str, Any], file: str) -> bool:
        """Whether a file is as it was written, or was about to be when the work was stopped."""
        path, told = self.out / file, record["files"][file]
        if not path.is_file():
            return False
        if "size" not in told or file.endswith(_ASIDE):
            return True
        state = path.stat()
        if state.st_size != told["size"]:
            return False
        return bool(state.st_mtime_ns == told["time"] or _digest(path) == told["sha256"])

    def work(self, name: str) -> Path:
        """The folder of a scene that is worked on."""
        return self._folder / f"{name}.work"

    def finished(self, wanted: Wanted, key: str, files: Sequence[str]) -> Done | None:
        """What a scene left, if all of some files are there as they were written, of this key."""
        record = self._record(wanted)
        counts, known = record.get("counts", {}).get(key), record["files"]
        names = [name for file in files for name in (file, file + _ASIDE) if name in known]
        whole = all(
            known[name]["key"] == key and "size" in known[name] and self._own(record, name)
            for name in names
        )
        if counts is None or not whole or not set(files) <= set(names):
            return None
        return Done(tuple(self.out / name for name in names), **counts)

    def open(self, wanted: Wanted) -> None:
        """Note what a scene is worked on for, and which files its own are to replace."""
        record = self._record(wanted)
        there = [file for file in wanted.files if (self.out / file).exists()]
        record["files"] |= {file: {"key": ""} for file in there}
        write_json(self._file(wanted.name), record)

    def claim(self, wanted: Wanted, key: str) -> None:
        """Note that its files are about to be written, so that a stop then leaves none unknown."""
        record = self._record(wanted)
        record["files"] |= {file: {"key": key} for file in wanted.files}
        write_json(self._file(wanted.name), record)

    def finish(self, wanted: Wanted, key: str, done: Done) -> None:
        """Note a finished scene, and forget how it was worked on."""
        record = self._record(wanted)
        files = {str(path.relative_to(self.out)): _stamp(path) for path in done.outputs}
        record["files"] |= {file: {"key": key, **state} for file, state in files.items()}
        counts = {"windows": done.windows, "predicted": done.predicted, "found": done.found}
        write_json(self._file(wanted.name), record | {"counts": {key: counts}})
        self.forget(wanted.name)

    def forget(self, name: str) -> None:
        """Forget how a scene was worked on."""
        shutil.rmtree(self.work(name), ignore_errors=True)

    def begin(self, name: str, key: str, *, afresh: bool) -> dict[str, Any]:
        """What was noted of a scene that is worked on; empty if nothing that goes on.

        Args:
            name: Of the scene.
            key: Fixes what is predicted of it, and how far it can go on.
            afresh: Whether what is there is thrown away.
        """
        found = None if afresh else self._read(self._state(name))
        if found is not None and found.get("key") == key:
            return found
        shutil.rmtree(self.work(name), ignore_errors=True)
        self.work(name).mkdir(parents=True)
        return {}

    def note(self, name: str, key: str, **state: Any) -> None:
        """Note how far a scene is."""
        write_json(self._state(name), {"key": key, **state})

    def _record(self, wanted: Wanted) -> dict[str, Any]:
        """What is known of a scene; nothing of what was asked of it otherwise."""
        asked: dict[str, Any] = {"how": wanted.how, "of": list(wanted.of)}
        found = self._read(self._file(wanted.name)) or {}
        if {name: found.get(name) for name in asked} != asked:
            return asked | {"files": {}}
        return found

    def _state(self, name: str) -> Path:
        return self.work(name) / "state.json"

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _read(self, path: Path) -> dict[str, Any] | None:
        with suppress(OSError, ValueError):
            found = json.loads(path.read_text(encoding="utf-8"))
            return found if isinstance(found, dict) else None
        return None


def _stamp(path: Path) -> dict[str, Any]:
    state = path.stat()
    return {"size": state.st_size, "time": state.st_mtime_ns, "sha256": _digest(path)}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

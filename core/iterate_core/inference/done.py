"""What is predicted already: of each scene how far, and of a finished one which files it left.

In the output folder ``.predict`` keeps a file and, while it is worked on, a folder of each scene.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from iterate_core.errors import Problem, RequestError
from iterate_core.storage.files import Locked, lock, write_json

FOLDER = ".predict"


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
        where = str(self.out)
        try:
            with lock(self._folder / ".lock"):
                yield
        except Locked as other:
            what, hint = f"{other} is predicting into it.", "Wait for it, or take another --out."
            raise RequestError(Problem(where, what, hint)) from None
        except OSError as error:
            if self._folder.is_dir():
                raise
            what = f"the output folder cannot be written ({error.strerror})."
            raise RequestError(Problem(where, what, "Choose another with --out.")) from error

    def work(self, name: str) -> Path:
        """The folder of a scene that is worked on."""
        return self._folder / f"{name}.work"

    def finished(self, name: str, key: str) -> Done | None:
        """What a scene left, if it is finished, of this key, and all of it is still there."""
        found = self._read(self._file(name))
        if found is None or found.pop("key", None) != key:
            return None
        sizes: dict[str, int] = found.pop("files")
        for file, size in sizes.items():
            path = self.out / file
            if not path.is_file() or path.stat().st_size != size:
                return None
        return Done(tuple(self.out / file for file in found.pop("outputs")), **found)

    def finish(self, name: str, key: str, done: Done) -> None:
        """Note a finished scene, and forget how it was worked on."""
        files = {str(path.relative_to(self.out)): path.stat().st_size for path in done.outputs}
        content = asdict(done) | {"key": key, "outputs": list(files), "files": files}
        write_json(self._file(name), content)
        self.forget(name)

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
        found = None if afresh else self._read(self.work(name) / "state.json")
        if found is not None and found.get("key") == key:
            return found
        self._file(name).unlink(missing_ok=True)
        shutil.rmtree(self.work(name), ignore_errors=True)
        self.work(name).mkdir(parents=True)
        return {}

    def note(self, name: str, key: str, **state: Any) -> None:
        """Note how far a scene is."""
        write_json(self.work(name) / "state.json", {"key": key, **state})

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _read(self, path: Path) -> dict[str, Any] | None:
        with suppress(OSError, ValueError):
            found = json.loads(path.read_text(encoding="utf-8"))
            return found if isinstance(found, dict) else None
        return None

"""Predictions of many scenes: each by itself, so that one that fails costs no other."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iterate_core.errors import IterateError, MachineError, Problem, RequestError
from iterate_core.faults import blaming_machine
from iterate_core.fingerprint import fingerprint
from iterate_core.inference.dense.mapping import map_name, predict_map
from iterate_core.inference.dense.outputs import chosen_outputs, outputs_of
from iterate_core.inference.done import Done, Records, notes_on
from iterate_core.inference.images.by_window import windows_name
from iterate_core.inference.images.job import ImagesJob
from iterate_core.inference.images.table import FORMATS, wanted_table
from iterate_core.inference.kinds import check_options, kind_of
from iterate_core.inference.members import Ensemble
from iterate_core.inference.objects.detecting import objects_name, predict_objects
from iterate_core.inference.options import PredictOptions
from iterate_core.inference.progress import Unwatched, Watch
from iterate_core.inference.results import Predicted
from iterate_core.inference.scenes.base import Scene, SceneRequest
from iterate_core.inference.threads import at_once, shared_cores
from iterate_core.inference.wanted import Wanted, wanted_of
from iterate_core.inference.windows import grid_of

_AMPLE = 2
"""Times a scene's longer side from which on a window is noted to be larger than it need be."""
Opens = Callable[[SceneRequest], Scene]


def predict_scenes(
    requests: Sequence[SceneRequest],
    opens: Opens,
    ensemble: Ensemble,
    out: Path,
    options: PredictOptions,
    key: Mapping[str, Any],
    watch: Watch | None = None,
    inputs: Sequence[Path] = (),
) -> tuple[list[Predicted], Path | None]:
    """Predict scenes of any kind.

    Args:
        requests: Of the scenes.
        opens: Opens one; may be called in several threads.
        ensemble: What predicts them.
        out: Folder of the outputs.
        options: What is asked for.
        key: What fixes the models.
        watch: Is told how far the work is.
        inputs: Files that are read beside those of the scenes.

    Returns:
        What became of each, and the table of all of them where they have rows.

    Raises:
        RequestError: Options do not suit the models, or what is in the folder is of others.
    """
    check_options(options, ensemble.first.target, len(ensemble.models))
    if options.jobs > 1 and ensemble.first.device.type != "cpu":
        what = "shares a machine's cores; a GPU takes one scene after another."
        raise RequestError(Problem("--jobs", what, "Leave it out, and raise --batch."))
    grid_of(ensemble.first.size, ensemble.first.size, options.overlap, ensemble.unit)
    records = Records(out)
    with blaming_machine(out, "predictions"), records.held(), shared_cores(options.jobs):
        decisive = {**key, "options": options.decisive}
        job = _Job(ensemble, options, records, decisive, opens)
        wanted = [job.wanted(request) for request in requests]
        if kind_of(ensemble.first.target) == "rows":
            wanted.append(wanted_table(out, decisive, options.chosen_format(FORMATS)))
        read = {path for request in requests for path in request.paths}
        read |= {os.path.realpath(path) for path in inputs}
        records.check(wanted, read, overwrite=options.overwrite)
        return job.run(requests, watch or Unwatched())


@dataclass(frozen=True)
class _Job:
    """What all scenes of a call share."""

    ensemble: Ensemble
    options: PredictOptions
    records: Records
    key: dict[str, Any]
    open: Opens

    def run(
        self, requests: Sequence[SceneRequest], watch: Watch
    ) -> tuple[list[Predicted], Path | None]:
        """Each scene's result, and the table of all."""
        if kind_of(self.ensemble.first.target) == "rows":
            images = ImagesJob(
                self.ensemble, self.options, self.records, self.key, self.open, self.wanted
            )
            return images.run(requests, watch)
        return at_once(requests, self.options.jobs, watch, self._one), None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the maps that are asked for."""
        ensemble = self.ensemble
        return chosen_outputs(self.options.outputs, ensemble.first.target, len(ensemble.models))

    def wanted(self, request: SceneRequest) -> Wanted:
        """What is asked of a scene."""
        kind, options = kind_of(self.ensemble.first.target), self.options
        if kind == "maps":
            files = [map_name(request.name, name) for name in self.names]
        elif kind == "objects":
            files = [objects_name(request.name, options)]
        else:
            files = [windows_name(request.name)] if options.by_window else []
        return wanted_of(request, self.key, tuple(files))

    def _one(self, request: SceneRequest, watch: Watch) -> Predicted:
        began = time.perf_counter()
        result = Predicted(request.name, request.source)
        try:
            scene = self.open(request)
            result = replace(result, notes=tuple(scene.notes))
            key = fingerprint({**self.key, "scene": scene.fingerprint()})
            wanted = self.wanted(request)
            missing = [
                file
                for file in wanted.files
                if self.options.overwrite or not self.records.finished(wanted, key, [file])
            ]
            if missing:
                left = replace(wanted, files=tuple(missing))
                self.records.open(left)
                done = self._predicted(scene, left, key, watch)
                self.records.finish(wanted, key, done)
            whole = self.records.finished(wanted, key, wanted.files) or done
            result = replace(result, **vars(whole), kept=not missing)
            result = replace(result, notes=(*result.notes, *self._notes(scene, whole)))
        except MachineError:
            raise
        except IterateError as error:
            result = replace(result, failure=str(error))
        watch.written(request.name)
        return replace(result, seconds=time.perf_counter() - began)

    def _notes(self, scene: Scene, done: Done) -> Iterator[str]:
        """What people may not expect of what was predicted."""
        window, sides = self.options.window, (scene.height, scene.width)
        yield from notes_on(done)
        if window is not None and window >= _AMPLE * max(sides):
            yield (
                f"windows of {window} pixels are far larger than its {sides[1]} × {sides[0]} and "
                "mostly hold it mirrored; a smaller --window takes less time"
            )

    def _predicted(self, scene: Scene, wanted: Wanted, key: str, watch: Watch) -> Done:
        """What of a scene is not there yet."""
        ensemble, options, target = self.ensemble, self.options, self.ensemble.first.target

        def claim() -> None:
            self.records.claim(wanted, key)

        if kind_of(target) == "objects":
            return predict_objects(scene, ensemble, options, self.records, key, watch, claim)
        names = [name for name in self.names if map_name(scene.name, name) in wanted.files]
        outputs = outputs_of(names, target)
        tags = {
            "SOFTWARE": f"iterate {ensemble.description.version}",
            "MODEL": ensemble.description.identity,
            "SOURCE": scene.source,
        }
        return predict_map(scene, ensemble, outputs, options, self.records, key, watch, tags, claim)

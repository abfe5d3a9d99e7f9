"""Predictions of many scenes: each by itself, so that one that fails costs no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iterate_core.errors import IterateError, MachineError, Problem, RequestError
from iterate_core.faults import blaming_machine
from iterate_core.fingerprint import fingerprint
from iterate_core.inference.dense.mapping import predict_map
from iterate_core.inference.dense.outputs import chosen_outputs, outputs_of
from iterate_core.inference.done import Done, Records, notes_on
from iterate_core.inference.images.job import ImagesJob
from iterate_core.inference.kinds import check_options, kind_of
from iterate_core.inference.members import Ensemble
from iterate_core.inference.objects.detecting import predict_objects
from iterate_core.inference.options import PredictOptions
from iterate_core.inference.progress import Unwatched, Watch
from iterate_core.inference.results import Predicted
from iterate_core.inference.scenes.base import Scene, SceneRequest
from iterate_core.inference.threads import at_once, shared_cores
from iterate_core.inference.windows import grid_of

Opens = Callable[[SceneRequest], Scene]


def predict_scenes(
    requests: Sequence[SceneRequest],
    opens: Opens,
    ensemble: Ensemble,
    out: Path,
    options: PredictOptions,
    key: Mapping[str, Any],
    watch: Watch | None = None,
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

    Returns:
        What became of each, and the table of all of them where they have rows.

    Raises:
        RequestError: Options do not suit the models.
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
            images = ImagesJob(self.ensemble, self.options, self.records, self.key, self.open)
            return images.run(requests, watch)
        return at_once(requests, self.options.jobs, watch, self._one), None

    def _one(self, request: SceneRequest, watch: Watch) -> Predicted:
        began = time.perf_counter()
        result = Predicted(request.name, request.source)
        try:
            scene = self.open(request)
            result = replace(result, notes=tuple(scene.notes))
            key = fingerprint({**self.key, "scene": scene.fingerprint()})
            done = None if self.options.overwrite else self.records.finished(scene.name, key)
            result = replace(result, kept=done is not None)
            if done is None:
                done = self._predicted(scene, key, watch)
                self.records.finish(scene.name, key, done)
            result = replace(result, **vars(done), notes=(*result.notes, *notes_on(done)))
        except MachineError:
            raise
        except IterateError as error:
            result = replace(result, failure=str(error))
        watch.written(request.name)
        return replace(result, seconds=time.perf_counter() - began)

    def _predicted(self, scene: Scene, key: str, watch: Watch) -> Done:
        ensemble, options, target = self.ensemble, self.options, self.ensemble.first.target
        if kind_of(target) == "objects":
            return predict_objects(scene, ensemble, options, self.records, key, watch)
        names = chosen_outputs(options.outputs, target, len(ensemble.models))
        outputs = outputs_of(names, target)
        tags = {
            "SOFTWARE": f"iterate {ensemble.description.version}",
            "MODEL": ensemble.description.identity,
            "SOURCE": scene.source,
        }
        return predict_map(scene, ensemble, outputs, options, self.records, key, watch, tags)

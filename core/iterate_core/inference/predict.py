"""Predictions of files with trained models: one call from folders to maps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iterate_core.data.target import target_of
from iterate_core.engine.description import ModelDescription, read_description
from iterate_core.engine.reports import BEST
from iterate_core.errors import Problem, RequestError
from iterate_core.inference.job import predict_scenes
from iterate_core.inference.kinds import check_options
from iterate_core.inference.members import Ensemble, load_ensemble
from iterate_core.inference.options import PredictOptions
from iterate_core.inference.predictor import WEIGHTS_FILE
from iterate_core.inference.progress import Watch
from iterate_core.inference.results import Predictions
from iterate_core.inference.scenes.base import Scene, SceneOptions, SceneRequest
from iterate_core.inference.scenes.open import open_scene, scenes_of
from iterate_core.storage.digests import hash_files


def predict(
    models: Sequence[Path],
    files: Sequence[str | Path],
    out: Path,
    options: PredictOptions | None = None,
    scenes: SceneOptions | None = None,
    *,
    accelerator: str = "auto",
    precision: str | None = None,
    watch: Watch | None = None,
) -> Predictions:
    """Predict scenes with a trained model, or with several whose mean counts.

    What was predicted before in the same folder, by the same models and from files that have not
    changed, is kept; what was begun goes on.

    Args:
        models: Folders of them; see `iterate_core.inference.predictor.load_model`.
        files: The scenes; see `iterate_core.inference.scenes`.
        out: Folder of the outputs.
        options: What is asked for.
        scenes: What is said of the files.
        accelerator: As `trainer.accelerator`.
        precision: As `trainer.precision`; None takes the recipe's.
        watch: Is told how far the work is.

    Raises:
        RequestError: The models, the files or the options do not go together; nothing was written.
        MachineError: The machine has no room left; the same call goes on.
    """
    options, began = options or PredictOptions(), time.perf_counter()
    description = read_description(models[0])
    check_options(options, target_of(description.info), len(models))
    _check_idle(description, options, scenes or SceneOptions())
    requests = scenes_of([str(file) for file in files], description, scenes or SceneOptions())
    ensemble = load_ensemble(
        models,
        accelerator=accelerator,
        precision=precision,
        window=options.window,
        flips=options.flips,
    )
    key = _key(models, ensemble)

    def opened(request: SceneRequest) -> Scene:
        return open_scene(request, description)

    told = () if scenes is None or scenes.table is None else (scenes.table,)
    results, table = predict_scenes(requests, opened, ensemble, out, options, key, watch, told)
    device = str(ensemble.first.device)
    seconds = time.perf_counter() - began
    return Predictions(out, tuple(models), device, tuple(results), table, seconds)


def _check_idle(
    description: ModelDescription, options: PredictOptions, scenes: SceneOptions
) -> None:
    """Refuse what this very model has no use for.

    Raises:
        RequestError: It is asked for.
    """
    if scenes.dates is not None and description.info.frames == 1 and not description.dates:
        what = "says when a scene was taken, which this model is not told. Leave it out."
        raise RequestError(Problem("--dates", what))
    least = description.recipe["model"]["decoder"].get("score_threshold")
    if least is not None and options.threshold is not None and options.threshold < least:
        what = f"is {options.threshold:g}, and this model drops objects that score below {least:g}"
        hint = f"Take at least {least:g}: its decoder's score_threshold."
        raise RequestError(Problem("--threshold", f"{what}.", hint))


def _key(models: Sequence[Path], ensemble: Ensemble) -> dict[str, Any]:
    """What fixes the models."""
    name = WEIGHTS_FILE if ensemble.description.merged else BEST
    return {
        "models": [hash_files(folder, [name])[name] for folder in models],
        "identity": ensemble.description.identity,
        "precision": ensemble.first.precision,
    }

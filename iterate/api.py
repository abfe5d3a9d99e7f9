"""The Python interface: what the commands do, as functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from iterate.config.load import load_recipe as _load_recipe
from iterate.hpo.settings import RaySettings
from iterate.hpo.study import Study
from iterate.run.folders import claim_folder, undone_if_refused
from iterate.tracking.settings import TrackingSettings
from iterate_core.errors import Problem, RequestError
from iterate_core.inference.options import PredictOptions
from iterate_core.inference.scenes.base import SceneOptions
from iterate_core.recipe import Recipe
from iterate_core.registry import registries
from iterate_core.registry.user_code import registering

if TYPE_CHECKING:
    from iterate.publish.export import Exported
    from iterate.run.session import RunResult
    from iterate_core.engine.fit import FitResult
    from iterate_core.engine.reports import EpochReport
    from iterate_core.inference.predictor import Predictor
    from iterate_core.inference.results import Predictions

__all__ = [
    "PredictOptions",
    "Recipe",
    "SceneOptions",
    "Study",
    "export",
    "fit",
    "load_model",
    "load_recipe",
    "load_study",
    "predict",
    "register_augmentation",
    "register_backbone",
    "register_dataset",
    "register_decoder",
    "register_loss",
    "register_neck",
    "register_tuning",
    "report",
    "search",
]

register_augmentation = registering(registries.augmentations)
register_backbone = registering(registries.backbones)
register_decoder = registering(registries.decoders)
register_loss = registering(registries.losses)
register_neck = registering(registries.necks)
register_tuning = registering(registries.tunings)
register_dataset = registering(registries.datasets)


def load_recipe(file: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe as ``iterate fit`` does.

    Raises:
        RequestError: With every mistake found.
    """
    return _load_recipe(Path(file), overrides)


def load_study(file: str | Path, overrides: Sequence[str] = ()) -> Study:
    """Read a search file as ``iterate hpo`` does, and check every branch of its space.

    Raises:
        RequestError: With every mistake found.
    """
    from iterate.config.load import load_study as load
    from iterate.config.studies import study_from

    loaded = load(Path(file), overrides)
    return study_from(loaded, loaded.config.name)


def load_model(folder: str | Path, *, accelerator: str = "auto") -> Predictor:
    """A trained model, ready to predict; the data it was trained on are not needed.

    Args:
        folder: Of a run (its best repeat is taken), a trial, a repeat, a fit or an exported model;
            or ``hf://OWNER/NAME``, an exported model on a hub.
        accelerator: As `trainer.accelerator`.

    Raises:
        RequestError: The folder holds no model, or not all that it takes.
    """
    from iterate.run.models import find_model
    from iterate_core.inference.predictor import load_model as load

    if not isinstance(folder, str | Path) or not str(folder):
        what = f"must be the path of a folder, and is {folder!r}."
        raise RequestError(Problem("folder", what))
    return load(find_model(folder).folder, accelerator=accelerator)


def export(
    model: str | Path,
    to: str | Path,
    *,
    overwrite: bool = False,
    onnx: bool | None = None,
    torch_export: bool | None = None,
    fp16: bool = False,
    int8: bool = False,
    licence: str | None = None,
) -> Exported:
    """Export a trained model as a folder that needs neither its data nor its backbone's weights.

    Args:
        model: A run (its best repeat is taken), a trial, a repeat, a fit.
        to: The folder to write.
        overwrite: Replace an exported model that is there.
        onnx: An ONNX graph; None makes one where that is possible.
        torch_export: A program of torch.export; likewise.
        fp16: Keep weights in half the bytes; what that loses is measured.
        int8: An ONNX graph in 8-bit integers too; likewise.
        licence: Of the model, for its card; None takes that of the backbone's weights.

    Raises:
        RequestError: There is no such model, its backbone's weights are not at hand, or the folder
            is taken.
        WorkError: The merged model does not give what the trained one gave.
    """
    from iterate.publish.export import ExportRequest, export_model

    request = ExportRequest(
        Path(model), Path(to), overwrite, onnx, torch_export, fp16, int8, licence
    )
    return export_model(request)


def predict(
    model: str | Path,
    files: Sequence[str | Path],
    out: str | Path,
    *,
    ensemble: bool = False,
    options: PredictOptions | None = None,
    scenes: SceneOptions | None = None,
    accelerator: str = "auto",
    precision: str | None = None,
) -> Predictions:
    """Predict scenes of any size as ``iterate predict`` does; the same call goes on where it was.

    Args:
        model: A run's folder, or that of a study, a trial, a repeat, a fit or an exported model.
        files: Images, folders of them, URLs, or STAC items.
        out: Folder of what is written.
        ensemble: Whether the mean over all repeats of the run's best point is predicted.
        options: What is written, and how windows are laid.
        scenes: What is said of the files where they do not say it themselves.
        accelerator: As `trainer.accelerator`.
        precision: As `trainer.precision`; None takes the recipe's.

    Returns:
        What became of each scene; those that could not be predicted are among them.

    Raises:
        RequestError: The model, the files or the options do not go together.
        MachineError: The machine has no room left.
    """
    from iterate.run.models import find_model
    from iterate.run.predicting import models_of
    from iterate_core.inference.predict import predict as work

    return work(
        models_of(find_model(Path(model)), ensemble=ensemble),
        files,
        Path(out),
        options,
        scenes,
        accelerator=accelerator,
        precision=precision,
    )


def fit(
    recipe: Recipe, out: str | Path, on_epoch: Callable[[EpochReport], None] | None = None
) -> FitResult:
    """Train one recipe in a folder, or continue it there.

    Raises:
        RequestError: The recipe does not fit its data, or the folder cannot be written.
        WorkError: Training failed.
    """
    from iterate_core.engine.fit import fit as train
    from iterate_core.engine.resolved import prepare

    folder = Path(out)
    with undone_if_refused(folder):
        claim_folder(folder)
        return train(prepare(recipe), folder, on_epoch=on_epoch)


def search(
    studies: Study | Sequence[Study],
    out: str | Path,
    ray: RaySettings | None = None,
    tracking: TrackingSettings | None = None,
) -> RunResult:
    """Run studies in one pool until each is finished; the same call continues a stopped run.

    Args:
        studies: One, or several that share the cluster.
        out: The run's folder.
        ray: The cluster; this machine if left out.
        tracking: MLflow; a store in the folder if left out.

    Raises:
        RequestError: A study asks another question than its finished trials in `out` answer, the
            folder cannot be written, or the resources are not there.
        WorkError: Ray ended before the studies did.
    """
    from iterate.run.session import RunSettings, run_studies

    several = [studies] if isinstance(studies, Study) else list(studies)
    name = several[0].name if len(several) == 1 else Path(out).name
    settings = RunSettings(
        name=name,
        folder=Path(out),
        ray=ray or RaySettings(),
        tracking=tracking or TrackingSettings(),
    )
    return run_studies(several, settings)


def report(
    runs: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    predict: bool | None = None,
) -> Path:
    """Write one self-contained HTML page of a run, or a comparison of several.

    Args:
        runs: Folders of finished runs, or of single studies in them.
        out: The file; None is ``report.html`` in the first run's folder.
        predict: Whether test splits are predicted, for pictures and calibration; None predicts
            where there is one study alone.

    Returns:
        The file.

    Raises:
        RequestError: A folder is no finished run, or the file cannot be written.
    """
    from iterate.reporting.report import write_report

    several = [runs] if isinstance(runs, str | Path) else list(runs)
    told = None if out is None else Path(out)
    return write_report([Path(one) for one in several], told, predict=predict)

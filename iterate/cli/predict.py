"""``iterate predict MODEL FILES… --out DIR``: maps, objects and tables of a trained model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from iterate.cli.views.console import print_json, say
from iterate_core.errors import Problem, RequestError, WorkError
from iterate_core.escaping import in_terminal
from iterate_core.plurals import counted

if TYPE_CHECKING:
    from iterate_core.inference.results import Predicted, Predictions
    from iterate_core.inference.scenes.base import Units

_MODEL = "A run's folder, or that of a study, a trial, a repeat, a fit or an exported model."
_FILES = "Images, folders of them, URLs, or STAC items."


def predict(
    model: Annotated[Path, typer.Argument(help=_MODEL)],
    out: Annotated[Path, typer.Option(help="Folder of what is written.")],
    files: Annotated[list[str] | None, typer.Argument(help=_FILES)] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="The mean over all repeats of the run's best point.")
    ] = False,
    outputs: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[,NAME…]",
            help="Of maps: classes, probabilities, quantity, entropy (in nats), spread (over the "
            "models of --ensemble). Default: classes, or quantity.",
        ),
    ] = None,
    window: Annotated[
        int | None, typer.Option(help="Side of windows in pixels; default that of training.")
    ] = None,
    overlap: Annotated[
        int | None, typer.Option(help="Pixels that windows share; default a fourth of a window.")
    ] = None,
    flips: Annotated[
        bool, typer.Option("--flips", help="Predict the mean over flips and quarter turns.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(help="The least score of objects, or of classes side by side; default 0.5."),
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        Literal["csv", "parquet", "gpkg", "geojson"] | None,
        typer.Option(help="Of tables (default csv) or of objects (default gpkg)."),
    ] = None,
    by_window: Annotated[
        bool,
        typer.Option("--by-window", help="A model of whole images: a row for each window."),
    ] = False,
    bands: Annotated[
        str | None,
        typer.Option(metavar="NAME[,NAME…]", help="The files' bands, where they do not say."),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            metavar="UNIT|BAND=UNIT[,…]", help="Of the files' pixels, where they do not say."
        ),
    ] = None,
    nodata: Annotated[
        str | None, typer.Option(help="The value of pixels without data; none: all are data.")
    ] = None,
    dates: Annotated[
        str | None,
        typer.Option(metavar="DAY[,DAY…]", help="When the scenes were taken: 2020-07-11."),
    ] = None,
    scenes: Annotated[
        Path | None,
        typer.Option(help="A .csv of scenes that several files make up, in place of FILES."),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(help="Windows that go through the model at once.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Scenes at once, on a CPU.")] = 1,
    accelerator: Annotated[
        Literal["auto", "cpu", "gpu", "mps"], typer.Option(help="As trainer.accelerator.")
    ] = "auto",
    precision: Annotated[
        Literal["32-true", "bf16-mixed", "16-mixed"] | None,
        typer.Option(help="As trainer.precision; default the recipe's."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Predict anew what is there already.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print results as JSON to standard output.")
    ] = False,
) -> None:
    """Predict scenes of any size with a trained model; the same command continues a stopped one.

    Files are read and written by windows. Class maps and others are cloud-optimised GeoTIFFs,
    objects are a GeoPackage or GeoJSON, and models of whole images give a row of a table each.
    """
    from iterate.cli.views.predicting import shown
    from iterate.run.models import find_model
    from iterate.run.predicting import models_of
    from iterate_core.inference.options import PredictOptions
    from iterate_core.inference.scenes.base import SceneOptions

    options = PredictOptions(
        window=window,
        overlap=overlap,
        batch=batch,
        flips=flips,
        outputs=_listed(outputs, "--outputs"),
        threshold=threshold,
        format=format,
        by_window=by_window,
        overwrite=overwrite,
        jobs=jobs,
    )
    told = SceneOptions(
        _listed(bands, "--bands"), _units(unit), _nodata(nodata), _listed(dates, "--dates"), scenes
    )
    found_model = find_model(model)
    folders = models_of(found_model, ensemble=ensemble)

    from iterate_core.inference.predict import predict as work

    with shown() as watch:
        found = work(
            folders,
            files or [],
            out,
            options,
            told,
            accelerator=accelerator,
            precision=precision,
            watch=watch,
        )
    _tell_models(folders, found_model.missing)
    _tell(found)
    if json:
        print_json(found.to_mapping())
    if found.failed:
        what = (
            f"{len(found.failed)} of {counted(len(found.scenes), 'file')} could not be predicted."
        )
        raise WorkError(what)


def _listed(text: str | None, option: str) -> tuple[str, ...] | None:
    if text is None:
        return None
    named = tuple(name.strip() for name in text.split(",") if name.strip())
    if not named:
        raise RequestError(Problem(option, f"is {text!r}, which names nothing.", "Leave it out."))
    return named


def _units(text: str | None) -> Units | None:
    """One unit for all bands, or ``band=unit`` of some."""
    from iterate_core.inference.scenes.table import parse_units

    return None if text is None else parse_units(text, "--unit")


def _nodata(text: str | None) -> float | Literal["none"] | None:
    if text is None:
        return None
    if text == "none":
        return "none"
    try:
        return float(text)
    except ValueError:
        what = f"is {text!r}, which is no number."
        raise RequestError(Problem("--nodata", what, "Give a number, or none.")) from None


def _tell_models(folders: Sequence[Path], missing: Sequence[Path]) -> None:
    """Which models predicted, and of which there is nothing left."""
    say(f"[dim]model[/]  {in_terminal(', '.join(map(str, folders)))}")
    for path in missing:
        say(f"[dim]note[/]  {in_terminal(path)} is missing; its repeat was not considered")


def _tell(found: Predictions) -> None:
    for scene in found.scenes:
        _tell_scene(scene)
    _tell_notes(found.scenes)
    done = len(found.scenes) - len(found.failed)
    if not done:
        return
    where = found.table or found.folder
    told = f"{counted(done, 'file')} in {found.seconds:.1f} s"
    say(f"[bold]predicted[/]  {told}: {in_terminal(where)}")


def _tell_scene(scene: Predicted) -> None:
    if scene.failure is not None:
        say(f"[bold red]failed[/]  {in_terminal(scene.failure)}")
        return
    if scene.outputs:
        kept = ", kept from before" if scene.kept else f", {scene.seconds:.1f} s"
        found = "" if scene.found is None else f"{scene.found} found in "
        windows = f"{found}{counted(scene.windows, 'window')}{kept}"
        say(f"[green]{in_terminal(scene.outputs[0].name)}[/]  {windows}")


def _tell_notes(scenes: Sequence[Predicted]) -> None:
    """Each note once, however many scenes it concerns."""
    concerned: dict[str, list[str]] = {}
    for scene in scenes:
        for note in scene.notes:
            concerned.setdefault(note, []).append(scene.name)
    for note, names in concerned.items():
        others = f" and {counted(len(names) - 1, 'other')}" if len(names) > 1 else ""
        say(f"[dim]note[/]  {in_terminal(names[0])}{others}: {in_terminal(note)}")

"""``iterate data download|convert|generate|show``: datasets had, made, and looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iterate.cli.data.choices import choice
from iterate.cli.data.download import download
from iterate.cli.data.show import show
from iterate.cli.data.tables import show_info
from iterate.cli.views.console import print_json, say
from iterate.cli.views.groups import NearestGroup
from iterate_core.escaping import in_terminal as escape

if TYPE_CHECKING:
    from iterate_core.data.dataset import DatasetInfo

app = typer.Typer(
    cls=NearestGroup, help="Download, convert, generate and look at datasets.", no_args_is_help=True
)
app.command()(download)

_Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON to standard output.")]


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="An .npz file, or a folder of images.")],
    out: Annotated[Path, typer.Argument(help="The folder to make, in GeoBench v1 format.")],
    name: Annotated[str | None, typer.Option(help="The dataset's name.")] = None,
    bands: Annotated[
        str | None, typer.Option(help="Names of the bands in the files' order: B02,B03,B04.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="classification, segmentation, multilabel, scalar_regression or downscaling."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="A .csv or .json file, an array in the .npz, or shares: 0.6,0.2,0.2."),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Class names in the order of their indices, with commas.")
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(help="dn (reflectance × 10,000), reflectance, landsat_sr, uint8, db, …"),
    ] = None,
    sensor: Annotated[
        str | None, typer.Option(help="Whose short band names: sentinel-2 or landsat-8.")
    ] = None,
    ignore_index: Annotated[
        int | None, typer.Option(help="Of masks: the value that does not count.")
    ] = None,
    nodata: Annotated[
        str | None,
        typer.Option(help="The value that marks pixels without data; none: all are real."),
    ] = None,
    fill: Annotated[
        str | None, typer.Option(help="What stands in pixels without data: a number, or mean.")
    ] = None,
    mask: Annotated[
        bool, typer.Option("--mask", help="Leave pixels without data out of the masks.")
    ] = False,
    tile: Annotated[
        int | None,
        typer.Option(help="Crop or pad each sample about its centre to so many pixels.", min=1),
    ] = None,
    layout: Annotated[
        str | None, typer.Option(help="Of arrays: channels-first or channels-last.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="The data's licence.")] = None,
    origin: Annotated[str | None, typer.Option(help="Where the data come from.")] = None,
    coarsen: Annotated[
        int | None,
        typer.Option(help="For downscaling: images are targets of their own means over N × N."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Fixes random splits.", min=0)] = 0,
    json: _Json = False,
) -> None:
    """Convert arrays or folders of images to GeoBench v1 format.

    Nothing is dropped quietly: a file that does not fit is an error that names it.
    """
    from iterate_core.data.convert.convert import convert as run
    from iterate_core.data.convert.source import CONVERTED

    info = run(
        source,
        out,
        name=name,
        bands=_listed(bands),
        task=choice("task", task, CONVERTED),
        split=split,
        classes=_listed(classes),
        unit=unit,
        sensor=sensor,
        ignore_index=ignore_index,
        nodata=nodata,
        fill=fill,
        mask=mask,
        tile=tile,
        layout=choice("layout", layout, ("channels-first", "channels-last")),
        licence=licence,
        origin=origin,
        coarsen=coarsen,
        seed=seed,
    )
    _tell(info, out, json)


@app.command()
def generate(
    out: Annotated[Path, typer.Argument(help="The folder to make.")],
    kind: Annotated[
        str,
        typer.Option(
            help="classification, multilabel, segmentation, scalar_regression or downscaling."
        ),
    ] = "classification",
    train: Annotated[int, typer.Option(help="Training samples.", min=1)] = 240,
    val: Annotated[int, typer.Option(help="Validation samples.", min=1)] = 80,
    test: Annotated[int, typer.Option(help="Test samples.", min=1)] = 80,
    size: Annotated[int, typer.Option(help="Height and width in pixels.", min=16, max=512)] = 64,
    finer: Annotated[
        int | None,
        typer.Option(
            help="Of downscaling: cells of the target along a pixel; default 2.", min=1, max=8
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Fixes every pixel.", min=0)] = 0,
    json: _Json = False,
) -> None:
    """Generate Sentinel-2-like scenes: 13 bands, the same bytes for the same seed."""
    from iterate_core.data.generated.reader import GeneratedData, open_generated
    from iterate_core.data.generated.reader import generate as run
    from iterate_core.registry.parsing import parse

    samples = (train, val, test)
    asked = {"kind": kind, "samples": samples, "size": size, "seed": seed, "root": out}
    if finer is not None:
        asked["finer"] = finer
    with _as_options("kind", "finer"):
        section = parse(GeneratedData, asked)
    run(section, out)
    reader = open_generated(section)
    reader.names("train")  # draws it, if it is not there yet
    _tell(reader.info, out, json)


def _listed(text: str | None) -> list[str] | None:
    return [part.strip() for part in text.split(",")] if text else None


@contextmanager
def _as_options(*names: str) -> Iterator[None]:
    """Tell problems of fields of these names under the options of the command line."""
    from iterate_core.errors import RequestError

    try:
        yield
    except RequestError as error:
        told = [
            replace(problem, where=f"--{problem.where}") if problem.where in names else problem
            for problem in error.problems
        ]
        raise RequestError(told) from error


def _tell(info: DatasetInfo, out: Path, json: bool) -> None:
    if json:
        print_json({"folder": str(out), "dataset": asdict(info)})
        return
    show_info(info)
    folder = escape(str(out))
    say(f"Written to {folder}. In a recipe: data: {{name: geobench_v1, root: {folder}}}")


app.command()(show)

"""``iterate data download|convert|generate|show``: datasets had, made, and looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from iterate.cli.data.download import download
from iterate.cli.data.tables import band_table, show_info, target_tables
from iterate.cli.views.console import print_json, say
from iterate.cli.views.groups import NearestGroup
from iterate_core.escaping import in_terminal as escape

if TYPE_CHECKING:
    from iterate_core.data.augmentation.options import AugmentationSection
    from iterate_core.data.dataset import DatasetInfo, Reader

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
        task=_choice("task", task, CONVERTED),
        split=split,
        classes=_listed(classes),
        unit=unit,
        sensor=sensor,
        ignore_index=ignore_index,
        nodata=nodata,
        fill=fill,
        mask=mask,
        tile=tile,
        layout=_choice("layout", layout, ("channels-first", "channels-last")),
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


@app.command()
def show(
    folder: Annotated[
        Path,
        typer.Argument(help="A folder in GeoBench v1 format, or GEO-Bench-2's file or folder."),
    ],
    dataset: Annotated[
        str | None,
        typer.Option(help="Of GEO-Bench-2: pastis, …; or a reader of your own: file.py:Name."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The picture to write; default NAME-SPLIT.png here.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="train, val or test: what the picture shows.")
    ] = "train",
    count: Annotated[int, typer.Option(help="Samples in the picture.", min=1, max=120)] = 18,
    limit: Annotated[
        int, typer.Option(help="Samples of each split that are read for the tables.", min=1)
    ] = 1000,
    partition: Annotated[str, typer.Option(help="default, 0.01x, …, 1.00x.")] = "default",
    compat: Annotated[
        bool, typer.Option("--compat", help="Keep known defects of published files.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Fixes which samples are shown.", min=0)] = 0,
    augmented: Annotated[
        str | None,
        typer.Option(
            help="Beside each sample what this makes of it: a recipe's file, or its augmentation, "
            "such as '{crop: true, noise: {std: 0.2}}'."
        ),
    ] = None,
    json: _Json = False,
) -> None:
    """Draw samples, count classes, and list every band with its statistics."""
    from iterate_core.data.inspect.show import draw
    from iterate_core.data.inspect.survey import survey
    from iterate_core.storage.names import file_name

    chosen: Any = _choice("split", split, ("train", "val", "test"))
    reader = _open(folder, dataset, partition, compat)
    picture = out or Path(f"{file_name(reader.info.name)}-{split}.png")
    draw(reader, chosen, picture, count, seed, _augmentation(augmented))
    found = survey(reader, limit)
    if json:
        print_json({"dataset": asdict(reader.info), "picture": str(picture), **asdict(found)})
        return
    show_info(reader.info)
    for table in target_tables(reader.info, found):
        say(table)
    say(band_table(found))
    say(f"Samples of the {split} split: {escape(str(picture))}")


def _augmentation(text: str | None) -> AugmentationSection | None:
    """That of a recipe's file, or of a mapping as a recipe has it."""
    from iterate.config.load import load_recipe
    from iterate_core.data.augmentation.options import AugmentationSection
    from iterate_core.errors import Problem, RequestError
    from iterate_core.registry.parsing import parse

    if text is None:
        return None
    if text.endswith((".yaml", ".yml")):
        return load_recipe(Path(text), []).augmentation
    try:
        mapping = yaml.safe_load(text)
    except yaml.YAMLError:
        mapping = None
    if not isinstance(mapping, dict):
        what = f"is neither a recipe's file nor a mapping of augmentations: {text!r}."
        raise RequestError(Problem("--augmented", what, "Such as '{crop: true}'."))
    return parse(AugmentationSection, mapping, "--augmented")


def _open(folder: Path, dataset: str | None, partition: str, compat: bool) -> Reader:
    from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data
    from iterate_core.data.geobench_v2.found import dataset_of, tortillas
    from iterate_core.data.geobench_v2.options import GeoBenchV2Data
    from iterate_core.data.geobench_v2.reader import GeoBenchV2
    from iterate_core.errors import Problem, RequestError
    from iterate_core.registry.parsing import parse

    if dataset is not None and ":" in dataset:
        return _own_reader(dataset, folder)
    section = {"root": folder, "compat": compat}
    of_v2 = folder.exists() and not (folder / "default_partition.json").exists()
    if dataset is None and of_v2 and tortillas(folder):
        dataset = dataset_of(folder, "--dataset")
    if dataset is not None:
        if not folder.exists():
            hint = "Name the folder of its files, or one of them."
            raise RequestError(Problem(str(folder), "does not exist.", hint))
        return GeoBenchV2(parse(GeoBenchV2Data, {**section, "dataset": dataset}, "data"))
    asked = parse(GeoBenchV1Data, {**section, "partition": partition}, "data")
    if not folder.is_dir():
        hint = "Name a dataset's folder, or its .tortilla file."
        raise RequestError(Problem(str(folder), "is not a folder of a dataset.", hint))
    return GeoBenchV1(asked)


def _own_reader(name: str, folder: Path) -> Reader:
    """A reader by the path of its code, at its folder if it takes one."""
    from iterate_core.data.open import open_dataset
    from iterate_core.registry import registries
    from iterate_core.registry.parsing import parse

    options = registries.datasets.get(name, "--dataset").load_options()
    root = {"root": folder} if "root" in options.model_fields else {}
    return open_dataset(parse(options, {"name": name, **root}, "data"))


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


def _choice(option: str, value: str | None, legal: tuple[str, ...]) -> Any:
    from iterate_core.errors import Problem, RequestError, nearest

    if value is not None and value not in legal:
        what = f"there is no {option} {value!r}."
        raise RequestError(Problem(f"--{option}", what, nearest(value, legal)))
    return value


def _tell(info: DatasetInfo, out: Path, json: bool) -> None:
    if json:
        print_json({"folder": str(out), "dataset": asdict(info)})
        return
    show_info(info)
    folder = escape(str(out))
    say(f"Written to {folder}. In a recipe: data: {{name: geobench_v1, root: {folder}}}")

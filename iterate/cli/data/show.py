"""``iterate data show``: a dataset, looked at."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from iterate.cli.data.choices import choice
from iterate.cli.data.tables import band_table, show_info, target_tables
from iterate.cli.views.console import print_json, say
from iterate_core.escaping import in_terminal as escape

if TYPE_CHECKING:
    from iterate_core.data.augmentation.options import AugmentationSection
    from iterate_core.data.dataset import Reader
    from iterate_core.data.inspect.augmented import Augmenting
    from iterate_core.data.inspect.survey import Survey


_YAML = (".yaml", ".yml")


def show(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A folder in GeoBench v1 format, GEO-Bench-2's file or folder, or a recipe or "
            "search file whose data may be in any format."
        ),
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
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON to standard output.")
    ] = False,
) -> None:
    """Draw samples, count classes, and list every band with its statistics."""
    from iterate_core.data.inspect.show import draw
    from iterate_core.data.inspect.survey import survey
    from iterate_core.errors import Problem, RequestError
    from iterate_core.storage.names import file_name

    chosen: Any = choice("split", split, ("train", "val", "test"))
    if augmented is not None and split != "train":
        what = f"says what a training makes of samples, and the {split} split is never changed."
        raise RequestError(Problem("--augmented", what, "Leave out --split."))
    reader = _open(folder, dataset, partition, compat)
    picture = out or Path(f"{file_name(reader.info.name)}-{split}.png")
    asked = _augmentation(augmented, seed)
    found = survey(reader, limit)
    draw(reader, chosen, picture, count, seed, _augmenting(asked, found))
    if json:
        print_json({"dataset": asdict(reader.info), "picture": str(picture), **asdict(found)})
        return
    show_info(reader.info)
    for table in target_tables(reader.info, found):
        say(table)
    say(band_table(found))
    say(f"Samples of the {split} split: {escape(str(picture))}")


def _augmenting(asked: tuple[AugmentationSection, int] | None, found: Survey) -> Augmenting | None:
    from iterate_core.data.inspect.augmented import Augmenting

    return None if asked is None else Augmenting(*asked, found.bands)


def _augmentation(text: str | None, seed: int) -> tuple[AugmentationSection, int] | None:
    """That of a recipe's file with its seed, or of a mapping as a recipe has it."""
    from iterate.config.load import load_recipe
    from iterate_core.data.augmentation.options import AugmentationSection
    from iterate_core.errors import Problem, RequestError
    from iterate_core.registry.parsing import parse

    if text is None:
        return None
    if text.endswith(_YAML):
        recipe = load_recipe(Path(text), [])
        return recipe.augmentation, recipe.seed
    try:
        mapping = yaml.safe_load(text)
    except yaml.YAMLError:
        mapping = None
    if not isinstance(mapping, dict):
        what = f"is neither a recipe's file nor a mapping of augmentations: {text!r}."
        raise RequestError(Problem("--augmented", what, "Such as '{crop: true}'."))
    return parse(AugmentationSection, mapping, "--augmented"), seed


def _open(folder: Path, dataset: str | None, partition: str, compat: bool) -> Reader:
    from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data
    from iterate_core.data.geobench_v2.found import dataset_of, tortillas
    from iterate_core.data.geobench_v2.options import GeoBenchV2Data
    from iterate_core.data.geobench_v2.reader import GeoBenchV2
    from iterate_core.errors import Problem, RequestError
    from iterate_core.registry.parsing import parse

    if folder.suffix in _YAML:
        return _of_recipe(folder, dataset, partition, compat)
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
        hint = "Name a dataset's folder, its .tortilla file, or a recipe's file."
        raise RequestError(Problem(str(folder), "is not a folder of a dataset.", hint))
    return GeoBenchV1(asked)


def _of_recipe(file: Path, dataset: str | None, partition: str, compat: bool) -> Reader:
    """The dataset of a recipe or of a search, which says itself how it is read."""
    from iterate.config.load import load_study
    from iterate_core.data.open import open_dataset
    from iterate_core.errors import Problem, RequestError

    asked = {"--dataset": dataset is not None, "--partition": partition != "default"}
    said = next((option for option, given in {**asked, "--compat": compat}.items() if given), None)
    if said is not None:
        raise RequestError(Problem(said, f"is for folders; {file} says how its data are read."))
    study = load_study(file)
    return open_dataset(study.recipe_at(study.base, 0).data)


def _own_reader(name: str, folder: Path) -> Reader:
    """A reader by the path of its code, at its folder if it takes one."""
    from iterate_core.data.open import open_dataset
    from iterate_core.registry import registries
    from iterate_core.registry.parsing import parse

    options = registries.datasets.get(name, "--dataset").load_options()
    root = {"root": folder} if "root" in options.model_fields else {}
    return open_dataset(parse(options, {"name": name, **root}, "data"))

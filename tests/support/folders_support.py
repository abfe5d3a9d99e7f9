"""Folders of images as people have them, and a search on one from YAML alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from door_support import Command
from engine_support import recipe
from rasterio import Affine
from rasterio.crs import CRS

from iterate.config.load import load_study
from iterate_core.data.dataset import Reader
from iterate_core.data.open import open_dataset
from iterate_core.engine.fit import fit
from iterate_core.engine.resolved import prepare
from iterate_core.recipe import Recipe

UTM = CRS.from_epsg(32632)


def reader(root: Path, name: str, **options: Any) -> Reader:
    """A folder, open."""
    data = {"name": name, "root": str(root), **options}
    return open_dataset(Recipe.parse({**recipe().to_mapping(), "data": data}).data)


def searched(
    command: Command, folder: Path, data: dict[str, Any], decoder: str = "linear"
) -> tuple[dict[str, Any], dict[str, float]]:
    """What ``iterate plan`` says of the data of a search, and an epoch's metrics at its base.

    Args:
        command: Runs iterate.
        folder: Where to write search.yaml, the only thing that is said of the data.
        data: Its data section.
        decoder: Of its model.
    """
    search = {
        "defaults": ["recipe", {"override data": data.pop("name")}, "_self_"],
        "name": "mine",
        "data": {"batch_size": 4, **data},
        "model": {"backbone": {"name": "test_resnet", "weights": "none"}, "decoder": decoder},
        "trainer": {"epochs": 1},
        "space": {"optimiser.lr": "interval(1e-4, 1e-2)"},
        "search": {"trials": 2},
    }
    file = folder / "search.yaml"
    file.write_text(yaml.safe_dump(search))
    said = command("plan", str(file), "--json")
    assert said.code == 0, said.err
    study = load_study(file)
    (report,) = fit(prepare(study.recipe_at(study.base, 0)), folder / "run").reports
    planned: dict[str, Any] = json.loads(said.out)["data"]
    return planned, dict(report.metrics)


def noise(bands: int, size: int, seed: int, kind: str = "uint16") -> npt.NDArray[Any]:
    """(bands, size, size) numbers from 100 to 3000."""
    drawn = np.random.default_rng(seed).integers(100, 3000, (bands, size, size))
    return drawn.astype(kind)


def on_ground(column: int, row: int = 0, size: int = 16, metres: float = 10.0) -> dict[str, Any]:
    """Options that put an image of `size` pixels into a place of a grid of such images."""
    x, y = 500_000 + column * size * metres, 5_000_000 - row * size * metres
    return {"crs": UTM, "transform": Affine(metres, 0, x, 0, -metres, y)}

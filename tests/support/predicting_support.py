"""Scenes in memory and models of random weights, for tests of prediction."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rasterio import Affine
from rasterio.crs import CRS

from iterate_core.data.loading.batch import Context
from iterate_core.engine.build import build_model
from iterate_core.engine.checkpoints import save_best
from iterate_core.engine.description import describe
from iterate_core.engine.resolved import prepare
from iterate_core.errors import DataError, Problem
from iterate_core.fingerprint import fingerprint
from iterate_core.inference.job import predict_scenes
from iterate_core.inference.members import Ensemble
from iterate_core.inference.options import PredictOptions
from iterate_core.inference.progress import Watch
from iterate_core.inference.results import Predicted
from iterate_core.inference.scenes.base import Piece, SceneRequest
from iterate_core.recipe import Recipe


def untrained(recipe: Recipe, folder: Path, seed: int = 0) -> Path:
    """The folder of a training that left its model as it began, of weights drawn by a seed."""
    prepared = prepare(recipe)
    folder.mkdir(parents=True, exist_ok=True)
    describe(prepared).write(folder)
    model = build_model(prepared)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    save_best(folder, model.trained(), {"identity": prepared.identity, "value": str(seed / 10)})
    return folder


@dataclass
class ArrayScene:
    """A scene of an array.

    Attributes:
        pixels: (bands[, frames], height, width).
        valid: (height, width).
        broken: A row from which on it cannot be read.
        reads: How often it was read.
    """

    pixels: npt.NDArray[np.float32]
    name: str = "scene"
    valid: Any = None
    crs: Any = field(default_factory=lambda: CRS.from_epsg(32632))
    transform: Any = field(default_factory=lambda: Affine(10, 0, 500_000, 0, -10, 5_000_000))
    notes: tuple[str, ...] = ()
    broken: int | None = None
    reads: int = 0

    def __post_init__(self) -> None:
        self.source = f"{self.name}.tif"
        self.height, self.width = self.pixels.shape[-2:]
        if self.valid is None:
            self.valid = np.ones((self.height, self.width), dtype=bool)

    def read(self, row: int, column: int, height: int, width: int) -> Piece:
        self.reads += 1
        if self.broken is not None and row + height > self.broken:
            raise DataError(Problem(self.source, "is damaged."))
        rows, columns = np.arange(row, row + height), np.arange(column, column + width)
        inside = np.outer(rows < self.height, columns < self.width)
        rows, columns = _mirrored(rows, self.height), _mirrored(columns, self.width)
        return Piece(
            self.pixels[..., rows[:, None], columns],
            self.valid[rows[:, None], columns] & inside,
        )

    def context(self, row: int, column: int, height: int, width: int) -> Context | None:
        return None

    def fingerprint(self) -> str:
        return fingerprint([float(self.pixels.sum()), int(self.valid.sum())])


def _mirrored(places: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    folded = places % (2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded)


def run(
    scenes: ArrayScene | list[ArrayScene],
    ensemble: Ensemble,
    out: Path,
    watch: Watch | None = None,
    **options: Any,
) -> tuple[list[Predicted], Path | None]:
    """Predict scenes."""
    several = scenes if isinstance(scenes, list) else [scenes]
    named = {scene.name: scene for scene in several}
    requests = [SceneRequest(name, scene.source, ()) for name, scene in named.items()]
    asked = PredictOptions(**options)
    return predict_scenes(
        requests, lambda request: named[request.name], ensemble, out, asked, {"test": 1}, watch
    )

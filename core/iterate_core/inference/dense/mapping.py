"""Maps of one scene: classes, probabilities, quantities and what is uncertain of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rasterio import Affine

from iterate_core.inference.dense.cog import write_cog
from iterate_core.inference.dense.outputs import Output
from iterate_core.inference.dense.raw import RawMap
from iterate_core.inference.dense.stitching import Settled, Stitching
from iterate_core.inference.done import Done, Records
from iterate_core.inference.members import Ensemble
from iterate_core.inference.options import PredictOptions
from iterate_core.inference.progress import Watch
from iterate_core.inference.scenes.base import Scene
from iterate_core.inference.windows import Grid, grid_of


def predict_map(
    scene: Scene,
    ensemble: Ensemble,
    outputs: tuple[Output, ...],
    options: PredictOptions,
    records: Records,
    key: str,
    watch: Watch,
    tags: Mapping[str, str],
    claim: Callable[[], None],
) -> Done:
    """Predict one scene's maps, or go on where they were left.

    Args:
        scene: The scene.
        ensemble: What predicts it.
        outputs: The maps.
        options: What was asked for.
        records: Of the folder of outputs.
        key: Fixes what is predicted.
        watch: Is told how far it is.
        tags: What the files say of themselves.
        claim: Is called before the files are written.

    Raises:
        DataError: The scene cannot be read.
    """
    model, batch = ensemble.first, ensemble.batch(options.batch)
    grid = grid_of((scene.height, scene.width), model.size, options.overlap, ensemble.unit)
    names = ",".join(output.name for output in outputs)
    work = _Work(scene, grid, outputs, records, f"{key}-{batch}-{names}", watch, model.target.finer)
    apart = any(output.name == "spread" for output in outputs)
    first = work.begin(afresh=options.overwrite)
    folder = records.work(scene.name)
    stitching = Stitching(scene, grid, ensemble, batch, apart, folder)
    stitching.run(first, work.write, work.advanced, work.row_done)
    claim()
    return work.finish(tags)


def map_name(scene: str, output: str) -> str:
    """Of the file that one of a scene's maps is written to."""
    return f"{scene}_{output}.tif"


@dataclass
class _Work:
    """A scene's maps in the making."""

    scene: Scene
    grid: Grid
    outputs: tuple[Output, ...]
    records: Records
    key: str
    watch: Watch
    finer: int
    predicted: int = 0
    maps: list[RawMap] = field(default_factory=list)

    def begin(self, *, afresh: bool) -> int:
        """The row of windows to begin with."""
        name = self.scene.name
        folder, size = self.records.work(name), (self.scene.height, self.scene.width)
        whole = all((folder / f"{output.name}.raw").is_file() for output in self.outputs)
        state = self.records.begin(name, self.key, afresh=afresh or not whole)
        height, width = (side * self.finer for side in size)
        self.maps = [
            RawMap(folder / f"{output.name}.raw", output, height, width) for output in self.outputs
        ]
        rows: int = state.get("rows", 0)
        self.predicted = state.get("predicted", 0)
        if rows == 0:
            for each in self.maps:
                each.allocate()
        self.watch.planned(name, self.grid.count, rows * self.grid.columns.count)
        return rows

    def write(self, settled: Settled) -> None:
        for each in self.maps:
            pixels = each.output.pixels(settled.values, settled.valid)
            each.write(settled.row, settled.column, pixels)

    def advanced(self, windows: int, predicted: int) -> None:
        self.predicted += predicted
        self.watch.advanced(self.scene.name, windows)

    def row_done(self, row: int) -> None:
        for each in self.maps:
            each.settle()
        self.records.note(self.scene.name, self.key, rows=row + 1, predicted=self.predicted)

    def finish(self, tags: Mapping[str, str]) -> Done:
        """Write the GeoTIFFs."""
        transform = _finer(self.scene.transform, self.finer)
        written: list[Path] = []
        for each in self.maps:
            path = self.records.out / map_name(self.scene.name, each.output.name)
            said = {**tags, "OUTPUT": each.output.name}
            written += write_cog(each, path, self.scene.crs, transform, said)
        return Done(tuple(written), self.grid.count, self.predicted)


def _finer(transform: Any, finer: int) -> Any:
    """Of a grid of cells, so many of which lie along the side of a pixel."""
    if transform is None or finer == 1:
        return transform
    a, b, c, d, e, f, *_ = transform
    return Affine(a / finer, b / finer, c, d / finer, e / finer, f)

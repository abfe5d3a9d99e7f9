"""Rows of a large scene's windows, from a model of whole images."""

from __future__ import annotations

from pathlib import Path

from iterate_core.inference.done import Records
from iterate_core.inference.images.rows import THRESHOLD, Row, columns_of, row_of
from iterate_core.inference.journal import Journal
from iterate_core.inference.members import Ensemble
from iterate_core.inference.options import PredictOptions
from iterate_core.inference.progress import Watch
from iterate_core.inference.reading import context_of, groups
from iterate_core.inference.scenes.base import Scene
from iterate_core.inference.vectors import write_vectors
from iterate_core.inference.windows import Grid, grid_of, runs


def window_grid(scene: Scene, ensemble: Ensemble, options: PredictOptions) -> Grid:
    """A scene's windows: side by side, unless an overlap is asked for."""
    size = (scene.height, scene.width)
    return grid_of(size, ensemble.first.size, options.overlap or 0, (1, 1))


def window_rows(
    scene: Scene,
    ensemble: Ensemble,
    options: PredictOptions,
    records: Records,
    key: str,
    watch: Watch,
) -> list[Row]:
    """A row of each window that holds data, or go on where that was left.

    Args:
        scene: The scene.
        ensemble: What predicts it.
        options: What was asked for.
        records: Of the folder of outputs.
        key: Fixes what is predicted.
        watch: Is told how far it is.

    Raises:
        DataError: The scene cannot be read.
    """
    grid, name = window_grid(scene, ensemble, options), scene.name
    state = records.begin(name, key, afresh=options.overwrite)
    journal = Journal(records.work(name) / "windows.jsonl")
    journal.cut(state.get("bytes", 0))
    done = state.get("rows", 0)
    watch.planned(name, grid.count, done * grid.columns.count)
    threshold = THRESHOLD if options.threshold is None else options.threshold
    columns = runs(list(range(grid.columns.count)), ensemble.batch(options.batch))
    rows: list[Row] = []
    for group in groups(scene, grid, columns, done):
        parts = [grid.part(group.row, column) for column in group.seen]
        if parts:
            images, context = group.images(grid), context_of(scene, parts)
            predicted = ensemble.predict(images, context).numpy()
            for number, (top, left, *_) in enumerate(parts):
                said = row_of(predicted[:, number], ensemble.first.target, threshold)
                rows.append({"file": scene.source, "row": top, "column": left, **said})
        watch.advanced(name, len(group.columns))
        if group.columns[-1] == grid.columns.count - 1:
            written, rows = journal.add(*rows), []
            records.note(name, key, rows=group.row + 1, bytes=written)
    return list(journal)


def windows_name(scene: str) -> str:
    """Of the file that the outlines of a scene's windows are written to."""
    return f"{scene}_windows.gpkg"


def write_windows(scene: Scene, grid: Grid, rows: list[Row], records: Records) -> Path:
    """Write the outlines of windows with their rows; returns the file."""
    from shapely import box

    far_row, far_column = grid.rows.length, grid.columns.length
    shapes = [
        box(
            row["column"],
            row["row"],
            min(row["column"] + grid.columns.size, far_column),
            min(row["row"] + grid.rows.size, far_row),
        )
        for row in rows
    ]
    path = records.out / windows_name(scene.name)
    write_vectors(path, shapes, columns_of(rows), scene.crs, scene.transform, "windows")
    return path

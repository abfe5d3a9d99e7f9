"""Objects of one scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from iterate_core.inference.done import Done, Records
from iterate_core.inference.journal import Journal
from iterate_core.inference.members import Ensemble
from iterate_core.inference.objects.detection import Detection, detections_in
from iterate_core.inference.objects.merging import merged
from iterate_core.inference.options import PredictOptions
from iterate_core.inference.progress import Watch
from iterate_core.inference.reading import Group, context_of, groups
from iterate_core.inference.scenes.base import Scene
from iterate_core.inference.vectors import DRIVERS, write_vectors
from iterate_core.inference.windows import Grid, grid_of, runs

THRESHOLD = 0.5
FORMATS = tuple(DRIVERS)


def predict_objects(
    scene: Scene,
    ensemble: Ensemble,
    options: PredictOptions,
    records: Records,
    key: str,
    watch: Watch,
    claim: Callable[[], None],
) -> Done:
    """Find one scene's objects, or go on where that was left.

    Args:
        scene: The scene.
        ensemble: One model.
        options: What was asked for.
        records: Of the folder of outputs.
        key: Fixes what is found.
        watch: Is told how far it is.
        claim: Is called before the file is written.

    Raises:
        DataError: The scene cannot be read.
    """
    model, name = ensemble.first, scene.name
    grid = grid_of((scene.height, scene.width), model.size, options.overlap, ensemble.unit)
    state = records.begin(name, key, afresh=options.overwrite)
    journal = Journal(records.work(name) / "objects.jsonl")
    journal.cut(state.get("bytes", 0))
    rows, predicted = state.get("rows", 0), state.get("predicted", 0)
    watch.planned(name, grid.count, rows * grid.columns.count)
    threshold = THRESHOLD if options.threshold is None else options.threshold
    columns = runs(list(range(grid.columns.count)), ensemble.batch(options.batch))
    found: list[Any] = []
    for group in groups(scene, grid, columns, rows):
        found += [each.to_list() for each in _in_group(scene, ensemble, grid, group, threshold)]
        predicted += len(group.seen)
        watch.advanced(name, len(group.columns))
        if group.columns[-1] == grid.columns.count - 1:
            written, found = journal.add(*found), []
            records.note(name, key, rows=group.row + 1, predicted=predicted, bytes=written)
    whole = merged([Detection.from_list(each) for each in journal])
    path = records.out / objects_name(name, options)
    claim()
    _write(path, scene, whole, model.target.names)
    return Done((path,), grid.count, predicted, len(whole))


def objects_name(scene: str, options: PredictOptions) -> str:
    """Of the file that a scene's objects are written to."""
    return f"{scene}_objects.{options.chosen_format(FORMATS)}"


def _in_group(
    scene: Scene, ensemble: Ensemble, grid: Grid, group: Group, threshold: float
) -> list[Detection]:
    if not group.seen:
        return []
    parts = [grid.part(group.row, column) for column in group.seen]
    detections = ensemble.first.predict(group.images(grid), context_of(scene, parts))
    begin, size = grid.columns.start(group.columns[0]), grid.columns.size
    objects: list[Detection] = []
    for part, each in zip(parts, detections, strict=True):
        valid = group.piece.valid[:, part[1] - begin : part[1] - begin + size]
        objects += detections_in(each, part, grid, valid, threshold)
    return objects


def _write(path: Path, scene: Scene, found: Sequence[Detection], names: Sequence[str]) -> None:
    """Boxes, or the outlines of masks, the best first."""
    from shapely import MultiPolygon, Polygon, box

    ordered = sorted(found, key=lambda each: -each.score)
    shapes = []
    for each in ordered:
        pieces = [Polygon(rings[0], rings[1:]) for rings in each.polygons]
        shape = box(*each.box) if not pieces else pieces[0]
        shapes.append(MultiPolygon(pieces) if len(pieces) > 1 else shape)
    columns: dict[str, list[Any]] = {
        "class": [names[each.label] for each in ordered],
        "score": [each.score for each in ordered],
    }
    write_vectors(path, shapes, columns, scene.crs, scene.transform, "objects")

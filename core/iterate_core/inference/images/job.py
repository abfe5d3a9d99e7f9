"""A row of a table for each image, or for each window of a larger scene."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from iterate_core.data.loading.batch import Context
from iterate_core.errors import IterateError, MachineError
from iterate_core.fingerprint import fingerprint
from iterate_core.inference.done import Done, Records, notes_on
from iterate_core.inference.images.by_window import window_grid, window_rows, write_windows
from iterate_core.inference.images.rows import THRESHOLD, Row, row_of
from iterate_core.inference.images.table import FORMATS, Table, wanted_table
from iterate_core.inference.images.whole import whole_image
from iterate_core.inference.members import Ensemble
from iterate_core.inference.options import PredictOptions
from iterate_core.inference.progress import Watch
from iterate_core.inference.reading import joined
from iterate_core.inference.results import Predicted
from iterate_core.inference.scenes.base import Scene, SceneRequest
from iterate_core.inference.threads import at_once
from iterate_core.inference.wanted import Wanted


@dataclass(frozen=True)
class _Image:
    """An image that was read."""

    result: Predicted
    wanted: Wanted
    content: str
    pixels: Tensor | None = None
    context: Context | None = None


@dataclass(frozen=True)
class ImagesJob:
    """Images that are to be predicted.

    Attributes:
        ensemble: What predicts them.
        options: What was asked for.
        records: Of the folder of outputs.
        key: What decides predictions, but for the image.
        open: Opens one.
        wanted: Says what is asked of one.
    """

    ensemble: Ensemble
    options: PredictOptions
    records: Records
    key: dict[str, Any]
    open: Callable[[SceneRequest], Scene]
    wanted: Callable[[SceneRequest], Wanted]

    def run(
        self, requests: Sequence[SceneRequest], watch: Watch
    ) -> tuple[list[Predicted], Path | None]:
        """Each image's result, and the table of all."""
        afresh = self.options.overwrite
        wanted = wanted_table(self.records.out, self.key, self.options.chosen_format(FORMATS))
        table = Table(self.records, wanted, afresh=afresh)
        for request in requests:
            table.check(self.wanted(request))
        try:
            if self.options.by_window:
                results = at_once(
                    requests,
                    self.options.jobs,
                    watch,
                    lambda one, told: self._windows(one, table, told),
                )
            else:
                watch.planned("images", len(requests), 0)
                results = list(self._images(requests, table, watch))
                watch.written("images")
        finally:
            written = table.write()
        return results, written

    def _windows(self, request: SceneRequest, table: Table, watch: Watch) -> Predicted:
        """A row of each window of a scene."""
        began = time.perf_counter()
        result = Predicted(request.name, request.source)
        try:
            scene = self.open(request)
            content, wanted = scene.fingerprint(), self.wanted(request)
            rows = table.rows(wanted, content)
            grid = window_grid(scene, self.ensemble, self.options)
            kept, notes = rows is not None, tuple(scene.notes)
            result = replace(result, notes=notes, windows=grid.count, kept=kept)
            key = fingerprint({**self.key, "scene": content})
            if rows is None:
                self.records.open(wanted)
                rows = window_rows(scene, self.ensemble, self.options, self.records, key, watch)
                table.add([(wanted, content, rows)])
            done = Done((), grid.count, len(rows), len(rows))
            result = replace(result, **vars(done), notes=(*notes, *notes_on(done)))
            if scene.crs is not None:
                if not (kept and self.records.finished(wanted, key, wanted.files)):
                    self.records.claim(wanted, key)
                    path = write_windows(scene, grid, rows, self.records)
                    self.records.finish(wanted, key, replace(done, outputs=(path,)))
                outputs = tuple(self.records.out / file for file in wanted.files)
                result = replace(result, outputs=outputs)
            self.records.forget(scene.name)
        except MachineError:
            raise
        except IterateError as error:
            result = replace(result, failure=str(error))
        watch.written(request.name)
        return replace(result, seconds=time.perf_counter() - began)

    def _images(
        self, requests: Sequence[SceneRequest], table: Table, watch: Watch
    ) -> Iterator[Predicted]:
        """A row of each image; the next batch is read while one is predicted."""
        size = self.ensemble.batch(self.options.batch)
        batches = [requests[at : at + size] for at in range(0, len(requests), size)]
        with ThreadPoolExecutor(self.options.jobs, thread_name_prefix="read") as readers:
            coming = [readers.submit(self._read, one, table) for one in (batches or [()])[0]]
            for number in range(len(batches)):
                images = [one.result() for one in coming]
                following = batches[number + 1] if number + 1 < len(batches) else ()
                coming = [readers.submit(self._read, one, table) for one in following]
                self._predict([image for image in images if image.pixels is not None], table)
                watch.advanced("images", len(images))
                yield from (image.result for image in images)

    def _read(self, request: SceneRequest, table: Table) -> _Image:
        began = time.perf_counter()
        result = Predicted(request.name, request.source, windows=1)
        try:
            scene = self.open(request)
            content = scene.fingerprint()
            if table.rows(self.wanted(request), content) is not None:
                kept = replace(result, predicted=1, found=1, kept=True, notes=tuple(scene.notes))
                return _Image(kept, self.wanted(request), content)
            pixels, context, note = whole_image(scene, self.ensemble.first.size)
        except MachineError:
            raise
        except IterateError as error:
            return _Image(replace(result, failure=str(error)), self.wanted(request), "")
        notes = (*scene.notes, *([] if note is None else [note]))
        seconds = time.perf_counter() - began
        done = replace(result, predicted=1, found=1, notes=notes, seconds=seconds)
        return _Image(done, self.wanted(request), content, pixels, context)

    def _predict(self, images: Sequence[_Image], table: Table) -> None:
        if not images:
            return
        pixels = torch.cat([image.pixels for image in images if image.pixels is not None])
        context = joined([image.context for image in images])
        predicted = self.ensemble.predict(pixels, context).numpy()
        asked = self.options.threshold
        threshold = THRESHOLD if asked is None else asked
        rows: list[tuple[Wanted, str, list[Row]]] = []
        for number, image in enumerate(images):
            said = row_of(predicted[:, number], self.ensemble.first.target, threshold)
            row = {"file": image.result.source, **said}
            rows.append((image.wanted, image.content, [row]))
        table.add(rows)

"""One class a pixel."""

from __future__ import annotations

from iterate_core.data.store.pack import Pack
from iterate_core.models.assembly import Model
from iterate_core.tasks.declarations import SEGMENTATION
from iterate_core.tasks.exclusive import ExclusiveTask


class SegmentationTask(ExclusiveTask):
    """One class of each counted pixel; see `SEGMENTATION` for the scores."""

    def __init__(self, model: Model, pack: Pack) -> None:
        super().__init__(model, pack.info, SEGMENTATION)

"""One class a pixel."""

from __future__ import annotations

from iterate.core.data.dataset import DatasetInfo
from iterate.core.models.assembly import Model
from iterate.core.tasks.declarations import SEGMENTATION
from iterate.core.tasks.supervised import SupervisedTask


class SegmentationTask(SupervisedTask):
    """Cross-entropy over classes of each counted pixel; see `SEGMENTATION` for the scores."""

    def __init__(self, model: Model, info: DatasetInfo) -> None:
        super().__init__(model, info, SEGMENTATION)

"""One class an image."""

from __future__ import annotations

from iterate.core.data.dataset import DatasetInfo
from iterate.core.models.assembly import Model
from iterate.core.tasks.declarations import CLASSIFICATION
from iterate.core.tasks.supervised import SupervisedTask


class ClassificationTask(SupervisedTask):
    """Cross-entropy over classes; see `CLASSIFICATION` for the scores."""

    def __init__(self, model: Model, info: DatasetInfo) -> None:
        super().__init__(model, info, CLASSIFICATION)

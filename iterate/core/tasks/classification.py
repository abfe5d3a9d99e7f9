"""One class an image."""

from __future__ import annotations

from iterate.core.data.store import Pack
from iterate.core.models.assembly import Model
from iterate.core.tasks.declarations import CLASSIFICATION
from iterate.core.tasks.exclusive import ExclusiveTask


class ClassificationTask(ExclusiveTask):
    """Cross-entropy over classes; see `CLASSIFICATION` for the scores."""

    def __init__(self, model: Model, pack: Pack) -> None:
        super().__init__(model, pack.info, CLASSIFICATION)

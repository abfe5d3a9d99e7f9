"""One class an image."""

from __future__ import annotations

from iterate_core.data.store.pack import Pack
from iterate_core.models.assembly import Model
from iterate_core.tasks.declarations import CLASSIFICATION
from iterate_core.tasks.exclusive import ExclusiveTask


class ClassificationTask(ExclusiveTask):
    """One class of each image; see `CLASSIFICATION` for the scores."""

    def __init__(self, model: Model, pack: Pack) -> None:
        super().__init__(model, pack.info, CLASSIFICATION)

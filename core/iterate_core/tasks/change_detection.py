"""What changed between dates: one class a pixel, the first of which is no change."""

from __future__ import annotations

from iterate_core.data.store.pack import Pack
from iterate_core.errors import Problem, RequestError
from iterate_core.models.assembly import Model
from iterate_core.tasks.declarations import CHANGE_DETECTION
from iterate_core.tasks.exclusive import ExclusiveTask


class ChangeDetectionTask(ExclusiveTask):
    """Cross-entropy over classes of each counted pixel; see `CHANGE_DETECTION` for the scores.

    How the dates meet is the model's: ``model.frames``, or a backbone that takes several.

    Raises:
        RequestError: The dataset has one date, or no class beside that of no change, or ignores it.
    """

    def __init__(self, model: Model, pack: Pack) -> None:
        info = pack.info
        if info.frames < 2:
            raise RequestError(Problem(info.name, "has one date, and change lies between two."))
        if len(info.classes) < 2 or info.ignore_index == 0:
            what = "must have the class of no change first, and a class of change."
            raise RequestError(Problem(info.name, what, f"Its classes: {list(info.classes)}."))
        super().__init__(model, info, CHANGE_DETECTION)

"""Finding objects with a detector of torchvision."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from iterate_core.data.store.pack import Pack
from iterate_core.device import forked
from iterate_core.errors import Problem, RequestError
from iterate_core.models.assembly import Model
from iterate_core.models.decoders.detectors.base import Detector
from iterate_core.tasks.declarations import TaskDeclaration
from iterate_core.tasks.detection.declarations import DETECTION, INSTANCE
from iterate_core.tasks.detection.scores import Kind, LossScores, ObjectScores
from iterate_core.tasks.detection.targets import BoxesTarget
from iterate_core.tasks.per_class import ByClass
from iterate_core.tasks.supervised import SupervisedTask


class ObjectTask(SupervisedTask):
    """Trains a detector on its own losses, and scores what it detects.

    Args:
        model: The assembled model; its decoder is a `Detector`.
        pack: The packed dataset.
        declaration: What is reported.
        kinds: See `ObjectScores`.

    Raises:
        RequestError: The decoder is no detector.
    """

    def __init__(
        self, model: Model, pack: Pack, declaration: TaskDeclaration, kinds: dict[Kind, str]
    ) -> None:
        metrics = declaration.metrics
        trained = [metric for metric in metrics if metric.trained]
        super().__init__(model, lambda: ObjectScores(metrics, kinds), lambda: LossScores(trained))
        if not isinstance(model.decoder, Detector):
            what = f"built a {type(model.decoder).__name__}, which is no Detector."
            raise RequestError(Problem("model.decoder.name", what))
        assert isinstance(pack.target, BoxesTarget)  # noqa: S101 - the registry's contract
        self.detector = model.decoder
        self.names = pack.target.names

    def losses(self, outputs: Any, targets: Any) -> tuple[Tensor, Tensor]:
        """The detector's summed losses for as many images as there are, and their number.

        Which regions they are of is drawn at random, in evaluation always alike.
        """
        if self.training:
            each = self.detector.losses(outputs, targets)
        else:
            with forked(self.device):
                torch.manual_seed(0)
                each = self.detector.losses(outputs, targets)
        count = torch.tensor(len(targets), device=self.device)
        return torch.stack([loss.float() for loss in each.values()]).sum() * count, count

    def predictions(self, outputs: Any) -> Any:
        """What the detector finds in each image."""
        return self.detector.detections(outputs)

    def by_class(self) -> ByClass | None:
        """See `SupervisedTask.by_class`."""
        found: ByClass = self.scores.by_class(self.names)
        return found


class DetectionTask(ObjectTask):
    """Boxes; see `iterate_core.tasks.detection.declarations` for the scores."""

    def __init__(self, model: Model, pack: Pack) -> None:
        super().__init__(model, pack, DETECTION, {"bbox": ""})


class InstanceTask(ObjectTask):
    """Boxes and masks; see `iterate_core.tasks.detection.declarations` for the scores."""

    def __init__(self, model: Model, pack: Pack) -> None:
        super().__init__(model, pack, INSTANCE, {"segm": "segm_", "bbox": ""})

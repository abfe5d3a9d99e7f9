"""Any number of classes an image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from iterate_core.data.store.pack import Pack
from iterate_core.models.assembly import Model
from iterate_core.tasks.declarations import MULTILABEL
from iterate_core.tasks.per_class import ByClass, by_label
from iterate_core.tasks.supervised import Scores, SupervisedTask


class MultilabelTask(SupervisedTask):
    """Binary cross-entropy of each class; see `MULTILABEL` for the scores."""

    def __init__(self, model: Model, pack: Pack) -> None:
        super().__init__(model, MULTILABEL, MultilabelScores)
        self.classes = pack.info.classes

    outcomes = "labels"

    def losses(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Summed binary cross-entropy of logits, and how many (sample, class) pairs there are."""
        total = functional.binary_cross_entropy_with_logits(
            outputs.float(), targets.float(), reduction="sum"
        )
        return total, torch.full((), targets.numel(), device=targets.device)

    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """True positives, false positives and false negatives of each class."""
        predicted, positive = outputs > 0, targets.bool()
        parts = (predicted & positive, predicted & ~positive, ~predicted & positive)
        return torch.stack(parts, dim=-1).flatten(1).to(torch.uint8)

    def by_class(self) -> ByClass | None:
        """See `SupervisedTask.by_class`."""
        return by_label(self.scores.confusion(), self.classes)


class MultilabelScores(Scores):
    """Keeps every logit and target of a split, which average precision needs to be exact."""

    logits: list[Tensor]
    targets: list[Tensor]
    loss: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("logits", [], dist_reduce_fx="cat")
        self.add_state("targets", [], dist_reduce_fx="cat")
        self.add_state("loss", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, outputs: Tensor, targets: Tensor, loss: Tensor) -> None:
        """Take one batch.

        Args:
            outputs: Logits (n, classes).
            targets: (n, classes) of 0 and 1.
            loss: The batch's summed loss.
        """
        self.logits.append(outputs.float())
        self.targets.append(targets.bool())
        self.loss += loss.double()

    def compute(self) -> dict[str, float]:
        """`scores` of all that was taken, and ``loss``, averaged over all pairs."""
        if not self.logits:
            return dict.fromkeys(_NAMES, float("nan"))
        logits, positive = self._taken()
        return scores(logits, positive) | {"loss": float(self.loss) / logits.size}

    def confusion(self) -> npt.NDArray[np.int64]:
        """(classes, 2, 2) counts of (sample, class) pairs, each class's [[tn, fp], [fn, tp]]."""
        logits, positive = self._taken()
        predicted = logits > 0
        both = (predicted & positive).sum(axis=0)
        wrong, missed = (predicted & ~positive).sum(axis=0), (~predicted & positive).sum(axis=0)
        neither = len(logits) - both - wrong - missed
        return np.stack([neither, wrong, missed, both], axis=1).reshape(-1, 2, 2)

    def _taken(self) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.bool_]]:
        """(n, classes) logits and truth."""
        return torch.cat(self.logits).cpu().numpy(), torch.cat(self.targets).cpu().numpy()


def scores(logits: npt.NDArray[np.floating], positive: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Scores of (n, classes) logits and truth; see `iterate_core.tasks.declarations`."""
    predicted = logits > 0  # a probability above one half
    hits = (predicted & positive).sum(axis=0).astype(np.float64)
    both = predicted.sum(axis=0) + positive.sum(axis=0).astype(np.float64)
    precisions = [average_precision(*pair) for pair in zip(logits.T, positive.T, strict=True)]
    return {
        "f1_micro": float(2 * hits.sum() / max(both.sum(), 1)),
        "f1_macro": float((2 * hits / np.maximum(both, 1)).mean()),
        "map_micro": average_precision(logits.ravel(), positive.ravel()),
        "map_macro": float(np.mean(precisions)),
        "accuracy_label": float((predicted == positive).mean()),
    }


def average_precision(ranks: npt.NDArray[np.floating], positive: npt.NDArray[np.bool_]) -> float:
    """Average precision of (n,) scores, in which ties are one step; 0 without positives."""
    order = np.argsort(-ranks, kind="stable")
    ordered = ranks[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    hits = np.cumsum(positive[order], dtype=np.int64)[last]
    precision = hits / (last + 1)
    return float((np.diff(hits, prepend=0) * precision).sum() / max(hits[-1], 1))


_NAMES = tuple(metric.name for metric in MULTILABEL.metrics)

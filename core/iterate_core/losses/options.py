"""Options of the losses. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, SerializeAsAny, ValidationError, ValidatorFunctionWrapHandler
from pydantic.functional_validators import WrapValidator

from iterate_core.data.dataset import DatasetInfo
from iterate_core.data.target import target_of
from iterate_core.errors import Problem, nearest
from iterate_core.registry import registries
from iterate_core.registry.options import Component
from iterate_core.registry.parsing import Chosen

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


def _as_one(value: Any, validated: ValidatorFunctionWrapHandler) -> Any:
    """Tell what is legal in one sentence, not each form by itself."""
    try:
        return validated(value)
    except ValidationError:
        what = "must be inverse_frequency, a list of a number of at least 0 for each class, or a"
        raise ValueError(f"{what} mapping of them by class") from None


ClassWeights = Annotated[
    Literal["inverse_frequency"] | tuple[NonNegative, ...] | dict[str, NonNegative] | None,
    WrapValidator(_as_one),
]


class LossOptions(Component):
    """What every loss declares."""

    def completed(self, default: LossOptions | None) -> LossOptions:
        """The options with the task's own loss in the place of ``default``.

        Args:
            default: The task's; None where no loss but its own serves it.
        """
        del default
        return self

    def parts(self, where: str) -> Iterator[tuple[str, LossOptions]]:
        """This loss and those that it is made of, each with its YAML path."""
        yield where, self

    def problems(self, info: DatasetInfo, where: str) -> list[Problem]:
        """What of them does not fit a dataset; `where` is the YAML path of the loss."""
        del info, where
        return []


class DefaultOptions(LossOptions):
    """The task's own."""

    def completed(self, default: LossOptions | None) -> LossOptions:
        """See `LossOptions.completed`."""
        return self if default is None else default


class WeightedOptions(LossOptions):
    """A loss in which classes may weigh differently.

    Attributes:
        class_weights: A number for each class, in the dataset's order or by name (1 where a class
            is not named); or ``inverse_frequency``: by how rare each is in what is trained on, see
            `iterate_core.losses.weights`.
    """

    class_weights: ClassWeights = None

    def problems(self, info: DatasetInfo, where: str) -> list[Problem]:
        """See `LossOptions.problems`."""
        weights, where, names = self.class_weights, f"{where}.class_weights", info.classes
        if isinstance(weights, dict):
            unknown = [name for name in weights if name not in names]
            return [
                Problem(f"{where}.{name}", "the dataset has no such class.", nearest(name, names))
                for name in unknown
            ]
        if not isinstance(weights, tuple):
            return []
        if len(weights) != len(names):
            what = f"are {len(weights)} numbers, but there are {len(names)} classes."
            return [Problem(where, what, f"In this order: {', '.join(names)}.")]
        return [] if any(weights) else [Problem(where, "are all 0: nothing would be learnt.")]


class CrossEntropyOptions(WeightedOptions):
    """Cross-entropy of classes that exclude each other, in nats.

    Attributes:
        label_smoothing: Share of each target that is spread evenly over all classes.
    """

    label_smoothing: Share = 0.0


class BinaryCrossEntropyOptions(WeightedOptions):
    """Binary cross-entropy of each label, in nats.

    Attributes:
        label_smoothing: How far targets lie from 0 and 1, as a share of the way to one half.
    """

    label_smoothing: Share = 0.0


class FocalOptions(WeightedOptions):
    """Focal loss (Lin et al. 2017): what is predicted rightly already counts less.

    Attributes:
        gamma: How much less; 0 is binary cross-entropy of each class.
        alpha: Weight of what is there, beside 1 − alpha of what is not; None weighs both alike.
    """

    gamma: NonNegative = 2.0
    alpha: Annotated[float | None, Field(ge=0, le=1)] = None


class OverlapOptions(LossOptions):
    """What every loss of the overlap of predicted and true classes takes.

    Attributes:
        smooth: Added to both sides of the fraction: softens it where a class is small, by so many
            pixels of a batch. 0 to 1 is usual, 100 the most that is published (keras-contrib's
            Jaccard loss); far more hides the overlap.
    """

    smooth: Annotated[float, Field(ge=0, le=100)] = 0.0


class DiceOptions(OverlapOptions):
    """1 − Dice (Milletari et al. 2016), the soft F1 of each class."""


class JaccardOptions(OverlapOptions):
    """1 − Jaccard (Rahman & Wang 2016), the soft intersection over union of each class."""


class TverskyOptions(OverlapOptions):
    """1 − Tversky's index (Salehi et al. 2017): errors of both kinds weigh as one says.

    Attributes:
        alpha: Weight of what is told wrongly; lower finds more.
        beta: Weight of what is missed; higher finds more. Both one half is Dice, both 1 Jaccard.
        gamma: Power of the whole (Abraham & Khan 2019); below 1 it is steeper near a perfect fit.
    """

    alpha: NonNegative = 0.5
    beta: NonNegative = 0.5
    gamma: Positive = 1.0

    def problems(self, info: DatasetInfo, where: str) -> list[Problem]:
        """See `LossOptions.problems`."""
        del info
        if self.alpha > 0 or self.beta > 0:
            return []
        what = "and beta are both 0, so that no error counts: nothing would be learnt."
        return [Problem(f"{where}.alpha", what, "Raise either; both one half is Dice.")]


class LovaszOptions(LossOptions):
    """Lovász extension of the Jaccard loss (Berman et al. 2018).

    Attributes:
        per_image: The mean over images, rather than of all the batch's pixels at once.
    """

    per_image: bool = False

    def problems(self, info: DatasetInfo, where: str) -> list[Problem]:
        """See `LossOptions.problems`."""
        if len(info.classes) > 1 or not target_of(info).exclusive:
            return []
        return [Problem(f"{where}.name", "'lovasz' needs two classes, and there is one.")]


class MseOptions(LossOptions):
    """Squared error, in units of the training targets' deviation."""


class L1Options(LossOptions):
    """Absolute error, in units of the training targets' deviation: outliers pull less."""


class HuberOptions(LossOptions):
    """Half the squared error of small ones, linear in large ones (Huber 1964).

    Attributes:
        delta: Where large begins, in units of the training targets' deviation.
    """

    delta: Positive = 1.0


AnyLoss = Annotated[SerializeAsAny[LossOptions], Chosen(registries.losses)]


class SumOptions(LossOptions):
    """One loss, and a multiple of another; either may be a sum in turn.

    Attributes:
        weight: Of the second, beside 1 of the first.
    """

    first: AnyLoss
    second: AnyLoss
    weight: NonNegative = 1.0

    def completed(self, default: LossOptions | None) -> LossOptions:
        """See `LossOptions.completed`."""
        both = {"first": self.first.completed(default), "second": self.second.completed(default)}
        return self.model_copy(update=both)

    def parts(self, where: str) -> Iterator[tuple[str, LossOptions]]:
        """See `LossOptions.parts`."""
        yield where, self
        yield from self.first.parts(f"{where}.first")
        yield from self.second.parts(f"{where}.second")

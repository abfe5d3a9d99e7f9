"""The recipe: the complete, resolved description of one training run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, SerializeAsAny, ValidationInfo, field_validator

from iterate_core.data.augmentation.options import AugmentationSection
from iterate_core.data.options import DataSection, Positive
from iterate_core.losses.options import AnyLoss, DefaultOptions
from iterate_core.models.options import ModelSection
from iterate_core.models.tuning.options import FullOptions, TuningOptions
from iterate_core.objective import Objective
from iterate_core.registry import registries
from iterate_core.registry.marks import AddedLater, AfterBackbone, HowOnly, PerHead, PerTraining
from iterate_core.registry.options import Component, Section
from iterate_core.registry.parsing import Chosen, parse
from iterate_core.storage.files import replacing


class TrainerSection(Section):
    """How long and with what arithmetic a recipe trains.

    Attributes:
        epochs: Passes over the training split, at most.
        patience: Epochs without a better objective after which training stops; None never stops.
        min_delta: What counts as better for `patience`, in units of the objective.
        precision: Of the model's forward passes, as PyTorch Lightning names it; weights, losses
            and scores are float32 in each.
        features: How a frozen backbone's features are kept between epochs and trainings:
            ``float32``; ``float16``, scaled sample by sample, in half the bytes; ``auto``, if that
            pays within this training, the first up to 4 GiB a dataset and the second beyond;
            ``off`` computes them anew.
        accumulate: Batches whose gradients make one step: that of the mean over all that counts in
            them, as of one larger batch.
        micro_batch: Samples of a batch that go through the model at once, the gradients of its
            parts added up; ``auto``, the whole batch or, where memory runs out, half as many as
            often as it takes; None, the whole batch.
        gradient_clip: Largest norm of the gradient; None does not clip.
        ema: Decay, step by step, of a moving average of what trains, which is scored and kept in
            its place; None takes the last step's weights.
        swa: Share of the epochs, the last ones, the mean of whose weights is scored and kept in
            place of theirs; None takes each epoch's own.
        swa_rate: The learning rate in these epochs, as a share of its top; None lets the schedule
            go on.
        compile: Compile what trains with `torch.compile`, which costs a minute or more at the
            beginning of each training, and changes the last digits of its numbers.
        accelerator: ``auto`` takes a GPU where this process sees one, on a Mac through MPS.
        deterministic: Refuse algorithms that give other results under the same seed.
        threads: CPU threads of one operation, which decide the last digits of a result on a CPU;
            None takes as many as a trial holds CPUs, and outside a search as PyTorch chooses.
    """

    epochs: Annotated[Positive, AfterBackbone] = 20
    patience: Annotated[Positive | None, AfterBackbone, PerHead] = None
    min_delta: Annotated[float, Field(ge=0), AfterBackbone, PerHead] = 0.0
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    features: Annotated[Literal["auto", "float32", "float16", "off"], AfterBackbone, AddedLater] = (
        "auto"
    )
    accumulate: Annotated[Positive, AfterBackbone, AddedLater] = 1
    micro_batch: Annotated[Positive | Literal["auto"] | None, AfterBackbone, AddedLater] = None
    gradient_clip: Annotated[float | None, Field(gt=0), AfterBackbone] = None
    ema: Annotated[float | None, Field(gt=0, lt=1), AfterBackbone, AddedLater] = None
    swa: Annotated[float | None, Field(gt=0, le=1), AfterBackbone, AddedLater] = None
    swa_rate: Annotated[float | None, Field(gt=0, le=1), AfterBackbone, AddedLater] = None
    compile: Annotated[bool, AfterBackbone, AddedLater] = False
    accelerator: Annotated[Literal["auto", "cpu", "gpu", "mps"], AfterBackbone] = "auto"
    deterministic: bool = True
    threads: Annotated[Positive | None, HowOnly] = None

    @field_validator("min_delta")
    @classmethod
    def _for_patience(cls, value: float, known: ValidationInfo) -> float:
        if value and known.data.get("patience", 0) is None:
            raise ValueError("has no effect without trainer.patience: set that, or 0 here")
        return value

    @field_validator("swa")
    @classmethod
    def _one_average(cls, value: float | None, known: ValidationInfo) -> float | None:
        if value is not None and known.data.get("ema") is not None:
            raise ValueError("goes with no trainer.ema: choose one of the two averages")
        return value

    @field_validator("swa_rate")
    @classmethod
    def _for_swa(cls, value: float | None, known: ValidationInfo) -> float | None:
        if value is not None and known.data.get("swa", 0) is None:
            raise ValueError("has no effect without trainer.swa: set that, or leave this out")
        return value


class Recipe(Section):
    """Everything that decides a training run's result.

    A recipe read from a file is complete once `iterate_core.engine.resolved.prepare` has filled in
    what the dataset's task decides (its loss, the objective's metric and direction).
    """

    data: Annotated[SerializeAsAny[DataSection], Chosen(registries.datasets)]
    model: ModelSection
    tuning: Annotated[SerializeAsAny[TuningOptions], Chosen(registries.tunings), AfterBackbone] = (
        FullOptions(name="full")
    )
    loss: Annotated[AnyLoss, AfterBackbone] = DefaultOptions(name="default")
    optimiser: Annotated[SerializeAsAny[Component], Chosen(registries.optimisers), AfterBackbone]
    scheduler: Annotated[
        SerializeAsAny[Component], Chosen(registries.schedulers), AfterBackbone, PerHead
    ]
    augmentation: Annotated[AugmentationSection, AfterBackbone] = AugmentationSection()
    trainer: TrainerSection = TrainerSection()
    objective: Annotated[Objective, AfterBackbone] = Objective()
    seed: Annotated[int, Field(ge=0, lt=2**31), PerTraining] = 0

    @classmethod
    def parse(cls, mapping: Mapping[str, Any]) -> Self:
        """Type and check a plain mapping, such as a YAML file gives.

        Raises:
            RequestError: With every mistake found, each under its YAML path.
        """
        return parse(cls, mapping)

    def to_mapping(self) -> dict[str, Any]:
        """The recipe as plain JSON types; `parse` gives the same recipe back."""
        return self.model_dump(mode="json")

    def with_threads(self, threads: int) -> Self:
        """The same, trained with so many threads unless it says its own number."""
        if self.trainer.threads is not None:
            return self
        trainer = self.trainer.model_copy(update={"threads": threads})
        return self.model_copy(update={"trainer": trainer})

    def write(self, path: Path) -> None:
        """Write the recipe as YAML that ``iterate fit`` runs, from whatever folder."""
        mapping = self.to_mapping()
        weights = getattr(self.model.backbone, "file", None)
        if mapping["data"].get("root"):
            mapping["data"]["root"] = os.path.abspath(Path(mapping["data"]["root"]).expanduser())
        if isinstance(weights, Path):
            mapping["model"]["backbone"]["weights"] = os.path.abspath(weights)
        opening = f"# iterate fit {path.name}\n# iterate test {path.name}\n"
        with replacing(path) as part:
            text = yaml.safe_dump(mapping, sort_keys=False, allow_unicode=True)
            part.write_text(opening + text, encoding="utf-8")

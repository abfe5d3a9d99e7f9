"""Options of the augmentations. Imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from iterate_core.data.dataset import DatasetInfo
from iterate_core.data.target import target_of
from iterate_core.errors import Problem
from iterate_core.registry import registries
from iterate_core.registry.options import FieldError, Members, Section
from iterate_core.registry.registry import Registry

Positive = Annotated[float, Field(gt=0)]


class AugmentationOptions(Section):
    """What every augmentation declares.

    Attributes:
        probability: Share of the samples that it changes, others in each epoch.
    """

    probability: Annotated[float, Field(ge=0, le=1)] = 1.0

    def problems(self, info: DatasetInfo, where: str) -> list[Problem]:
        """What of them does not fit a dataset.

        Args:
            info: Its declaration, with the bands that the recipe chooses.
            where: The YAML path of the augmentation.
        """
        del info, where
        return []


class AugmentationSection(Members):
    """Random changes of training samples that keep their meaning: these two, and any registered.

    Attributes:
        flip: Horizontal and vertical flips, each with probability one half.
        rotate: Rotations by a random multiple of 90 degrees.
    """

    registry: ClassVar[Registry] = registries.augmentations

    flip: bool = True
    rotate: bool = True

    def problems(self, info: DatasetInfo) -> list[Problem]:
        """What of the augmentations does not fit a dataset; see `AugmentationOptions.problems`."""
        found: list[Problem] = []
        for name, options in self.members.items():
            if isinstance(options, AugmentationOptions):
                found += options.problems(info, f"augmentation.{name}")
        # A batch is mixed once, by the first of them that its probability has.
        *first, _ = sorted(n for n, o in self.members.items() if isinstance(o, MixOptions)) or [""]
        for name in first:
            if self.members[name].probability == 1:  # type: ignore[attr-defined]
                what = "leaves no batch to another that mixes."
                hint = "Say less than 1, such as 0.5."
                found.append(Problem(f"augmentation.{name}.probability", what, hint))
        return found


class MoveOptions(AugmentationOptions):
    """What every augmentation declares that changes where things lie.

    Where it uncovers what no pixel shows, images are as bright as their bands' means, and masks and
    maps do not count.
    """

    def problems(self, info: DatasetInfo, where: str) -> list[Problem]:
        """See `AugmentationOptions.problems`."""
        if (info.height, info.width) == (1, 1):
            return [Problem(where, "moves nothing in images of one pixel.", "Leave it out.")]
        if target_of(info).warps:
            return []
        what = f"is for targets that move with their images, and those of {info.task} cannot."
        return [Problem(where, what, "Leave it out; flips and quarter turns are for all.")]


class TurnOptions(MoveOptions):
    """Turns by any angle.

    Attributes:
        degrees: The largest, either way.
    """

    degrees: Annotated[float, Field(gt=0, le=180)] = 30.0


class ScaleOptions(MoveOptions):
    """Things larger or smaller, about the image's middle.

    Attributes:
        lowest: The smallest factor; below 1 a rim is uncovered.
        highest: The largest.
    """

    lowest: Positive = 0.8
    highest: Positive = 1.25

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lowest > self.highest:
            raise FieldError("lowest", f"is above highest, {self.highest:g}")
        return self


class CropOptions(MoveOptions):
    """A part of the image, resized to its size ("random resized crop").

    Attributes:
        smallest: Its area at least, as a share of the image's.
        ratio: Its sides' ratio at most, beside that of the image's, either way.
    """

    smallest: Annotated[float, Field(gt=0, le=1)] = 0.5
    ratio: Annotated[float, Field(ge=1)] = 4 / 3


class BandOptions(AugmentationOptions):
    """What every augmentation declares that changes each band's values as a whole.

    Attributes:
        most: How far, at most; see there.
        per_band: Each band by itself; otherwise all alike.
    """

    most: Positive = 0.2
    per_band: bool = True


class BrightnessOptions(BandOptions):
    """Bands brighter or darker: by `most` of their deviations over the training split, at most."""


class ContrastOptions(BandOptions):
    """Bands flatter or steeper, about the image's own mean.

    Their contrast is 1 + `most` times what it was at most, or that part of it at least.
    """


class NoiseOptions(AugmentationOptions):
    """Gaussian noise in each pixel of each band and date.

    Attributes:
        std: Its deviation, as a share of the band's over the training split.
    """

    std: Positive = 0.1


class BandDropoutOptions(AugmentationOptions):
    """Bands replaced by their means over the training split.

    Attributes:
        share: Of the bands, on average; at least one stays.
    """

    share: Annotated[float, Field(gt=0, lt=1)] = 0.1

    def problems(self, info: DatasetInfo, where: str) -> list[Problem]:
        """See `AugmentationOptions.problems`."""
        if len(info.bands) > 1:
            return []
        return [Problem(where, "would leave nothing of the one band there is.", "Leave it out.")]


class MixOptions(AugmentationOptions):
    """What every augmentation declares that mixes the samples of a batch with each other.

    Its `probability` is that of a whole batch.

    Attributes:
        way: ``blend`` mixes every pixel, ``paste`` puts a part of one image into the other.
    """

    way: ClassVar[Literal["blend", "paste"]]

    def problems(self, info: DatasetInfo, where: str) -> list[Problem]:
        """See `AugmentationOptions.problems`."""
        mixes = target_of(info).mixes
        if self.way in mixes:
            return []
        what = f"is not for {info.task}, of whose targets there is no mixture."
        hint = "Choose cutmix, which leaves each pixel its own." if "paste" in mixes else None
        return [Problem(where, what, hint or "Leave it out.")]


class MixupOptions(MixOptions):
    """Images blended, and trained on the labels of both, each by its share.

    Attributes:
        alpha: Of the symmetric Beta distribution of the share: near 0 one image prevails, at 1 all
            shares are alike.
    """

    way = "blend"

    alpha: Positive = 0.2


class CutmixOptions(MixOptions):
    """A box of each image replaced by another image's.

    Labels of whole images count by their share of the area; masks and maps are pasted too.

    Attributes:
        alpha: Of the symmetric Beta distribution of the share that stays; at 1 all are alike.
    """

    way = "paste"

    alpha: Positive = 1.0

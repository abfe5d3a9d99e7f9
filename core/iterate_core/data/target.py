"""What a dataset's samples are labelled with: the seam between data and tasks. Imports no torch.

A task names the `Target` of its datasets in its registry entry: ``facts={"target": …}``, a class or
``"module:Class"``. Everything that reads, packs, batches, counts or draws targets asks it, and
nothing here or above compares the names of tasks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import Band, DatasetInfo
from iterate_core.errors import DataError, Problem, RequestError
from iterate_core.registry import registries
from iterate_core.registry.registry import resolve

if TYPE_CHECKING:
    from torch import Tensor

    from iterate_core.data.augmentation.elements import Element
    from iterate_core.data.augmentation.mixing import Mixing
    from iterate_core.data.augmentation.warp import Warp
    from iterate_core.data.tile import Tile

Array = npt.NDArray[Any]
Packed = Array | Mapping[str, Array]
Gives = Literal["probabilities", "quantities", "objects", "other"]
Form = Literal["index", "indicators", "mask", "quantities", "map", "maps", "objects", "other"]


class Target(ABC):
    """The targets of one dataset.

    In files a target is one array, of one type and shape for all samples. If it is `ragged`, it is
    several by name, each with as many rows as the sample has objects.

    In batches targets are one tensor (n, …) of what is in the files; ragged ones are a list of n
    dictionaries of tensors, the form of torchvision's detection models.

    Args:
        info: The dataset's declaration.

    Attributes:
        form: What one target is, for file formats and pictures: a class ``index``, ``indicators``
            (classes,) of 0 and 1, a ``mask`` (height, width) of class indices, ``quantities``
            (quantities,) of the image, a ``map`` (height, width) of a quantity, ``maps``
            (quantities, height, width) of several, `iterate_core.data.dataset.Boxes` (``objects``),
            or something ``other``.
        takes: The kinds of prediction it is compared with, which decoders say they give:
            ``vector`` (numbers for an image), ``labels`` (scores of its classes), ``map`` (numbers
            for each pixel), or a word of its own.
        counted: What `counts` counts.
        ragged: Whether each sample has a number of its own of what is targeted.
        exclusive: Of ``labels``: whether a sample has exactly one.
        classed: Whether `counts` counts classes, so that samples of each can be drawn.
        unclassed: Why they cannot, if so: "…: its targets are no classes".
        sees_images: Whether a batch's targets are told its images, by `seen`.
        empty_teaches: Whether samples teach something though what `lacks` names is in none.
        gives: What `predicted` gives: ``probabilities`` of classes, ``quantities`` in their units,
            ``objects``, or something ``other``.
        mixes: How they follow images that are mixed: where these ``blend``, where one is put in
            part into the other (``paste``), both or neither.
    """

    form: ClassVar[Form] = "other"
    takes: ClassVar[tuple[str, ...]]
    counted: ClassVar[str] = "Samples"
    ragged: ClassVar[bool] = False
    exclusive: ClassVar[bool] = True
    classed: ClassVar[bool] = False
    unclassed: ClassVar[str] = "its targets are no classes"
    sees_images: ClassVar[bool] = False
    empty_teaches: ClassVar[bool] = False
    gives: ClassVar[Gives] = "other"
    mixes: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, info: DatasetInfo) -> None:
        self.info = info

    @property
    def dense(self) -> bool:
        """Whether each pixel is predicted, so that feature maps are needed."""
        return "map" in self.takes

    @property
    def finer(self) -> int:
        """Of maps: how many cells lie along the side of a pixel as stored."""
        return self.info.finer

    @property
    def channels(self) -> int:
        """How many numbers are predicted, of each image or of each cell of a map."""
        return len(self.info.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """What is predicted, by its index among a model's outputs: classes, or quantities."""
        return self.info.classes

    def outputs(self, size: tuple[int, int]) -> tuple[int, ...] | None:
        """The shape of a model's outputs for one image of a (height, width); None: any."""
        return (self.channels, *self.grid(size)) if self.dense else (self.channels,)

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """The (height, width) of maps that lie on an image of a (height, width)."""
        return (size[0] * self.finer, size[1] * self.finer)

    @abstractmethod
    def check(self, target: Any, where: str) -> None:
        """Refuse what is no target of this dataset.

        Args:
            target: As the reader gives it.
            where: The sample, for messages.

        Raises:
            DataError: It is none.
        """

    def laid(self, target: Any, tile: Tile, where: str) -> Any:
        """A sample's target, not checked yet, once its image is laid on a tile.

        Args:
            target: As the reader gives it.
            tile: How the image lies.
            where: The sample, for messages.

        Raises:
            DataError: It does not lie on the image.
        """
        del tile, where
        return target

    @abstractmethod
    def packed(self, target: Any) -> Packed:
        """A checked target as it is kept: an array, or if it is `ragged` arrays of rows by name."""

    def unpacked(self, packed: Any) -> Any:
        """A target as the reader gives it, of arrays as `packed` makes them."""
        return packed

    def known(self, target: Any) -> Array | None:
        """(quantities, n) values whose mean and deviation over the training split are wanted.

        Those that are NaN do not count.
        """
        del target
        return None

    def augmented(
        self, targets: Any, chosen: npt.NDArray[np.int64], group: tuple[Element, ...]
    ) -> Any:
        """A batch's targets, moved as its images are; whatever lies nowhere stays.

        Args:
            targets: As in the files.
            chosen: (n,) indices into `group`.
            group: Flips and rotations.
        """
        del chosen, group
        return targets

    @property
    def warps(self) -> bool:
        """Whether targets can follow images by `warped`, as what lies nowhere always does."""
        return not (self.dense or self.ragged)

    def warped(self, targets: Any, warp: Warp) -> Any:
        """A batch's targets, moved as its images are; what is uncovered does not count.

        A target that lies somewhere and overrides this says so by `warps`.

        Args:
            targets: As in the files, or as `augmented` gives them.
            warp: What moves the images.
        """
        del warp
        return targets

    def prepared(self, targets: Any, size: tuple[int, int]) -> Any:
        """A batch's targets as the task's loss takes them, for images resized to `size`."""
        del size
        return targets

    def mixed(self, targets: Any, mixing: Mixing) -> Any:
        """A batch's prepared targets, mixed as its images are.

        Args:
            targets: See `prepared`.
            mixing: How; of those that `mixes` tells.

        Returns:
            What `prepared` gives, or `iterate_core.data.augmentation.mixing.Mixed` of two such.
        """
        return mixing.labels(targets)

    def seen(
        self, targets: Any, images: Tensor, bands: tuple[Band, ...], means: npt.NDArray[np.float64]
    ) -> Any:
        """A batch's prepared targets, with what their images tell of them, if `sees_images`.

        Args:
            targets: See `prepared`.
            images: (n, bands, …, height, width) in the files' units, moved as the targets are.
            bands: Of the images, in their order.
            means: (quantities,) of what is `known` of the training targets.
        """
        del images, bands, means
        return targets

    def predicted(
        self, outputs: Any, images: Tensor, bands: tuple[Band, ...], means: npt.NDArray[np.float64]
    ) -> Any:
        """What a model's outputs say of images: probabilities, quantities, objects.

        Args:
            outputs: Of the model, float32; of a detector, what it has found.
            images: (n, bands, …, height, width) in the files' units.
            bands: Of the images, in their order.
            means: (quantities,) of what is `known` of the training targets.

        Returns:
            A tensor of the outputs' shape; of objects a list of n dictionaries of tensors.
        """
        del images, bands, means
        return outputs

    def counts(self, target: Any) -> npt.NDArray[np.int64]:
        """(classes + 1,): how much of each class a target holds, and last of what is ignored."""
        del target
        return np.zeros(len(self.info.classes) + 1, dtype=np.int64)

    def lacks(self, targets: Iterable[Packed]) -> str | None:
        """What none of some targets holds, without which no score is defined: ``object``.

        Nor is there anything to learn, unless `empty_teaches`.

        Args:
            targets: See `packed`; they need not all be looked at.

        Returns:
            None where nothing is lacking.
        """
        del targets
        return None

    def title(self, target: Any) -> str | None:
        """What is written above a sample's picture; None: the sample's name."""
        del target
        return None

    def _check_shape(self, target: Array, wanted: tuple[int, ...], where: str) -> None:
        if target.shape != wanted:
            raise DataError(Problem(where, f"has a target of shape {target.shape}, not {wanted}."))


def target_class(task: str) -> type[Target]:
    """What the datasets of a task are labelled with.

    Raises:
        RequestError: There is no such task, or its entry does not say.
    """
    found = resolve(registries.tasks.get(task, "data.name").facts.get("target"))
    if not (isinstance(found, type) and issubclass(found, Target)):
        what = f"the registry entry of the task {task!r} names no target."
        hint = 'Add facts={"target": …}, a subclass of iterate_core.data.target.Target.'
        raise RequestError(Problem("data.name", what, hint))
    return found


def target_of(info: DatasetInfo) -> Target:
    """The targets of a dataset.

    Raises:
        RequestError: See `target_class`.
    """
    return target_class(info.task)(info)

"""Objects as targets. Imports no torch before there are batches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import Boxes
from iterate_core.data.target import Array, Target
from iterate_core.errors import DataError, Problem

if TYPE_CHECKING:
    from torch import Tensor

    from iterate_core.data.augmentation.elements import Element
    from iterate_core.data.augmentation.warp import Warp
    from iterate_core.data.tile import Tile

BACKGROUND = "background"


class BoxesTarget(Target):
    """Objects with boxes: any number an image, also none.

    In batches a list of n dictionaries: ``boxes`` float32 (objects, 4) left, top, right, bottom in
    pixels, and ``labels`` int64 (objects,), of which 0 is the background: the first class if it is
    called so, and else one before all classes.
    """

    form = "objects"
    gives = "objects"
    takes = ("boxes",)
    counted = "Objects"
    ragged = True
    empty_teaches = True  # where there is nothing to find
    unclassed = "an image holds several objects, and comes with all of them"

    @property
    def names(self) -> tuple[str, ...]:
        """The classes by their labels in batches, the background among them."""
        classes = self.info.classes
        return classes if classes[0].lower() == BACKGROUND else (BACKGROUND, *classes)

    @property
    def channels(self) -> int:
        """The classes that are told apart, the background among them."""
        return len(self.names)

    def outputs(self, size: tuple[int, int]) -> None:
        """Detectors give what is no tensor."""

    def check(self, target: Any, where: str) -> None:
        """See `Target.check`."""
        if not isinstance(target, Boxes):
            raise DataError(Problem(where, f"has a {type(target).__name__} where objects must be."))
        labels, corners = np.asarray(target.labels), np.asarray(target.corners)
        self._check_shape(corners, (len(labels), 4), where)
        if not np.isfinite(corners).all() or (corners[:, 2:] < corners[:, :2]).any():
            what = "has a box whose corners are out of order or not finite."
            raise DataError(Problem(where, what, "Give left, top, right, bottom in pixels."))
        wrong = (labels < 0) | (labels >= len(self.info.classes))
        if wrong.any():
            what = f"has the label {int(labels[wrong][0])}, but there are {len(self.info.classes)}"
            raise DataError(Problem(where, f"{what} classes."))

    def laid(self, target: Any, tile: Tile, where: str) -> Any:
        """See `Target.laid`; boxes are cut at the tile's edges, and left out where beyond them."""
        if not isinstance(target, Boxes):
            return target  # which is refused when it is checked
        down, right = tile.corner
        shift = np.array([right, down, right, down], dtype=np.float32)
        corners = np.clip(np.asarray(target.corners) + shift, 0, tile.size)
        seen = (corners[:, 2:] > corners[:, :2]).all(axis=1)
        masks = target.masks
        if masks is not None:
            self._check_shape(np.asarray(masks), (len(target.labels), *tile.image), where)
            masks = tile.lay(np.asarray(masks)[seen], 0)
        return Boxes(corners[seen], np.asarray(target.labels)[seen], masks)

    def packed(self, target: Any) -> dict[str, Array]:
        """``boxes`` and ``labels``."""
        shift = len(self.names) - len(self.info.classes)
        return {
            "boxes": np.asarray(target.corners, dtype=np.float32),
            "labels": np.asarray(target.labels, dtype=np.int64) + shift,
        }

    def unpacked(self, packed: Any) -> Boxes:
        """See `Target.unpacked`."""
        shift = len(self.names) - len(self.info.classes)
        return Boxes(packed["boxes"], packed["labels"] - shift, packed.get("masks"))

    def augmented(
        self, targets: Any, chosen: npt.NDArray[np.int64], group: tuple[Element, ...]
    ) -> list[dict[str, Tensor]]:
        """See `Target.augmented`."""
        return [
            self._moved(sample, group[which]) for sample, which in zip(targets, chosen, strict=True)
        ]

    @property
    def warps(self) -> bool:
        """See `Target.warps`."""
        return True

    def warped(self, targets: Any, warp: Warp) -> list[dict[str, Tensor]]:
        """See `Target.warped`; less of objects that no longer fill a pixel of their image."""
        return [
            self._warped(sample, warp, row) if warp.moves(row) else sample
            for row, sample in enumerate(targets)
        ]

    def prepared(self, targets: Any, size: tuple[int, int]) -> list[dict[str, Tensor]]:
        """Boxes in pixels of the resized images."""
        height, width = size[0] / self.info.height, size[1] / self.info.width
        return [
            sample | {"boxes": sample["boxes"] * sample["boxes"].new_tensor([width, height] * 2)}
            for sample in targets
        ]

    def counts(self, target: Any) -> npt.NDArray[np.int64]:
        """Objects of each class."""
        return np.bincount(target.labels, minlength=len(self.info.classes) + 1)

    def lacks(self, targets: Iterable[Any]) -> str | None:
        """An object."""
        return None if any(len(sample["labels"]) for sample in targets) else "object"

    def _moved(self, sample: dict[str, Tensor], element: Element) -> dict[str, Tensor]:
        import torch

        size = (self.info.height, self.info.width)
        corners = element.move(sample["boxes"].reshape(-1, 2, 2), size)
        boxes = torch.cat((corners.amin(dim=1), corners.amax(dim=1)), dim=-1)
        return sample | {"boxes": boxes}

    def _warped(self, sample: dict[str, Tensor], warp: Warp, row: int) -> dict[str, Tensor]:
        """Each box about its own four corners, cut at the image's edges."""
        import torch
        from torchvision.ops import clip_boxes_to_image, remove_small_boxes

        size = (self.info.height, self.info.width)
        corners = sample["boxes"][:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
        corners = warp.points(row, corners, size)
        boxes = torch.cat((corners.amin(dim=1), corners.amax(dim=1)), dim=-1)
        boxes = clip_boxes_to_image(boxes, size)
        kept = remove_small_boxes(boxes, min_size=1)
        return {name: each[kept] for name, each in (sample | {"boxes": boxes}).items()}


class MasksTarget(BoxesTarget):
    """Objects with boxes and masks.

    In batches they have ``masks`` uint8 (objects, height, width) of 0 and 1 too; in files, eight
    pixels of a row are a byte.
    """

    takes = ("masks",)

    def check(self, target: Any, where: str) -> None:
        """See `Target.check`."""
        super().check(target, where)
        if target.masks is None:
            raise DataError(Problem(where, "has objects without masks."))
        size = (self.info.height, self.info.width)
        self._check_shape(np.asarray(target.masks), (len(target.labels), *size), where)

    def packed(self, target: Any) -> dict[str, Array]:
        """``boxes``, ``labels`` and ``masks``."""
        masks = np.packbits(np.asarray(target.masks) != 0, axis=-1)
        return super().packed(target) | {"masks": masks}

    def unpacked(self, packed: Any) -> Boxes:
        """See `Target.unpacked`."""
        boxes, masks = super().unpacked(packed), packed["masks"]
        if masks.dtype != np.bool_:
            masks = np.unpackbits(masks, axis=-1, count=self.info.width)
        return Boxes(boxes.corners, boxes.labels, masks)

    def augmented(
        self, targets: Any, chosen: npt.NDArray[np.int64], group: tuple[Element, ...]
    ) -> list[dict[str, Tensor]]:
        """See `Target.augmented`."""
        return super().augmented(self._unpacked(targets), chosen, group)

    def warped(self, targets: Any, warp: Warp) -> list[dict[str, Tensor]]:
        """See `Target.warped`; boxes are those of the masks that come of it."""
        return super().warped(self._unpacked(targets), warp)

    def prepared(self, targets: Any, size: tuple[int, int]) -> list[dict[str, Tensor]]:
        """Boxes and masks of the resized images, each pixel of a mask that of the nearest."""
        import torch

        from iterate_core.data.loading.scaling import resized_nearest

        return [
            sample | {"masks": resized_nearest(sample["masks"], size).to(torch.uint8)}
            for sample in super().prepared(self._unpacked(targets), size)
        ]

    def _moved(self, sample: dict[str, Tensor], element: Element) -> dict[str, Tensor]:
        return super()._moved(sample, element) | {"masks": element.apply(sample["masks"])}

    def _warped(self, sample: dict[str, Tensor], warp: Warp, row: int) -> dict[str, Tensor]:
        from torchvision.ops import masks_to_boxes

        masks = warp.alone(row).grids(sample["masks"][None], 0)[0]
        kept = masks.flatten(1).any(dim=1).nonzero()[:, 0]
        # Of the first to the last pixel, whose far edge is one further.
        far = sample["boxes"].new_tensor([0, 0, 1, 1])
        boxes = masks_to_boxes(masks[kept]).to(far) + far
        return sample | {"boxes": boxes, "labels": sample["labels"][kept], "masks": masks[kept]}

    def _unpacked(self, targets: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
        """With masks of bools, if they are not yet."""
        import torch

        def pixels(packed: Tensor) -> Tensor:
            places = torch.arange(7, -1, -1, device=packed.device, dtype=torch.uint8)
            bits = (packed[..., None] >> places) & 1
            return bits.flatten(-2)[..., : self.info.width].bool()

        return [
            sample
            if sample["masks"].dtype == torch.bool
            else sample | {"masks": pixels(sample["masks"])}
            for sample in targets
        ]

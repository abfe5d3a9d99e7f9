"""A trained model that predicts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from iterate_core.data.loading.batch import Context
from iterate_core.data.loading.scaling import Scaling
from iterate_core.device import fabric_for
from iterate_core.engine.build import build_model, channels_last
from iterate_core.engine.checkpoints import load_best
from iterate_core.engine.description import MODEL_FILE, ModelDescription, read_description
from iterate_core.errors import Problem, RequestError
from iterate_core.inference.described import described
from iterate_core.inference.export.digests import check_sums
from iterate_core.models.assembly import Model, Quantity
from iterate_core.models.decoders.detectors.base import Detector
from iterate_core.recipe import Recipe
from iterate_core.registry import registries

WEIGHTS_FILE = "model.safetensors"
"""All weights of an exported model."""


class Predictor:
    """A trained model on a device.

    Args:
        description: What it is.
        weights: Its tensors: what training changed, or if it is `merged` all of them.
        accelerator: As `trainer.accelerator`.
        precision: As `trainer.precision`; None takes the recipe's.
        window: See `iterate_core.inference.described.described`.

    Attributes:
        description: What it is.
        target: What it predicts.
        device: Where it runs.
        model: The model itself.
        size: (height, width) of the images it takes, in pixels as stored.
        precision: The arithmetic it runs in.
        seen: The same in pixels as the network sees them: of resized images, another.

    Raises:
        RequestError: The weights are not this model's, images of that size do not suit it, or this
            machine has no such device.
    """

    def __init__(
        self,
        description: ModelDescription,
        weights: Mapping[str, Tensor],
        *,
        accelerator: str = "auto",
        precision: str | None = None,
        window: int | None = None,
    ) -> None:
        prepared = described(description, window)
        recipe = prepared.recipe
        self.description, self.target = description, prepared.target
        self.precision: str = precision or recipe.trainer.precision
        self._fabric = fabric_for(accelerator, self.precision)
        self.device: torch.device = self._fabric.device
        self.size = (prepared.info.height, prepared.info.width)
        self.seen = prepared.size
        self._scaling = Scaling(description.channels, self.seen)
        self._target_means = np.array(description.target_means)
        model = build_model(prepared)
        fill(model, weights, whole=description.merged)
        if description.merged and description.folded:
            # What a frozen backbone gives is decoded in float32, whatever its arithmetic.
            chosen = Recipe.parse(description.recipe).tuning
            if chosen.constant:
                model.tuning = registries.tunings.get(chosen.name).load()(chosen)
        self.model = model.to(self.device).eval()

    def predict(self, images: Tensor | npt.NDArray[Any], context: Context | None = None) -> Any:
        """What the model says of images.

        Args:
            images: (n, bands, height, width), or of several dates (n, bands, frames, height,
                width), of the description's bands in their order and units, finite numbers; a
                tensor or a NumPy array.
            context: When and where they were taken.

        Returns:
            Of ``probabilities`` and ``quantities`` (`Target.gives`) float32 (n, channels), or (n,
            channels, height, width) on the grid of the images, or the finer one of their targets.
            Of ``objects`` a list of n dictionaries of ``boxes`` in pixels of the images,
            ``labels``, ``scores`` and, where the model finds them, ``masks``.

        Raises:
            RequestError: The images are not as many bands or dates, or no batch.
        """
        given = self._checked(images).to(self.device)
        with torch.inference_mode():
            with self._fabric.autocast():
                outputs = self.outputs(given, self._known(context))
            return self.meaning(outputs, given)

    def outputs(self, images: Tensor, context: Context | None) -> Any:
        """The model's outputs, float32, of images on its device; of a detector what it finds."""
        outputs = self.model(self._scaling.apply(images), context).float()
        if isinstance(self.model.decoder, Detector):
            return self.model.decoder.detections(outputs)
        return outputs

    def meaning(self, outputs: Any, images: Tensor) -> Any:
        """What outputs say of their images; see `predict`."""
        bands = self.description.bands
        predicted = self.target.predicted(outputs, images, bands, self._target_means)
        return self._on_images(predicted, (images.shape[-2], images.shape[-1]))

    def _checked(self, images: Tensor | npt.NDArray[Any]) -> Tensor:
        """The images as a tensor, if they are in the form that the model takes."""
        info, bands = self.description.info, self.description.bands
        shape = tuple(getattr(images, "shape", ()))
        wanted = (len(bands), *((info.frames,) if info.frames > 1 else ()))
        if len(shape) != len(wanted) + 3 or shape[1:-2] != wanted:
            form = f"(n, {', '.join(map(str, wanted))}, height, width)"
            got = shape if hasattr(images, "shape") else type(images).__name__
            names = ", ".join(band.name for band in bands)
            raise RequestError(Problem("images", f"expects {form}: {names}; got {got}."))
        if isinstance(images, Tensor):
            return images
        return torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))

    def _known(self, context: Context | None) -> Context | None:
        """What of a context the model was told in training too."""
        if context is None:
            return None
        dates = context.dates if self.description.dates else None
        places = context.places if self.description.places else None
        return None if dates is None and places is None else Context(dates, places).to(self.device)

    def _on_images(self, predicted: Any, size: tuple[int, int]) -> Any:
        """Predictions on images that were resized, brought to the images' own pixels."""
        if isinstance(predicted, Tensor):
            grid = self.target.grid(size)
            if predicted.ndim < 4 or tuple(predicted.shape[-2:]) == grid:
                return predicted
            return functional.interpolate(predicted, grid, mode="bilinear", align_corners=False)
        if self.seen == size:
            return predicted
        down, right = (own / seen for own, seen in zip(size, self.seen, strict=True))
        return [_moved(found, right, down, size) for found in predicted]


def _moved(found: dict[str, Tensor], right: float, down: float, size: Any) -> dict[str, Tensor]:
    boxes = found["boxes"] * found["boxes"].new_tensor([right, down, right, down])
    moved = found | {"boxes": boxes}
    if "masks" in found:
        masks = functional.interpolate(found["masks"][:, None].float(), size, mode="nearest-exact")
        moved["masks"] = masks[:, 0].to(torch.uint8)
    return moved


def fill(model: Model, weights: Mapping[str, Tensor], *, whole: bool) -> None:
    """Take up trained weights, in the model's own types.

    The given tensors take the place of the model's, which others may share.

    Args:
        model: As it was built.
        weights: Its tensors.
        whole: Whether they are all of the model's, and not only what training changes.

    Raises:
        RequestError: They are another model's.
    """
    if "quantity.mean" in weights:
        blank = torch.zeros_like(weights["quantity.mean"])
        model.quantity = Quantity(blank.tolist(), (blank + 1).tolist())
    wanted = model.state_dict() if whole else model.trained()
    if wanted.keys() != weights.keys():
        odd = sorted(wanted.keys() ^ weights.keys())[:5]
        raise RequestError(Problem("", f"the weights do not fit the model: {odd}."))
    own = {name: given.to(wanted[name].dtype) for name, given in weights.items()}
    try:
        model.load_state_dict(own, strict=False, assign=True)
    except RuntimeError as error:
        told = str(error).splitlines()[-1].strip()
        hint = "A model with positions learnt for one size takes no images of another."
        raise RequestError(Problem("", f"the weights do not fit the model: {told}", hint)) from None
    channels_last(model)


def load_model(
    folder: str | Path,
    *,
    accelerator: str = "auto",
    precision: str | None = None,
    window: int | None = None,
) -> Predictor:
    """The model of a training's folder, or of an exported one; its training data are not needed.

    Args:
        folder: Of a trial, a repeat, ``iterate fit``, or an exported model.
        accelerator: As `trainer.accelerator`.
        precision: As `trainer.precision`; None takes the recipe's.
        window: Height and width of the images that it will be given, where other than those that
            it was trained on.

    Raises:
        RequestError: The folder holds no model, or not all that it takes.
    """
    place = Path(folder)
    description = read_description(place)
    if description.merged:
        check_sums(place, (MODEL_FILE, WEIGHTS_FILE))
        try:
            weights = load_file(place / WEIGHTS_FILE)
        except (OSError, SafetensorError) as error:
            what = f"cannot be read ({error})."
            raise RequestError(Problem(str(place / WEIGHTS_FILE), what)) from None
    else:
        weights, _ = load_best(place, description.identity)
    return Predictor(
        description, weights, accelerator=accelerator, precision=precision, window=window
    )

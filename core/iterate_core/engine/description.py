"""What a trained model is, written beside its weights: enough to use it without its data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

import iterate_core
from iterate_core.data.dataset import Band, DatasetInfo
from iterate_core.data.units import Channel
from iterate_core.engine.build import shared_backbone
from iterate_core.engine.normalisation import scaling_of
from iterate_core.engine.reports import MODEL_FILE as MODEL_FILE
from iterate_core.engine.resolved import Prepared
from iterate_core.errors import Problem, RequestError
from iterate_core.storage.files import replacing

LAYOUT = 1


class ModelDescription(BaseModel):
    """A trained model, but for its weights.

    Attributes:
        layout: Of this file.
        version: Of iterate that wrote it.
        identity: Names the training; see `iterate_core.engine.resolved.Prepared.identity`.
        recipe: The complete recipe, as plain JSON types.
        info: What the training data declare.
        bands: The bands whose pixels it takes, in their order and in the units it takes them in.
        channels: What is done to these pixels, channel by channel.
        means: Of each band over the training split, in its unit.
        target_means: Of each quantity over what is known of the training targets.
        dates: Whether it was told when its training images were taken.
        places: Whether it was told where.
        merged: Whether the backbone's weights lie with the decoder's, whatever was added to it
            folded in, so that neither the recipe's tuning nor its weights are needed.
        folded: Whether all that its tuning added could be; else the tuning prepares the backbone as
            in training, and what it added has its weights with the others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    layout: int = LAYOUT
    version: str = iterate_core.__version__
    identity: str
    recipe: dict[str, Any]
    info: DatasetInfo
    bands: tuple[Band, ...]
    channels: tuple[Channel, ...]
    means: tuple[float, ...]
    target_means: tuple[float, ...] = ()
    dates: bool = False
    places: bool = False
    merged: bool = False
    folded: bool = True

    def write(self, folder: Path) -> None:
        """Write it into a folder."""
        with replacing(folder / MODEL_FILE) as part:
            part.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


def describe(prepared: Prepared) -> ModelDescription:
    """What a recipe's model will be."""
    pack = prepared.pack
    scaling = scaling_of(prepared, shared_backbone(prepared, meta=True))
    return ModelDescription(
        identity=prepared.identity,
        recipe=prepared.recipe.to_mapping(),
        info=prepared.info,
        bands=prepared.stated,
        channels=scaling.channels,
        means=tuple(pack.mean.tolist()),
        target_means=tuple(pack.target_mean.tolist()),
        dates=pack.dates("train") is not None,
        places=pack.places("train") is not None,
    )


def read_description(folder: Path) -> ModelDescription:
    """The description in a folder.

    Raises:
        RequestError: There is none, or it is damaged or of another version's layout.
    """
    path = folder / MODEL_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        what = f"cannot be read ({error.strerror}): it says what the model beside it is."
        raise RequestError(Problem(str(path), what)) from None
    try:
        found = ModelDescription.model_validate_json(text)
    except ValidationError as error:
        what = f"does not describe a model of iterate: {error.errors()[0]['msg']}."
        raise RequestError(Problem(str(path), what)) from None
    if found.layout != LAYOUT:
        what = f"is of iterate {found.version}, whose files this version does not read."
        raise RequestError(Problem(str(path), what, "Use that version, or train anew."))
    return found

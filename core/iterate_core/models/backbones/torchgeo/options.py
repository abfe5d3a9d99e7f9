"""What a recipe may say of an encoder that TorchGeo builds. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from iterate_core.models.backbones.options import MatchedOptions
from iterate_core.models.backbones.transformer.options import EncoderOptions, Rate

Metres = Annotated[float, Field(gt=0)]
Nanometres = Annotated[float, Field(gt=0)]


class PyramidOptions(MatchedOptions):
    """A network whose maps shrink from stage to stage: ResNet, Swin.

    Attributes:
        drop_path: Rate of stochastic depth at the last block.
    """

    drop_path: Rate = 0.0


class VitOptions(EncoderOptions):
    """A plain vision transformer.

    Attributes:
        pooling: Whether the class token or the mean of the patches stands for an image.
        drop_path: Rate of stochastic depth at the last block.
    """

    pooling: Literal["cls", "mean"] = "cls"
    drop_path: Rate = 0.0


class ScaleMaeOptions(VitOptions):
    """Scale-MAE.

    Attributes:
        metres: Ground size of a pixel; None takes the dataset's, after resizing.
    """

    metres: Metres | None = None


class CromaOptions(EncoderOptions):
    """CROMA; `depth` counts the blocks of the optical encoder, the others have half as many."""

    depth: Annotated[int, Field(gt=0, multiple_of=2)] | None = None


class PanopticonOptions(EncoderOptions):
    """Panopticon.

    Attributes:
        pooling: Whether the class token or the mean of the patches stands for an image.
    """

    pooling: Literal["cls", "mean"] = "cls"


class CopernicusOptions(EncoderOptions):
    """Copernicus-FM.

    Attributes:
        coordinates: Whether it is told dates and places, where the dataset knows them.
        metres: Ground size of a pixel; None takes the dataset's, after resizing. Where neither is
            known, the model's own code of "unknown" is used.
        bandwidths: Widths of bands in nm by their names, where the model's authors give none.
    """

    coordinates: bool = True
    metres: Metres | None = None
    bandwidths: dict[str, Nanometres] = Field(default_factory=dict)


class EarthLocOptions(MatchedOptions):
    """EarthLoc."""

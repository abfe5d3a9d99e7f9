"""What every dataset reader takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from iterate_core.registry.marks import AddedLater, AfterBackbone, AfterReading, HowOnly
from iterate_core.registry.options import Component

Positive = Annotated[int, Field(gt=0)]


class DataSection(Component):
    """What every dataset reader takes; a reader's own options are added by its subclass.

    Attributes:
        bands: The bands to use, by name and in this order; None takes all.
        units: The unit of a band's pixels, where the files say none or a wrong one: ``dn``
            (reflectance × 10,000), ``reflectance``, ``uint8``, ``fraction`` (8 bit ÷ 255), ``db``,
            ``linear``, ``metre``, … Only ``normalisation: backbone`` needs units.
        batch_size: Samples in a training step.
        eval_batch_size: Samples in an evaluation step; None takes `batch_size`.
        tile: Side in pixels of the square that each sample is cropped or padded to about its
            centre, so that samples of several sizes make one dataset; None refuses them.
        image_size: Height and width in pixels to which samples are resized (bilinear for images,
            nearest for masks); None keeps their own.
        normalisation: ``dataset`` (z-score with the training split's statistics), ``backbone``
            (what the backbone's weights were trained with), or ``none``.
        workers: Processes that prepare batches; 0 prepares them in the training process.
        share: Share of the training samples that is trained on, above 0 to 1, balanced over
            classes and the same for every seed; None takes all. What the files of a dataset define
            as a share of their own is a reader's option.
        shots: Samples of each class that are trained on, or as many as a class has, drawn anew for
            each seed. Where a sample holds several classes, at least so many. None takes all.
        epoch_samples: Training samples of an epoch, where it is to have fewer than there are: each
            epoch goes on in a random order where the last one stopped. None takes all.
    """

    bands: Annotated[tuple[str, ...] | None, AfterReading] = None
    units: Annotated[dict[str, str] | None, AfterReading] = None
    batch_size: Annotated[Positive, AfterReading, AfterBackbone] = 32
    eval_batch_size: Annotated[Positive | None, AfterReading, AfterBackbone] = None
    tile: Positive | None = None
    image_size: Annotated[Positive | None, AfterReading] = None
    normalisation: Annotated[Literal["dataset", "backbone", "none"], AfterReading] = "dataset"
    workers: Annotated[int, Field(ge=0), AfterReading, HowOnly] = 0
    share: Annotated[float | None, Field(gt=0, le=1), AfterReading, AfterBackbone] = None
    shots: Annotated[Positive | None, AfterReading, AfterBackbone] = None
    epoch_samples: Annotated[Positive | None, AfterReading, AfterBackbone, AddedLater] = None

    @field_validator("shots")
    @classmethod
    def _one_of_two(cls, value: int | None, known: ValidationInfo) -> int | None:
        if value is not None and known.data.get("share") is not None:
            raise ValueError("says how many training samples there are, and so does data.share")
        return value

    @classmethod
    def shipped_share(cls, root: Path, share: float) -> dict[str, Any]:
        """The options under which a dataset's own files define a share of its training samples.

        Args:
            root: Where they lie.
            share: Above 0 to 1.

        Returns:
            Empty where the files define none: then `share` draws one.
        """
        del root, share
        return {}

"""What every dataset reader takes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from iterate_core.registry.marks import AfterBackbone, AfterReading, HowOnly
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
        image_size: Height and width in pixels to which samples are resized (bilinear for images,
            nearest for masks); None keeps their own.
        normalisation: ``dataset`` (z-score with the training split's statistics), ``backbone``
            (what the backbone's weights were trained with), or ``none``.
        workers: Processes that prepare batches; 0 prepares them in the training process.
    """

    bands: Annotated[tuple[str, ...] | None, AfterReading] = None
    units: Annotated[dict[str, str] | None, AfterReading] = None
    batch_size: Annotated[Positive, AfterReading, AfterBackbone] = 32
    eval_batch_size: Annotated[Positive | None, AfterReading, AfterBackbone] = None
    image_size: Annotated[Positive | None, AfterReading] = None
    normalisation: Annotated[Literal["dataset", "backbone", "none"], AfterReading] = "dataset"
    workers: Annotated[int, Field(ge=0), AfterReading, HowOnly] = 0

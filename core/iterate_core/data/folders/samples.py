"""What is known of a folder's samples before any pixel is read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from iterate_core.data.dataset import Boxes, Split
from iterate_core.data.folders.rasters import Raster
from iterate_core.data.target import Array, Form


@dataclass(frozen=True)
class Modality:
    """Images of one kind, such as those of one sensor; see `FolderData` for its options.

    Attributes:
        name: For messages, and for bands whose names several modalities share.
        where: The YAML path of its options.
    """

    name: str
    where: str
    band_names: tuple[str, ...] | None
    sensor: str | None
    unit: str | None


@dataclass(frozen=True)
class FolderSample:
    """A sample of a folder.

    Attributes:
        name: Its identifier.
        images: Of each modality the files of its dates; one file where there are no dates.
        days: What the files' names say of the dates of `images`; None where they say nothing.
        split: Where folders or tables say.
        aliases: What split files may call it.
    """

    name: str
    images: tuple[tuple[Path, ...], ...]
    split: Split | None
    aliases: frozenset[str]
    days: tuple[tuple[str, ...], ...] | None = None


class Labels(Protocol):
    """What a folder's samples are labelled with.

    Attributes:
        task: What the labels are for.
        form: What one label is.
        classes: As in `DatasetInfo`.
        ignore_index: Likewise.
        finer: Likewise.
        files: That the labels come from, to tell when they change.
    """

    task: str
    form: Form
    classes: tuple[str, ...]
    ignore_index: int
    finer: int
    files: Collection[Path]

    def read(self, index: int, image: Raster) -> int | Array | Boxes:
        """The label of a sample, for its first image.

        Raises:
            DataError: Its file is damaged, or holds what no class explains.
        """

    def strata(self) -> list[int]:
        """For each sample a value that a random split keeps in proportion."""


@dataclass(frozen=True)
class Listing:
    """All that a folder holds.

    Attributes:
        root: The folder.
        samples: In their order.
        labels: Of the samples.
        modalities: Of the samples' images.
        notes: What to tell of the folder.
    """

    root: Path
    samples: Sequence[FolderSample]
    labels: Labels
    modalities: tuple[Modality, ...]
    notes: tuple[str, ...] = ()

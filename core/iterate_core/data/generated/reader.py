"""Generated datasets: 13 Sentinel-2 bands of plausible land cover, the same bytes for one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import Field, ValidationInfo, field_validator, model_validator

from iterate_core.data.dataset import SPLITS, DatasetInfo, Reader, Sample, Split
from iterate_core.data.generated.samples import (
    EDITION,
    Kind,
    SampleSpec,
    compares,
    draw,
    is_dated,
    refines,
    sample_name,
)
from iterate_core.data.generated.spectra import BANDS, METRES
from iterate_core.data.geobench_v1.reader import GeoBenchV1, GeoBenchV1Data
from iterate_core.data.geobench_v1.writer import NewDataset, writing
from iterate_core.data.options import DataSection, Positive
from iterate_core.errors import Problem, RequestError, WorkError
from iterate_core.faults import disk_error
from iterate_core.fingerprint import fingerprint
from iterate_core.registry.marks import HowOnly
from iterate_core.storage.cache import cache_folder
from iterate_core.storage.files import Locked, lock

_PATIENCE_SECONDS = 600.0
_LICENCE = "CC0-1.0"
_NO_FOLDER = (
    "a quantity a pixel or several dates are drawn as they are read: GeoBench v1's format holds "
    "neither"
)


class GeneratedData(DataSection):
    """A dataset that is drawn when it is first used.

    They are kept as a folder in GeoBench v1 format. That format holds neither several dates nor
    maps of a quantity: datasets of those are drawn as they are read.

    Attributes:
        kind: The task: whole scenes of one land cover; mosaics with the covers they show, with a
            mask, with what changed between two dates (or, as ``semantic_change``, what it became),
            with the shares of canopy and built-up land in percent (NaN where unknown), with
            each pixel's canopy cover in percent (NaN where it was not surveyed), or, for
            ``downscaling``, with blue, green, red and near infrared on a finer grid (NaN likewise).
        samples: Numbers of training, validation and test samples.
        size: Height and width in pixels of 10 m, in downscaling of `finer` times as many.
        frames: Dates of a sample, spread over a year in which leaves come and fall; of changes
            two, in summers some years apart; of downscaling one.
        finer: Of downscaling: cells of the finer grid along the side of a pixel, 2 (its default)
            or more.
        seed: Fixes every pixel.
        root: Where to keep it; None keeps it in the cache folder, named by its content.
    """

    name: Literal["generated"] = "generated"
    kind: Kind = "classification"
    samples: tuple[Positive, Positive, Positive] = (240, 80, 80)
    size: Annotated[int, Field(ge=16, le=512)] = 64
    frames: Annotated[int, Field(ge=1, le=24, validate_default=True)] = 1
    finer: Annotated[int, Field(ge=1, le=8, validate_default=True)] = 1
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    root: Annotated[Path | None, HowOnly] = None

    @model_validator(mode="before")
    @classmethod
    def _refined_unless_said(cls, values: Any) -> Any:
        """Downscaling is to a grid twice as fine where `finer` is not given."""
        if not isinstance(values, dict) or values.get("kind") not in get_args(Kind):
            return values
        return {"finer": 2, **values} if refines(values["kind"]) else values

    @field_validator("frames")
    @classmethod
    def _are_compared(cls, frames: int, known: ValidationInfo) -> int:
        kind = known.data.get("kind")
        if kind is not None and compares(kind) and frames != 2:
            raise ValueError("change lies between two dates: set frames: 2")
        if kind is not None and refines(kind) and frames != 1:
            raise ValueError("downscaling is of one date: leave frames out")
        return frames

    @field_validator("finer")
    @classmethod
    def _is_refined(cls, finer: int, known: ValidationInfo) -> int:
        kind = known.data.get("kind")
        if kind is not None and refines(kind) != (finer > 1):
            asked = "set finer: 2, or more" if refines(kind) else "leave finer out"
            raise ValueError(f"downscaling, and nothing else, is to a finer grid: {asked}")
        return finer

    @field_validator("root")
    @classmethod
    def _can_be_kept(cls, root: Path | None, known: ValidationInfo) -> Path | None:
        kind, frames = known.data.get("kind"), known.data.get("frames", 1)
        if root is not None and kind is not None and is_dated(kind, frames):
            raise ValueError(f"{_NO_FOLDER}; leave it out")
        return root

    @property
    def plan(self) -> SampleSpec:
        """What decides the pixels."""
        return SampleSpec(self.kind, self.size, self.frames, self.seed, self.finer)


def open_generated(section: GeneratedData) -> Reader:
    """Open a generated dataset; one that is not there yet is drawn when it is first read.

    Processes that want the same dataset at once wait for the one that draws it.

    Raises:
        RequestError: The folder cannot be written, or holds another dataset.
        DataError: The folder's files are damaged.
    """
    if section.plan.dated:
        return _Dated(section)
    root = section.root.expanduser() if section.root is not None else _default_root(section)
    if not (root / "dataset.json").exists():
        return _Undrawn(section, root)
    return _drawn(section, root)


def _drawn(section: GeneratedData, root: Path) -> Reader:
    options = section.model_dump(include=set(DataSection.model_fields) - {"name"})
    reader = GeoBenchV1(GeoBenchV1Data(root=root, **options))
    if reader.info.name != dataset_name(section):
        what = f"holds {reader.info.name!r}, not {dataset_name(section)!r}."
        raise RequestError(Problem(str(root), what, "Name another folder in data.root."))
    return reader


def _declared(section: GeneratedData) -> DatasetInfo:
    return DatasetInfo(
        name=dataset_name(section),
        task=section.plan.task,
        classes=section.plan.classes,
        bands=BANDS,
        sizes=dict(zip(SPLITS, section.samples, strict=True)),
        height=section.size,
        width=section.size,
        frames=section.frames,
        licence=_LICENCE,
        source=_source(section),
        unit=section.plan.unit,
        finer=section.finer,
    )


class _Dated:
    """A dataset whose samples are drawn as they are read; see `Reader`."""

    def __init__(self, section: GeneratedData) -> None:
        self._plan = section.plan
        self._identity = _identity(section)
        self.info = replace(_declared(section), metres=METRES)

    def names(self, split: Split) -> Sequence[str]:
        return [sample_name(split, index) for index in range(self.info.sizes[split])]

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        split, _, index = name.partition("_")
        sample = draw(self._plan, cast("Split", split), int(index))
        order = [[band.name for band in BANDS].index(band) for band in bands]
        return replace(sample, image=sample.image[order])

    def fingerprint(self) -> str:
        return self._identity


class _Undrawn:
    """A dataset that is declared and not drawn yet: a plan needs no pixels."""

    def __init__(self, section: GeneratedData, root: Path) -> None:
        self._section, self._root = section, root
        self.info = _declared(section)

    @cached_property
    def _reader(self) -> Reader:
        _generate_once(self._section, self._root)
        return _drawn(self._section, self._root)

    def names(self, split: Split) -> Sequence[str]:
        return self._reader.names(split)

    def read(self, name: str, bands: Sequence[str]) -> Sample:
        return self._reader.read(name, bands)

    def fingerprint(self) -> str:
        return self._reader.fingerprint()


def _source(section: GeneratedData) -> str:
    return f"generated, edition {EDITION}, seed {section.seed}"


def dataset_name(section: GeneratedData) -> str:
    """The name that the dataset is declared under; it tells all that decides the pixels."""
    return f"generated-{section.kind}-{_identity(section)}"


def generate(section: GeneratedData, out: Path) -> None:
    """Draw the dataset into a new folder in GeoBench v1 format.

    Raises:
        RequestError: The folder is taken or cannot be written, or the format cannot hold the
            dataset (see `GeneratedData`).
    """
    plan = section.plan
    if plan.dated:
        raise RequestError(Problem("kind", _NO_FOLDER))
    dataset = NewDataset(
        name=dataset_name(section),
        task=plan.task,
        classes=plan.classes,
        bands=BANDS,
        licence=_LICENCE,
        source=_source(section),
        finer=plan.finer,
    )
    with writing(out, dataset, section.seed) as writer:
        for split, count in zip(SPLITS, section.samples, strict=True):
            for index in range(count):
                sample = draw(plan, split, index)
                writer.add(split, sample.name, sample.image, sample.target)


def _identity(section: GeneratedData) -> str:
    content = section.model_dump(mode="json", include={"kind", "samples", "size", "seed"})
    frames = {"frames": section.frames} if section.frames > 1 else {}
    finer = {"finer": section.finer} if section.finer > 1 else {}
    return fingerprint({"edition": EDITION, **content, **frames, **finer})


def _default_root(section: GeneratedData) -> Path:
    return cache_folder() / "generated" / dataset_name(section)


def _generate_once(section: GeneratedData, root: Path) -> None:
    try:
        with lock(root.parent / f".{root.name}.lock", _PATIENCE_SECONDS):
            if not (root / "dataset.json").exists():
                generate(section, root)
    except Locked as error:
        raise WorkError(f"{root}: {error} has been generating it for too long.") from None
    except OSError as error:
        if (full := disk_error(error, root, "the generated dataset")) is not None:
            raise full from error
        hint = "Set data.root or ITERATE_CACHE to a folder that can be written."
        raise RequestError(
            Problem(str(root), f"cannot be written ({error.strerror}).", hint)
        ) from None

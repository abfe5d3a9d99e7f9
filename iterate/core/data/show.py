"""Looking at a dataset: a picture of samples, class counts, band statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from iterate.core.data.bands import match
from iterate.core.data.dataset import SPLITS, Band, Boxes, DatasetInfo, Reader, Sample, Split
from iterate.core.errors import Problem, RequestError
from iterate.core.files import replacing
from iterate.core.foreign import in_plot
from iterate.core.identity import seed_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 6


@dataclass(frozen=True)
class BandStatistics:
    """One band over the training samples that were read, in its unit."""

    band: Band
    mean: float
    std: float
    low: float
    high: float


@dataclass(frozen=True)
class Survey:
    """What reading the samples of a dataset shows.

    Attributes:
        read: How many samples of each split were read.
        counts: For each split, how many samples (for masks and maps: pixels; of objects: objects)
            are of each class.
        ignored: For each split, how many pixels of masks and maps do not count.
        bands: Statistics of each band.
    """

    read: dict[Split, int]
    counts: dict[Split, list[int]]
    ignored: dict[Split, int]
    bands: tuple[BandStatistics, ...]


def survey(reader: Reader, limit: int = 1000) -> Survey:
    """Read at most `limit` samples of each split, spread over it evenly.

    Raises:
        DataError: A sample is damaged.
    """
    info = reader.info
    moments = _Moments(len(info.bands))
    counts, ignored, read = {}, {}, {}
    for split in SPLITS:
        names = _spread(reader.names(split), limit)
        total = np.zeros(len(info.classes) + 1, dtype=np.int64)
        order = [band.name for band in info.bands] if split == "train" else [info.bands[0].name]
        for name in names:
            sample = reader.read(name, order)
            total += _count(sample, info)
            if split == "train":
                moments.add(sample.image)
        counts[split], ignored[split] = total[:-1].tolist(), int(total[-1])
        read[split] = len(names)
    return Survey(read, counts, ignored, moments.rows(info.bands))


def draw(reader: Reader, split: Split, out: Path, count: int = 18, seed: int = 0) -> None:
    """Write a PNG of samples: true colour where there is red, green and blue, else grey.

    Masks lie over the images in the colours of the legend; what does not count stays clear. Maps
    lie over them from dark to bright, objects as frames. Of several dates the last is drawn.

    Raises:
        RequestError: The picture cannot be written.
        DataError: A sample is damaged.
    """
    names = list(reader.names(split))
    rng = np.random.default_rng(seed_for("show", split, seed))
    chosen = sorted(rng.permutation(len(names))[:count])
    bands = visible_bands(reader.info)
    samples = [reader.read(names[index], [band.name for band in bands]) for index in chosen]
    if reader.info.task == "classification":
        samples.sort(key=lambda sample: int(np.asarray(sample.target)))
    figure = _figure(reader.info, split, samples, bands)
    try:
        with replacing(out) as part:
            figure.savefig(part, format="png", dpi=110)
    except OSError as error:
        raise RequestError(Problem(str(out), f"cannot be written ({error.strerror}).")) from None


def visible_bands(info: DatasetInfo) -> tuple[Band, ...]:
    """Red, green and blue by name where the dataset has them, else its first band."""
    found = [match(name, info.bands) for name in ("red", "green", "blue")]
    if all(len(bands) == 1 for bands in found):
        return tuple(bands[0] for bands in found)
    return info.bands[:1]


def stretched(images: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
    """(samples, height, width, bands) in [0, 1], each band from its 2nd to its 98th percentile."""
    pixels = np.stack(images).astype(np.float64)
    low, high = np.percentile(pixels, (2, 98), axis=(0, 2, 3), keepdims=True)
    scaled = np.clip((pixels - low) / np.maximum(high - low, 1e-12), 0.0, 1.0)
    return np.moveaxis(scaled, 1, -1)


def _figure(
    info: DatasetInfo, split: Split, samples: list[Sample], bands: tuple[Band, ...]
) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(samples))
    rows = -(-len(samples) // columns)
    figure = Figure(figsize=(1.9 * columns, 2.1 * rows + 1.0), layout="constrained")
    FigureCanvasAgg(figure)
    shown = ", ".join(band.name for band in bands)
    told = f"{info.name}: {split}, {info.height}×{info.width} px, {shown}"
    figure.suptitle(in_plot(told), fontsize=10)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    images = stretched([_last_date(sample.image) for sample in samples])
    for axis in axes:
        axis.set_axis_off()
    for axis, sample, image in zip(axes, samples, images, strict=False):
        axis.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=1)
        axis.set_title(in_plot(_title(sample, info)), fontsize=7)
        _draw_target(axis, sample.target, info)
    if info.task in ("segmentation", "detection", "instance"):
        _legend(figure, info, columns)
    return figure


def _last_date(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return image[:, -1] if image.ndim == 4 else image


def _draw_target(axis: Axes, target: Any, info: DatasetInfo) -> None:
    """What of a target lies in the image; nothing of a class of the whole image."""
    from matplotlib.patches import Rectangle

    if info.task == "segmentation":
        _overlay(axis, np.asarray(target), info)
    elif info.task == "regression":
        axis.imshow(np.ma.masked_invalid(target), alpha=0.6)
    elif isinstance(target, Boxes):
        palette = _palette(len(info.classes))
        for (left, top, right, bottom), label in zip(target.corners, target.labels, strict=True):
            place, size = (left - 0.5, top - 0.5), (right - left, bottom - top)
            axis.add_patch(Rectangle(place, *size, fill=False, edgecolor=palette[label]))


def _title(sample: Sample, info: DatasetInfo) -> str:
    if info.task == "classification":
        return info.classes[int(np.asarray(sample.target))]
    if info.task == "multilabel":
        chosen = np.flatnonzero(np.asarray(sample.target))
        return ", ".join(info.classes[index] for index in chosen)[:40]
    return sample.name


def _palette(count: int) -> npt.NDArray[np.float64]:
    from matplotlib import colormaps

    name = "tab10" if count <= 10 else "tab20"
    if count <= 20:
        return np.array(colormaps[name].colors)[:count]  # type: ignore[attr-defined]
    return colormaps["gist_rainbow"](np.linspace(0, 1, count))[:, :3]


def _overlay(axis: Axes, mask: npt.NDArray[Any], info: DatasetInfo) -> None:
    count = len(info.classes)
    layer = np.zeros((*mask.shape, 4))
    counted = (mask != info.ignore_index) & (mask < count)
    layer[counted, :3] = _palette(count)[mask[counted]]
    layer[counted, 3] = 0.45
    axis.imshow(layer, interpolation="nearest")


def _legend(figure: Figure, info: DatasetInfo, columns: int) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(color=tuple(colour), label=in_plot(name))
        for colour, name in zip(_palette(len(info.classes)), info.classes, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=7)


def _spread(names: Sequence[str], limit: int) -> list[str]:
    if len(names) <= limit:
        return list(names)
    return [names[int(index)] for index in np.linspace(0, len(names) - 1, limit)]


def _count(sample: Sample, info: DatasetInfo) -> npt.NDArray[np.int64]:
    """(classes + 1,): how much of each class, and last of what does not count."""
    if isinstance(sample.target, Boxes):
        return np.bincount(sample.target.labels, minlength=len(info.classes) + 1)
    target = np.asarray(sample.target)
    if info.task == "regression":
        missing = int(np.isnan(target).sum())
        return np.array([target.size - missing, missing], dtype=np.int64)
    if info.task == "multilabel":
        return np.append(target.astype(np.int64), 0)
    labels = np.where(target == info.ignore_index, len(info.classes), target)
    if info.task == "classification":
        labels = target
    return np.bincount(labels.ravel().astype(np.int64), minlength=len(info.classes) + 1)


class _Moments:
    """Mean, spread and range of each band; every image counts alike, all being of one size."""

    def __init__(self, bands: int) -> None:
        self._means: list[npt.NDArray[np.float64]] = []
        self._variances: list[npt.NDArray[np.float64]] = []
        self._low = np.full(bands, np.inf)
        self._high = np.full(bands, -np.inf)

    def add(self, image: npt.NDArray[Any]) -> None:
        pixels = image.reshape(len(image), -1).astype(np.float64)
        self._means.append(pixels.mean(axis=1))
        self._variances.append(pixels.var(axis=1))
        self._low = np.minimum(self._low, pixels.min(axis=1))
        self._high = np.maximum(self._high, pixels.max(axis=1))

    def rows(self, bands: tuple[Band, ...]) -> tuple[BandStatistics, ...]:
        """The law of total variance joins the images."""
        means = np.stack(self._means)
        mean = means.mean(axis=0)
        std = np.sqrt(np.stack(self._variances).mean(axis=0) + means.var(axis=0))
        columns = zip(bands, mean, std, self._low, self._high, strict=True)
        return tuple(
            BandStatistics(band, float(a), float(b), float(c), float(d))
            for band, a, b, c, d in columns
        )

"""A picture of a dataset's samples, each beside what it is labelled with."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.bands import match
from iterate_core.data.dataset import Band, Reader, Sample, Split
from iterate_core.data.inspect.stretch import stretched
from iterate_core.data.inspect.targets import BESIDE, draw_targets, plain
from iterate_core.data.store.validation import checked
from iterate_core.data.target import Target, target_of
from iterate_core.errors import Problem, RequestError
from iterate_core.fingerprint import seed_for
from iterate_core.storage.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from iterate_core.data.inspect.augmented import Augmenting

_IMAGES = 6  # in a row; half as many where a mask or map stands beside each
_SIDE = 1.9  # inches


def draw(
    reader: Reader,
    split: Split,
    out: Path,
    count: int = 18,
    seed: int = 0,
    augmenting: Augmenting | None = None,
) -> None:
    """Write a PNG of samples: true colour where there is red, green and blue, else grey.

    Masks and maps stand beside their images, in the colours of the legend or bar; objects are
    frames in them, and their masks tint what they cover. Of several dates the last is drawn.

    Args:
        reader: Of the dataset.
        split: Whose samples are drawn.
        out: The picture.
        count: How many, at most.
        seed: Fixes which.
        augmenting: Each sample is followed by what this makes of it in the first epochs.

    Raises:
        RequestError: The picture cannot be written, or the augmentation does not fit the dataset.
        DataError: A sample is damaged, or not what the dataset declares.
    """
    from matplotlib import rc_context

    names = list(reader.names(split))
    rng = np.random.default_rng(seed_for("show", split, seed))
    chosen = np.sort(rng.permutation(len(names))[:count])
    bands, target = visible_bands(reader.info.bands), target_of(reader.info)
    read = bands if augmenting is None else reader.info.bands
    order = [band.name for band in read]
    samples = [checked(reader.read(names[index], order), target) for index in chosen]
    if target.form == "index":
        by_class = np.argsort([int(np.asarray(each.target)) for each in samples], kind="stable")
        chosen, samples = chosen[by_class], [samples[index] for index in by_class]
    if augmenting is not None:
        samples = _augmented(samples, chosen, len(names), target, augmenting)
        shown = [read.index(band) for band in bands]
        samples = [replace(sample, image=sample.image[shown]) for sample in samples]
    together = len(samples) // min(count, len(names))
    # Names are a stranger's: no formula is set in them, and no font has every letter.
    with rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = _figure(target, split, samples, bands, together)
        try:
            with replacing(out) as part:
                figure.savefig(part, format="png", dpi=110)
        except OSError as error:
            what = f"cannot be written ({error.strerror})."
            raise RequestError(Problem(str(out), what)) from None


def visible_bands(bands: tuple[Band, ...]) -> tuple[Band, ...]:
    """Red, green and blue by name where they are among some bands, else the first of these."""
    found = [match(name, bands) for name in ("red", "green", "blue")]
    if all(len(each) == 1 for each in found):
        return tuple(each[0] for each in found)
    return bands[:1]


def _augmented(
    samples: list[Sample],
    rows: npt.NDArray[np.int64],
    count: int,
    target: Target,
    augmenting: Augmenting,
) -> list[Sample]:
    from iterate_core.data.inspect.augmented import with_versions

    problems = augmenting.section.problems(target.info)
    if problems:
        raise RequestError(problems)
    return with_versions(samples, rows, count, target, augmenting)


def _figure(
    target: Target, split: Split, samples: list[Sample], bands: tuple[Band, ...], together: int
) -> Figure:
    """The picture of samples, of which so many in a row belong together."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    info, width = target.info, 2 if target.form in BESIDE else 1
    columns = min(_IMAGES // width // together * together, len(samples))
    rows = -(-len(samples) // columns)
    size = (_SIDE * width * columns, (_SIDE * info.height / info.width + 0.2) * rows + 0.7)
    figure = Figure(figsize=(max(size[0], 4.0), size[1]))
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained", h_pad=0.03, w_pad=0.03, wspace=0.02, hspace=0.02)
    shown = ", ".join(band.name for band in bands)
    title = f"{info.name}: {split}, {info.height}×{info.width} px, {shown}"
    figure.suptitle(plain(title, 14 * round(size[0])), fontsize=10)
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axis in axes:
        axis.set_axis_off()
    images = stretched([last_date(sample.image) for sample in samples], together)
    for number, (axis, sample, image) in enumerate(zip(axes, samples, images, strict=False)):
        axis.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=1)
        version = number % together
        title = f"in epoch {version}" if version else plain(_title(sample, target))
        axis.set_title(title, fontsize=7, loc="left", pad=3)
    draw_targets(figure, axes[: len(samples)], [sample.target for sample in samples], target)
    return figure


def last_date(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(bands, height, width) of an image that may be of several dates."""
    return image[:, -1] if image.ndim == 4 else image


def _title(sample: Sample, target: Target) -> str:
    title = target.title(sample.target)
    return sample.name if title is None else title

"""Predictions drawn beside their images and the truth, as small PNG files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from iterate_core.data.dataset import Band, DatasetInfo
from iterate_core.data.inspect.show import last_date, visible_bands
from iterate_core.data.inspect.stretch import stretched
from iterate_core.data.inspect.targets import palette
from iterate_core.data.target import Target

_SIDE = 256  # pixels of a picture's longer side, at most
_SMALL = 128  # below which frames of objects are drawn on an enlarged image
_GREY = (127, 127, 127)
_WRONG, _RIGHT = (213, 94, 0), (225, 228, 226)

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """A picture of a sample.

    Attributes:
        title: What it shows: ``image`` (or ``first date``, ``last date``), ``truth``,
            ``prediction``, ``where wrong``.
        png: The file's content.
    """

    title: str
    png: bytes


def draw_predictions(
    images: npt.NDArray[Any],
    bands: tuple[Band, ...],
    targets: Sequence[Any],
    predicted: Sequence[Any],
    of: Target,
) -> list[list[Picture]]:
    """The pictures of each of some samples.

    The image comes first, in true colour where there is red, green and blue, else grey; of several
    dates the first and the last. Then, of masks and maps, the truth, the prediction and where it is
    wrong (of a quantity by how much); what does not count is grey. Of maps of several quantities
    those in red, green and blue are one picture, else the first is drawn. Objects are frames in the
    image.

    Args:
        images: (n, bands, …, height, width) in the files' units.
        bands: Of the images, in their order.
        targets: As the reader gives them; see `Target.unpacked`.
        predicted: Of each sample a class index or mask, quantities, or objects as
            `iterate_core.data.dataset.Boxes`.
        of: The dataset's.
    """
    shown = [bands.index(band) for band in visible_bands(bands)]
    dated = images.ndim > 4
    seen = [last_date(image)[shown] for image in images]
    if dated:
        seen = [each for pair in zip(images[:, shown, 0], seen, strict=True) for each in pair]
    bright = stretched(seen)
    grounds = [_bytes(np.broadcast_to(image, (*image.shape[:2], 3))) for image in bright]
    first, grounds = (grounds[::2], grounds[1::2]) if dated else ([], grounds)
    if of.form == "objects":
        return [
            [
                Picture("truth", _framed(ground, truth, of.info)),
                Picture("prediction", _framed(ground, told, of.info)),
            ]
            for ground, truth, told in zip(grounds, targets, predicted, strict=True)
        ]
    pictures = [[Picture("last date" if dated else "image", _png(ground))] for ground in grounds]
    for row, ground in zip(pictures, first, strict=False):
        row.insert(0, Picture("first date", _png(ground)))
    if of.form == "mask":
        for row, truth, told in zip(pictures, targets, predicted, strict=True):
            row.extend(_masks(np.asarray(truth), np.asarray(told), of.info))
    elif of.form in ("map", "maps"):
        drawn = _finer(targets, predicted, of.info) if of.form == "maps" else None
        for row, maps in zip(pictures, drawn or _maps(targets, predicted), strict=True):
            row.extend(maps)
    return pictures


def class_colours(info: DatasetInfo, *, clear: bool) -> list[str]:
    """The colour of each class in these pictures, as CSS says it.

    Args:
        info: The dataset.
        clear: Whether a background class is white, as in masks.
    """
    rows = np.rint(palette(info.classes, clear=clear)[:, :3] * 255).astype(int)
    return ["#{:02x}{:02x}{:02x}".format(*row) for row in rows]


def quantity_range(truths: Sequence[npt.NDArray[Any]]) -> tuple[float, float]:
    """The least and the greatest quantity that maps are drawn between: all but a hundredth each."""
    known = np.concatenate([np.ravel(truth)[np.isfinite(np.ravel(truth))] for truth in truths])
    low, high = np.percentile(known, (1, 99)) if known.size else (0.0, 1.0)
    return float(low), float(high)


def _masks(truth: npt.NDArray[Any], told: npt.NDArray[Any], info: DatasetInfo) -> list[Picture]:
    counted = (truth != info.ignore_index) & (truth >= 0) & (truth < len(info.classes))
    colours = np.rint(palette(info.classes, clear=True)[:, :3] * 255).astype(np.uint8)
    there = np.full((*truth.shape, 3), _GREY, dtype=np.uint8)
    there[counted] = colours[truth[counted]]
    wrong = np.where((told != truth)[..., None], _WRONG, _RIGHT)
    wrong[~counted] = _GREY
    return [
        Picture("truth", _png(there, smooth=False)),
        Picture("prediction", _png(colours[told], smooth=False)),
        Picture("where wrong", _png(wrong.astype(np.uint8), smooth=False)),
    ]


def _maps(targets: Sequence[Any], predicted: Sequence[Any]) -> list[list[Picture]]:
    """Quantities from dark to bright, alike in all pictures."""
    from matplotlib import colormaps

    truths = [np.asarray(truth, dtype=np.float64) for truth in targets]
    low, high = quantity_range(truths)
    span = max(high - low, 1e-12)

    def drawn(values: npt.NDArray[Any], name: str, centre: float, width: float) -> bytes:
        shades = colormaps[name](np.clip((values - centre) / width, 0.0, 1.0))[..., :3]
        pixels = _bytes(np.nan_to_num(shades))
        pixels[~np.isfinite(values)] = _GREY
        return _png(pixels, smooth=False)

    rows = []
    for truth, each in zip(truths, predicted, strict=True):
        told = np.asarray(each, dtype=np.float64)
        rows.append(
            [
                Picture("truth", drawn(truth, "viridis", low, span)),
                Picture("prediction", drawn(told, "viridis", low, span)),
                Picture("prediction − truth", drawn(told - truth, "RdBu_r", -span / 2, span)),
            ]
        )
    return rows


def _finer(
    targets: Sequence[Any], predicted: Sequence[Any], info: DatasetInfo
) -> list[list[Picture]]:
    """Maps of several quantities, the truth and the prediction alike bright."""
    common = {band.name: band.common for band in info.bands}
    names = [common.get(name) for name in info.classes]
    if not {"red", "green", "blue"} <= set(names):
        return _maps([truth[0] for truth in targets], [told[0] for told in predicted])
    chosen = [names.index(name) for name in ("red", "green", "blue")]
    both = [
        np.asarray(each)[chosen] for pair in zip(targets, predicted, strict=True) for each in pair
    ]
    bright = stretched([_filled(each) for each in both], 2)
    pixels = [_bytes(each) for each in bright]
    for picture, values in zip(pixels, both, strict=True):
        picture[np.isnan(values).any(axis=0)] = _GREY
    return [
        [Picture("truth", _png(truth)), Picture("prediction", _png(told))]
        for truth, told in zip(pixels[::2], pixels[1::2], strict=True)
    ]


def _filled(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """What is unknown as bright as the mean of what is known, band by band."""
    known = ~np.isnan(values)
    means = [
        band[there].mean() if there.any() else 0.0
        for band, there in zip(values, known, strict=True)
    ]
    return np.where(known, values, np.array(means)[:, None, None])


def _framed(ground: Pixels, boxes: Any, info: DatasetInfo) -> bytes:
    """Objects in their image: a frame each, and its mask as a tint."""
    colours = np.rint(palette(info.classes)[:, :3] * 255).astype(np.uint8)
    ground = ground.copy()
    if boxes.masks is not None:
        for mask, label in zip(boxes.masks, boxes.labels, strict=True):
            inside = np.asarray(mask) > 0
            ground[inside] = ground[inside] // 2 + colours[label] // 2
    times = max(1, -(-_SMALL // max(ground.shape[:2])))
    image = Image.fromarray(ground.repeat(times, axis=0).repeat(times, axis=1))
    pen = ImageDraw.Draw(image)
    for corners, label in zip(boxes.corners, boxes.labels, strict=True):
        left, top, right, bottom = (float(corner) * times for corner in corners)
        pen.rectangle(
            (left, top, max(left, right - 1), max(top, bottom - 1)), None, _css(colours[label]), 2
        )
    return _file(image)


def _css(colour: Pixels) -> tuple[int, int, int]:
    red, green, blue = map(int, colour)
    return red, green, blue


def _bytes(shares: npt.NDArray[Any]) -> Pixels:
    pixels: Pixels = np.rint(np.asarray(shares) * 255).astype(np.uint8)
    return pixels


def _png(pixels: Pixels, *, smooth: bool = True) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if max(image.size) > _SIDE:
        scale = _SIDE / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        ways = Image.Resampling
        image = image.resize(size, ways.LANCZOS if smooth else ways.NEAREST)
    return _file(image)


def _file(image: Image.Image) -> bytes:
    if max(image.size) > _SIDE:
        image.thumbnail((_SIDE, _SIDE))
    into = io.BytesIO()
    image.save(into, "PNG", optimize=True)
    return into.getvalue()

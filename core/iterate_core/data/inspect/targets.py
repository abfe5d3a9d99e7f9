"""How a sample's target is drawn: masks and maps beside its image, objects in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.dataset import Boxes, DatasetInfo
from iterate_core.data.inspect.stretch import stretched
from iterate_core.data.target import Target
from iterate_core.escaping import in_plot, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

BESIDE = ("mask", "map", "maps")
"""The forms of target that are pictures themselves."""

_GREY = "0.5"
_HATCHED: dict[str, Any] = {"facecolor": "white", "edgecolor": _GREY, "hatch": "//////"}
_TINT = 0.5  # opacity of an object's mask over its image
_GAP = 0.03  # between an image and its target, as a share of its width
_BACKGROUND = re.compile(r"(back ?ground|no[- _]|not[- _]|non[- _])", re.IGNORECASE)


def draw_targets(figure: Figure, axes: Sequence[Axes], targets: Sequence[Any], of: Target) -> None:
    """Draw what can be drawn of each target: nothing of a class of the whole image."""
    if of.form == "map":
        _draw_maps(figure, axes, [np.asarray(target) for target in targets], of.info)
    elif of.form == "maps":
        _draw_finer(figure, axes, [np.asarray(target) for target in targets], of.info)
    elif of.form == "mask":
        for axis, mask in zip(axes, targets, strict=True):
            _draw_mask(axis, np.asarray(mask), of.info)
        _legend(figure, targets, of.info, masks=True)
    elif of.form == "objects":
        for axis, boxes in zip(axes, targets, strict=True):
            _draw_boxes(axis, boxes, of.info)
        _legend(figure, [boxes.labels for boxes in targets], of.info, masks=False)


def _draw_mask(axis: Axes, mask: npt.NDArray[Any], info: DatasetInfo) -> None:
    """Classes in the colours of the legend; what does not count is hatched."""
    layer = np.zeros((*mask.shape, 4))
    counted = (mask != info.ignore_index) & (mask >= 0) & (mask < len(info.classes))
    layer[counted] = palette(info.classes, clear=True)[mask[counted]]
    _beside(axis, layer, info, interpolation="nearest")


def _draw_maps(
    figure: Figure, axes: Sequence[Axes], maps: Sequence[npt.NDArray[Any]], info: DatasetInfo
) -> None:
    """A quantity from dark to bright, alike in all maps, with its bar; the unknown is hatched."""
    known = np.concatenate([values[np.isfinite(values)] for values in maps])
    low, high = np.percentile(known, (1, 99)) if known.size else (0.0, 1.0)
    for axis, values in zip(axes, maps, strict=True):
        shown = np.ma.masked_invalid(values)
        drawn = _beside(axis, shown, info, vmin=low, vmax=high, cmap="viridis")
    bar = figure.colorbar(
        drawn, ax=list(axes), location="bottom", extend="both", shrink=0.5, aspect=40, pad=0.01
    )
    bar.set_label(quantity(info), fontsize=8)
    bar.ax.tick_params(labelsize=7)


def _draw_finer(
    figure: Figure, axes: Sequence[Axes], maps: Sequence[npt.NDArray[Any]], info: DatasetInfo
) -> None:
    """True colour where red, green and blue are among the quantities, else the first of them."""
    common = {band.name: band.common for band in info.bands}
    names = [common.get(name) for name in info.classes]
    if not {"red", "green", "blue"} <= set(names):
        _draw_maps(figure, axes, [values[0] for values in maps], info)
        return
    chosen = [values[[names.index(name) for name in ("red", "green", "blue")]] for values in maps]
    known = [~np.isnan(values).any(axis=0) for values in chosen]
    pictures = stretched([np.nan_to_num(values) for values in chosen])
    for axis, picture, opaque in zip(axes, pictures, known, strict=True):
        _beside(axis, np.dstack((picture, opaque)), info)


def _beside(axis: Axes, picture: npt.NDArray[Any], info: DatasetInfo, **options: Any) -> AxesImage:
    """Draw a picture to the right of the one that an axes holds, as large, on a hatched ground."""
    from matplotlib.patches import Rectangle

    height, width = info.height, info.width
    left = width * (1 + _GAP) - 0.5
    place = (left, -0.5)
    axis.add_patch(Rectangle(place, width, height, **_HATCHED, linewidth=0, zorder=0))
    frame = Rectangle(place, width, height, fill=False, edgecolor=_GREY, linewidth=0.7, zorder=2)
    frame.set_clip_on(False)
    axis.add_patch(frame)
    drawn = axis.imshow(
        picture, extent=(left, left + width, height - 0.5, -0.5), zorder=1, **options
    )
    axis.set_xlim(-0.5, left + width)
    return drawn


def quantity(info: DatasetInfo) -> str:
    """A quantity with its unit: ``canopy cover in percent [%]``."""
    return info.classes[0] if info.unit is None else f"{info.classes[0]} [{info.unit}]"


def _draw_boxes(axis: Axes, boxes: Boxes, info: DatasetInfo) -> None:
    """A frame around each object, in the colour of its class, which tints its mask too."""
    from matplotlib.patches import Rectangle

    colours = palette(info.classes)
    if boxes.masks is not None and len(boxes.masks):
        layer = np.zeros((*boxes.masks.shape[1:], 4))
        for mask, label in zip(boxes.masks, boxes.labels, strict=True):
            layer[mask > 0] = (*colours[label][:3], _TINT)
        axis.imshow(layer, interpolation="nearest")
    for (left, top, right, bottom), label in zip(boxes.corners, boxes.labels, strict=True):
        place, size = (left - 0.5, top - 0.5), (right - left, bottom - top)
        axis.add_patch(Rectangle(place, *size, fill=False, edgecolor=colours[label]))


def _legend(figure: Figure, found: Sequence[Any], info: DatasetInfo, *, masks: bool) -> None:
    """The classes that the drawn targets hold, and how what does not count is drawn."""
    from matplotlib.patches import Patch

    present = {int(label) for labels in found for label in np.unique(labels)}
    named = zip(palette(info.classes, clear=masks), info.classes, strict=True)
    handles = [
        Patch(facecolor=tuple(colour), edgecolor=_GREY, linewidth=0.5, label=plain(name))
        for label, (colour, name) in enumerate(named)
        if label in present
    ]
    if masks and info.ignore_index in present:
        handles.append(Patch(**_HATCHED, label=f"does not count ({info.ignore_index})"))
    longest = max((len(str(handle.get_label())) for handle in handles), default=1)
    columns = max(1, int(figure.get_figwidth() / (0.5 + 0.075 * longest)))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, fontsize=7, frameon=False
    )


def palette(classes: Sequence[str], *, clear: bool = False) -> npt.NDArray[np.float64]:
    """(classes, 4) red, green, blue and opacity; if asked, a background class is white."""
    from matplotlib import colormaps

    count = len(classes)
    if count <= 20:
        colours = colormaps["tab10" if count <= 10 else "tab20"](np.arange(count))
    else:
        colours = colormaps["gist_rainbow"](np.linspace(0, 1, count))
    if clear and _BACKGROUND.match(classes[0]):
        colours = np.vstack([np.ones(4), colours[: count - 1]])
    return np.asarray(colours, dtype=np.float64)


def plain(text: str, longest: int = 34) -> str:
    """Foreign text as a picture shows it: short, and as it is."""
    seen = visible(text)
    return in_plot(seen if len(seen) <= longest else f"{seen[: longest - 1]}…")

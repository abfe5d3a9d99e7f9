"""What a finer map is without a model, and how far training targets depart from that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from iterate_core.data.dataset import Band
from iterate_core.data.loading.tensors import tensor, widened
from iterate_core.data.store.moments import Moments
from iterate_core.data.store.pack import Pack
from iterate_core.data.target import Target
from iterate_core.data.units import UNITS
from iterate_core.heartbeat import beat
from iterate_core.storage import memory

_CHUNK = 64  # samples that are interpolated at once


def own_bands(quantities: Sequence[str], bands: Sequence[Band]) -> tuple[int | None, ...]:
    """Of each quantity the index of the band that bears its name; None where there is none."""
    names = [band.name for band in bands]
    return tuple(names.index(name) if name in names else None for name in quantities)


def interpolated(
    images: Tensor, bands: Sequence[Band], target: Target, means: npt.NDArray[np.float64]
) -> Tensor:
    """The baseline of a batch: see `iterate_core.tasks.downscaling.declarations`.

    With ``antialias`` PyTorch takes Keys' kernel with a = -0.5, as Pillow and Matlab do; without,
    another.

    Args:
        images: (n, bands, …, height, width) as stored; between there may be dates.
        bands: Of the images, in their order.
        target: Of the dataset.
        means: (quantities,) of the known training targets.

    Returns:
        (n, quantities, height, width) float32 on the targets' grid.
    """
    info = target.info
    grid = target.grid((info.height, info.width))
    everywhere = torch.from_numpy(means).float().to(images.device)
    made = everywhere[:, None, None].expand(images.shape[0], -1, *grid).clone()
    own = own_bands(info.classes, bands)
    there = [quantity for quantity, band in enumerate(own) if band is not None]
    if there:
        chosen = images[:, [band for band in own if band is not None]].float()
        flat = chosen.mean(dim=2) if chosen.ndim == 5 else chosen
        made[:, there] = functional.interpolate(
            flat.contiguous(), size=grid, mode="bicubic", antialias=True
        )
    return made


@dataclass(frozen=True)
class Departures:
    """What training targets tell; see `departures`.

    Attributes:
        deviations: (quantities,) root mean squares of targets less their baseline; 1 for 0.
        lows: (quantities,) lower ends of the ranges that scores are relative to.
        ranges: (quantities,) how far they reach; above 0.
    """

    deviations: npt.NDArray[np.float64]
    lows: npt.NDArray[np.float64]
    ranges: npt.NDArray[np.float64]


def departures(pack: Pack) -> Departures:
    """Read over the training split, once in a process."""
    key = ("departures", str(pack.folder))
    return memory.arrays.get(key, lambda: _read(pack), lambda found: 3 * found.lows.nbytes)


def _read(pack: Pack) -> Departures:
    images, targets = pack.images("train"), np.asarray(pack.targets("train"))
    quantities = len(pack.info.classes)
    moments = [Moments(1) for _ in range(quantities)]
    low, high = np.full(quantities, np.inf), np.full(quantities, -np.inf)
    for start in range(0, len(images), _CHUNK):
        beat()
        chunk = slice(start, start + _CHUNK)
        raw = widened(tensor(np.array(images[chunk])), images.dtype)
        wanted = np.array(targets[chunk])
        apart = wanted - interpolated(raw, pack.bands, pack.target, pack.target_mean).numpy()
        for index in range(quantities):
            known = ~np.isnan(wanted[:, index])
            moments[index].add(apart[:, index][known][None])
            low[index] = wanted[:, index].min(where=known, initial=low[index])
            high[index] = wanted[:, index].max(where=known, initial=high[index])
    mean = np.concatenate([each.mean for each in moments])
    std = np.concatenate([each.std for each in moments])
    deviations = np.hypot(mean, std)
    lows, ranges = _ranges(pack, low, high)
    return Departures(np.where(deviations > 0, deviations, 1.0), lows, ranges)


def _ranges(
    pack: Pack, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The units' own ranges, and of those without that of the training targets."""
    units = [UNITS.get(unit or "") for unit in units_of(pack)]
    spans = np.array([np.nan if unit is None else unit.span or np.nan for unit in units])
    stated = ~np.isnan(spans)
    found = np.where(high > low, high - low, 1.0)
    return np.where(stated, 0.0, low), np.where(stated, spans, found)


def units_of(pack: Pack) -> tuple[str | None, ...]:
    """The unit of each quantity: the dataset's, or that of its own band."""
    return tuple(
        pack.info.unit or (None if band is None else pack.bands[band].unit)
        for band in own_bands(pack.info.classes, pack.bands)
    )

"""What the encoders' parity tests and the script that makes their references agree on.

Weights and inputs are drawn from their names, so that both sides have the same ones and only
outputs need to be kept. Imports numpy and torch alone: the script runs where `iterate` is not
installed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Array = npt.NDArray[np.float32]
REFERENCES = Path(__file__).parents[1] / "references" / "encoders"
KEPT = 500
"""How many numbers of each layer's tokens are kept."""


def raw(name: str, count: int) -> npt.NDArray[np.uint64]:
    """Random bits that belong to a name; NumPy keeps the streams of bit generators stable."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    bits: npt.NDArray[np.uint64] = np.random.Philox(key=seed).random_raw(count)
    return bits


def numbers(name: str, shape: Sequence[int]) -> Array:
    """Uniform numbers of mean 0 and variance 1 that belong to a name."""
    unit = (raw(name, math.prod(shape)) >> np.uint64(11)) * 2.0**-53
    return ((2 * unit - 1) * math.sqrt(3)).astype(np.float32).reshape(shape)


def weight(name: str, shape: Sequence[int]) -> Tensor:
    """A parameter of a size that keeps signals small.

    Rounding differs between builds of PyTorch in proportion to them.
    """
    drawn = torch.from_numpy(numbers(name, shape))
    if name.endswith("bias"):
        return 0.2 * drawn
    if not name.endswith("weight"):
        return 0.5 * drawn
    return 1 + 0.2 * drawn if len(shape) == 1 else 0.5 * drawn / math.sqrt(math.prod(shape[1:]))


def fill(module: nn.Module) -> None:
    """Draw every parameter; buffers stay the module's own, so that its tables are compared."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(weight(name, parameter.shape))


def kept(tokens: Tensor, name: str) -> Array:
    """The numbers of one layer's tokens that are kept, at places that belong to the name."""
    flat = tokens.detach().flatten().numpy()
    places = raw(name, KEPT) % np.uint64(flat.size)
    return np.asarray(flat[places.astype(np.int64)], dtype=np.float32)


@dataclass(frozen=True)
class Case:
    """One input to one model.

    Attributes:
        model: A key of `MODELS`, and the reference file's name.
        size: Of the images.
        frames: Of the images, where they have any.
        built: Frames that the model is built for.
        time: Whether dates are given.
        place: Whether locations are given.
        bands: Names in `WAVELENGTHS`, where the model takes wavelengths.
        gsd: Metres per pixel.
        modalities: That the model is built with.
        given: Those that images have; all if empty.
        merging: How they are merged.
    """

    model: str
    size: tuple[int, int]
    frames: int = 1
    built: int = 1
    time: bool = False
    place: bool = False
    bands: tuple[str, ...] = ()
    gsd: float = 1.0
    modalities: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    merging: str = "mean"

    @property
    def name(self) -> str:
        parts: list[Any] = [f"{self.size[0]}x{self.size[1]}"]
        parts += [f"{self.frames}of{self.built}"] if self.model.startswith("prithvi") else []
        parts += [word for word, on in (("time", self.time), ("place", self.place)) if on]
        parts += [f"{len(self.bands)}bands", f"{self.gsd:g}m"] if self.bands else []
        parts += [*self.modalities, self.merging] if self.modalities else []
        parts += ["given", *self.given] if self.given else []
        return "-".join(parts)


# Reduced in width and depth where that keeps every path of the architecture; the tiny ones whole.
MODELS: dict[str, dict[str, Any]] = {
    "prithvi_v1_100": {"width": 96, "depth": 3, "heads": 6, "patch": 16, "coordinates": False},
    "prithvi_v2_tiny_tl": {"width": 192, "depth": 12, "heads": 3, "patch": 16, "coordinates": True},
    "prithvi_v2_300_tl": {"width": 128, "depth": 4, "heads": 4, "patch": 16, "coordinates": True},
    "prithvi_v2_600_tl": {"width": 160, "depth": 3, "heads": 2, "patch": 14, "coordinates": True},
    "terramind_v1_tiny": {"width": 192, "depth": 12, "heads": 3, "gated": False},
    "terramind_v1_small": {"width": 384, "depth": 2, "heads": 6, "gated": False},
    "terramind_v1_base": {"width": 192, "depth": 3, "heads": 6, "gated": True},
    "clay_v1": {"width": 96, "depth": 3, "heads": 3},
    "clay_v1_5": {"width": 128, "depth": 4, "heads": 4},
    "dofa_base": {"width": 96, "depth": 3, "heads": 6, "patch": 16},
    "dofa_huge": {"width": 128, "depth": 2, "heads": 4, "patch": 14},
}
CHANNELS = {"S2L2A": 12, "S2L1C": 13, "S1GRD": 2, "S1RTC": 2, "RGB": 3, "DEM": 1}
WAVELENGTHS = {
    "blue": 0.493,
    "green": 0.56,
    "red": 0.665,
    "nir": 0.842,
    "swir16": 1.61,
    "swir22": 2.19,
    "vv": 3.5,
    "vh": 4.0,
    "c": 5.405,
}
_OPTICAL = ("blue", "green", "red", "nir", "swir16", "swir22")


def _prithvi(model: str) -> list[Case]:
    side = 16 * 14 if MODELS[model]["patch"] == 16 else 14 * 16
    native, other = (side, side), (side // 2, side)
    cases = [
        Case(model, native),
        Case(model, other),
        Case(model, native, frames=3, built=3),
        Case(model, other, frames=3, built=3),
        Case(model, native, frames=3, built=1),
        Case(model, (side // 2, side // 2), frames=2, built=3),
    ]
    if MODELS[model]["coordinates"]:
        cases += [
            Case(model, native, time=True, place=True),
            Case(model, native, frames=3, built=3, time=True),
            Case(model, native, frames=3, built=3, place=True),
            Case(model, other, frames=3, built=3, time=True, place=True),
        ]
    return cases


def _terramind(model: str) -> list[Case]:
    native, other = (224, 224), (160, 160)
    pair = ("S2L2A", "S1GRD")
    return [
        Case(model, native, modalities=("S2L2A",)),
        Case(model, other, modalities=("S2L2A",)),
        Case(model, native, modalities=pair),
        Case(model, other, modalities=pair),
        Case(model, (256, 256), modalities=pair, merging="max"),
        Case(model, native, modalities=pair, merging="concat"),
        Case(model, native, modalities=pair, merging="concat", given=("S2L2A",)),
        Case(model, (112, 112), modalities=tuple(CHANNELS)),
    ]


def _clay(model: str) -> list[Case]:
    native, other = (256, 256), (128, 128)
    return [
        Case(model, native, bands=_OPTICAL),
        Case(model, native, bands=_OPTICAL, gsd=10.0, time=True, place=True),
        Case(model, native, bands=("vv", "vh"), gsd=30.0),
        Case(model, other, bands=_OPTICAL[:3], gsd=0.5, place=True),
        Case(model, other, bands=_OPTICAL, gsd=10.0, time=True),
    ]


def _dofa(model: str) -> list[Case]:
    native, other = (224, 224), (448, 448)
    return [
        Case(model, native, bands=_OPTICAL),
        Case(model, native, bands=_OPTICAL[:3]),
        Case(model, native, bands=("c", "c")),
        Case(model, other, bands=_OPTICAL),
    ]


CASES = [
    case
    for model in MODELS
    for case in {"prithvi": _prithvi, "terramind": _terramind, "clay": _clay, "dofa": _dofa}[
        model.split("_")[0]
    ](model)
]


def images(case: Case) -> Tensor:
    """(2, bands, height, width), with frames in third place for Prithvi."""
    channels = len(case.bands) or 6
    shape = (2, channels, *case.size)
    if case.model.startswith("prithvi"):
        shape = (2, channels, case.frames, *case.size)
    return torch.from_numpy(numbers(f"images {case.name}", shape))


def modality_images(case: Case) -> dict[str, Tensor]:
    """(2, bands, height, width) of each modality that is given."""
    return {
        name: torch.from_numpy(numbers(f"images {name}", (2, CHANNELS[name], *case.size)))
        for name in case.given or case.modalities
    }


def dates(case: Case) -> Tensor | None:
    """(2, frames, 2) years and days of the year."""
    first = torch.tensor([[[2017.0, 3.0]], [[2023.0, 288.0]]])
    later = torch.tensor([[1.0, 31.0]]) * torch.arange(case.frames)[:, None]
    return first + later if case.time else None


def locations(case: Case) -> Tensor | None:
    """(2, 2) latitudes and longitudes in degrees."""
    return torch.tensor([[46.95, 7.44], [-33.86, -151.2]]) if case.place else None


def circular(case: Case, which: str) -> Tensor | None:
    """(2, 4) sines and cosines of two angles, as Clay takes time and location."""
    if not getattr(case, which):
        return None
    angles = torch.from_numpy(numbers(f"angles {which}", (2, 2)))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def wavelengths(case: Case) -> list[float]:
    """Of the case's bands, in µm."""
    return [WAVELENGTHS[band] for band in case.bands]

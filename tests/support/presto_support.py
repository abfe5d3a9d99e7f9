"""What Presto's parity tests and the script that makes their reference agree on.

Imports numpy and torch alone, as `encoders_support` does.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from encoders_support import REFERENCES, numbers
from torch import Tensor

REFERENCE = REFERENCES / "presto.npz"
GROUPS = {
    "S1": (0, 1),
    "S2_RGB": (2, 3, 4),
    "S2_Red_Edge": (5, 6, 7),
    "S2_NIR_10m": (8,),
    "S2_NIR_20m": (9,),
    "S2_SWIR": (10, 11),
    "ERA5": (12, 13),
    "SRTM": (14, 15),
    "NDVI": (16,),
}
CHANNELS = 17


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        name: In the reference file.
        dates: Of the series.
        groups: That are known.
        cover: Whether land cover is known.
        published: Whether the published weights are used, not ones drawn from their names.
    """

    name: str
    dates: int
    groups: tuple[str, ...]
    cover: bool = False
    published: bool = False


_ALL = tuple(GROUPS)
_OPTICAL = (*(name for name in _ALL if name.startswith("S2")), "NDVI")
CASES = (
    Case("everything", 12, _ALL, cover=True),
    Case("most-dates", 24, _ALL),
    Case("optical", 3, _OPTICAL),
    Case("radar", 7, ("S1",), cover=True),
    Case("terrain", 1, ("SRTM", "ERA5")),
    Case("published", 12, _ALL, cover=True, published=True),
    Case("published-optical", 1, _OPTICAL, published=True),
)


def series(case: Case) -> Tensor:
    """(3, dates, 17) of all groups, normalised."""
    return torch.from_numpy(numbers(f"series {case.name}", (3, case.dates, CHANNELS)))


def months(case: Case) -> Tensor:
    """(3, dates), of each series from another month on."""
    return (torch.tensor([[0], [5], [11]]) + torch.arange(case.dates)) % 12


def covers(case: Case) -> Tensor:
    """(3, dates) classes of land cover."""
    return (torch.arange(3 * case.dates).view(3, -1) * 5) % 9


def places() -> Tensor:
    """(3, 2) latitudes and longitudes in degrees."""
    return torch.tensor([[46.95, 7.44], [-33.86, 151.2], [0.3, -78.5]])


def normalised(raw: Tensor) -> dict[str, Tensor]:
    """Groups of the published series, whose columns are VV VH B2 … B9 B11 B12 ERA5 SRTM NDVI."""
    columns = {
        "S1": ((0, 1), 25.0, 25.0),
        "S2_RGB": ((2, 3, 4), 0.0, 1e4),
        "S2_Red_Edge": ((5, 6, 7), 0.0, 1e4),
        "S2_NIR_10m": ((8,), 0.0, 1e4),
        "S2_NIR_20m": ((9,), 0.0, 1e4),
        "S2_SWIR": ((11, 12), 0.0, 1e4),
        "ERA5": ((13, 14), torch.tensor([-272.15, 0.0]), torch.tensor([35.0, 0.03])),
        "SRTM": ((15, 16), 0.0, torch.tensor([2000.0, 50.0])),
    }
    return {
        name: (raw[..., list(places)] + shift) / scale
        for name, (places, shift, scale) in columns.items()
    }

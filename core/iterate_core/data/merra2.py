"""The fields of NASA's reanalysis MERRA-2 that models of the weather take, by its names."""

from __future__ import annotations

SURFACE = (
    *("EFLUX", "GWETROOT", "HFLUX", "LAI", "LWGAB", "LWGEM", "LWTUP", "PS", "QV2M", "SLP"),
    *("SWGNT", "SWTNT", "T2M", "TQI", "TQL", "TQV", "TS", "U10M", "V10M", "Z0M"),
)
VERTICAL = ("CLOUD", "H", "OMEGA", "PL", "QI", "QL", "QV", "T", "U", "V")
LEVELS = (34, 39, 41, 43, 44, 45, 48, 51, 53, 56, 63, 68, 71, 72)
"""Layers of MERRA-2's atmosphere, counted from its top; 72 lies on the ground."""

FIELDS = (*SURFACE, *(f"{name}_{level}" for name in VERTICAL for level in LEVELS))
"""What changes from hour to hour: ``T2M``, ``T_72``."""

STATIC = ("FRACI", "FRLAND", "FROCEAN", "PHIS")
"""What lies there: shares of sea ice, land and ocean, and the surface's geopotential."""

CLIMATE = tuple(f"{name}_climate" for name in FIELDS)
"""Means over many years of each field, at a day of the year and an hour."""


def spellings(name: str) -> tuple[str, ...]:
    """Other names of a field of a level: ``T_level_72`` and ``T_level_72.0`` of ``T_72``."""
    variable, _, rest = name.partition("_")
    level, _, end = rest.partition("_")
    if not level.isdigit():
        return ()
    end = f"_{end}" if end else ""
    return (f"{variable}_level_{level}{end}", f"{variable}_level_{level}.0{end}")

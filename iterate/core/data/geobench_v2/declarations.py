"""All datasets of GEO-Bench-2, and one more of its package, as what they truly are.

What the reference loaders make of them instead stands in `defects`.
"""

from __future__ import annotations

from iterate.core.data.geobench_v2.declaration import Declaration
from iterate.core.data.geobench_v2.declared_images import IMAGES
from iterate.core.data.geobench_v2.declared_objects import OBJECTS
from iterate.core.data.geobench_v2.declared_series import SERIES

DATASETS: dict[str, Declaration] = {
    declaration.name: declaration for declaration in (*IMAGES, *SERIES, *OBJECTS)
}
"""Name → declaration. ``wind_turbine`` is not part of the benchmark."""

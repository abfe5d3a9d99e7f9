"""All datasets of GEO-Bench-2, and one more of its package, as what they truly are.

What the reference loaders make of them instead stands in `defects`.
"""

from __future__ import annotations

from iterate_core.data.geobench_v2.datasets.images import IMAGES
from iterate_core.data.geobench_v2.datasets.objects import OBJECTS
from iterate_core.data.geobench_v2.datasets.schema import Declaration
from iterate_core.data.geobench_v2.datasets.series import SERIES

DATASETS: dict[str, Declaration] = {
    declaration.name: declaration for declaration in (*IMAGES, *SERIES, *OBJECTS)
}
"""Name → declaration. ``wind_turbine`` is not part of the benchmark."""

"""What downscaling measures. Imports no torch.

e is the prediction less the target in the target's unit, over the cells whose target is known (not
NaN). Of several quantities each metric is the mean over them of what it is for each.

The range of a quantity is that of its unit where that has one (0 to 255 of 8-bit brightness, 0 to
10,000 of reflectance × 10,000, 0 to 1 of reflectance, fractions and probabilities), else that of
the known training targets. Structural similarity is that of Wang et al., "Image Quality Assessment:
From Error Visibility to Structural Similarity", 2004, of values less the lower end of the range: a
Gaussian of deviation 1.5 in windows of 11 × 11 cells, K1 = 0.01, K2 = 0.03, over all windows that
lie in the map and in which every cell is known.

The baseline of a quantity that is a band of the image, by its name, is the band's bicubic
interpolation (Keys 1981, a = -0.5), the mean over dates where there are several; that of any other
is the mean of the known training targets.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from iterate_core.tasks.declarations import TaskDeclaration
from iterate_core.tasks.downscaling.errors import (
    Errors,
    Of,
    Score,
    of_baseline,
    of_predictions,
    skill,
)
from iterate_core.tasks.metrics import Metric, Mode

_SCORES: tuple[tuple[str, Mode, str, Score, float, float], ...] = (
    ("rmse", "min", "√(mean of e²)", Errors.rmse, 0.0, math.inf),
    ("mae", "min", "mean of |e|", Errors.mae, 0.0, math.inf),
    ("psnr", "max", "10 log10(range² / mean of e²), at most 200", Errors.psnr, -math.inf, 200.0),
    ("ssim", "max", "mean structural similarity", Errors.ssim, -1.0, 1.0),
    ("r2", "max", "1 − Σ e² / Σ (target − mean target)²", Errors.r2, -math.inf, 1.0),
)


def _metrics(prefix: str, of: str, score_of: Callable[[Score], Of]) -> tuple[Metric, ...]:
    return tuple(
        Metric(
            f"{prefix}{name}",
            mode,
            f"{meaning}{of}",
            score_of(score),
            highest,
            lowest,
            trained=name != "ssim",
        )
        for name, mode, meaning, score, lowest, highest in _SCORES
    )


DOWNSCALING = TaskDeclaration(
    "downscaling",
    (
        *_metrics("", "", of_predictions),
        Metric("skill", "max", "1 − Σ e² / Σ e² of the baseline", skill, lowest=-math.inf),
        *_metrics("baseline_", " of the baseline", of_baseline),
        Metric(
            "loss",
            "min",
            "what trains, unless a recipe says otherwise: mean of |e| / s, s the training "
            "targets' deviation",
            highest=math.inf,
        ),
    ),
    loss="l1",
)

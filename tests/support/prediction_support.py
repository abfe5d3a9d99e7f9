"""What a trained model says of a split, for tests that score it apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from iterate_core.data.dataset import Split
from iterate_core.engine.checkpoints import load_best
from iterate_core.engine.resolved import Prepared
from iterate_core.engine.setup import Setup


def predicted(prepared: Prepared, folder: Path, split: Split = "test") -> npt.NDArray[Any]:
    """The outputs of a fit's best checkpoint for a whole split."""
    setup = Setup(prepared)
    setup.take(load_best(folder, prepared.identity)[0])
    setup.task.eval()
    with torch.no_grad():
        outputs = [setup.module(batch) for batch in setup.supplies.evaluated(split)]
    return torch.cat(outputs).numpy()

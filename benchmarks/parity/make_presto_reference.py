"""Make the reference that `test_backbones_presto.py` compares Presto with.

Runs torchgeo 0.9 or newer in an environment of its own, Python 3.12:

    uv venv peers && uv pip install -p peers 'torchgeo>=0.9'
    peers/bin/python benchmarks/parity/make_presto_reference.py WEIGHTS

WEIGHTS is the published file (torchgeo/presto on the Hugging Face hub). Other weights and all
inputs are drawn from their names, on both sides alike.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

import encoders_support as support  # noqa: E402
import presto_support as presto  # noqa: E402


def peer(case: presto.Case, weights: Path) -> Tensor:
    """The normed tokens of torchgeo's Presto."""
    from torchgeo.models.presto import NUM_DYNAMIC_WORLD_CLASSES, Presto

    model = Presto()
    if case.published:
        state = torch.load(weights, map_location="cpu", weights_only=True)
        model.load_state_dict(state, strict=True)
    else:
        support.fill(model.encoder)
    model.eval()
    series = presto.series(case)
    mask = torch.ones_like(series)
    for name in case.groups:
        mask[:, :, list(presto.GROUPS[name])] = 0
    covers = presto.covers(case)
    if not case.cover:
        covers = torch.full_like(covers, NUM_DYNAMIC_WORLD_CLASSES)
    with torch.inference_mode():
        tokens: Tensor = model.encoder(series, covers, presto.places(), mask, presto.months(case))[
            0
        ]
    return tokens


def main() -> None:
    """Write the reference file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    weights = parser.parse_args().weights
    arrays: dict[str, Any] = {}
    for case in presto.CASES:
        tokens = peer(case, weights)
        arrays[case.name] = support.kept(tokens, case.name)
        arrays[f"{case.name}/shape"] = np.array(tokens.shape, dtype=np.int32)
    np.savez_compressed(presto.REFERENCE, **arrays)
    print(f"{presto.REFERENCE.relative_to(ROOT)}: {len(presto.CASES)} outputs")


if __name__ == "__main__":
    main()

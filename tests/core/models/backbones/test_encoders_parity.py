"""Every encoder computes what the public implementation computes.

The references are made by `benchmarks/parity/make_references.py`, which needs the public
implementations; the tests do not.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from encoders_support import (
    CASES,
    MODELS,
    REFERENCES,
    Case,
    circular,
    dates,
    fill,
    images,
    kept,
    locations,
    modality_images,
    wavelengths,
)
from torch import Tensor, nn

from iterate_core.models.backbones.clay.card import CLAY_V1, CLAY_V1_5
from iterate_core.models.backbones.clay.encoder import Clay
from iterate_core.models.backbones.dofa.card import DOFA_BASE, DOFA_HUGE
from iterate_core.models.backbones.dofa.encoder import Dofa
from iterate_core.models.backbones.prithvi.card import (
    PRITHVI_V1_100,
    PRITHVI_V2_300_TL,
    PRITHVI_V2_600_TL,
    PRITHVI_V2_TINY_TL,
)
from iterate_core.models.backbones.prithvi.encoder import Prithvi
from iterate_core.models.backbones.terramind.card import (
    TERRAMIND_V1_BASE,
    TERRAMIND_V1_SMALL,
    TERRAMIND_V1_TINY,
)
from iterate_core.models.backbones.terramind.encoder import TerraMind

TOLERANCE = 1e-5
CONFIGURATIONS = {
    "prithvi_v1_100": PRITHVI_V1_100,
    "prithvi_v2_tiny_tl": PRITHVI_V2_TINY_TL,
    "prithvi_v2_300_tl": PRITHVI_V2_300_TL,
    "prithvi_v2_600_tl": PRITHVI_V2_600_TL,
    "terramind_v1_tiny": TERRAMIND_V1_TINY,
    "terramind_v1_small": TERRAMIND_V1_SMALL,
    "terramind_v1_base": TERRAMIND_V1_BASE,
    "clay_v1": CLAY_V1,
    "clay_v1_5": CLAY_V1_5,
    "dofa_base": DOFA_BASE,
    "dofa_huge": DOFA_HUGE,
}


@lru_cache(maxsize=2)
def reference(model: str) -> dict[str, npt.NDArray[Any]]:
    with np.load(REFERENCES / f"{model}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def reduced(model: str) -> Any:
    return replace(CONFIGURATIONS[model], **MODELS[model])


def prithvi(case: Case) -> list[Tensor]:
    model = ready(Prithvi(reduced(case.model), frames=case.built))
    pictures = images(case)
    pictures = pictures[:, :, 0] if case.frames == 1 else pictures
    outputs: list[Tensor] = model(pictures, time=dates(case), place=locations(case))
    return outputs


def terramind(case: Case) -> list[Tensor]:
    merging: Any = case.merging
    model = ready(TerraMind(reduced(case.model), case.modalities, merging))
    outputs: list[Tensor] = model(modality_images(case))
    return outputs


def clay(case: Case) -> list[Tensor]:
    model = ready(Clay(reduced(case.model)))
    outputs: list[Tensor] = model(
        images(case),
        wavelengths(case),
        gsd=case.gsd,
        time=circular(case, "time"),
        place=circular(case, "place"),
    )
    # The public v1.5 returns the last block's tokens alone.
    return outputs[-1:] if case.model == "clay_v1_5" else outputs


def dofa(case: Case) -> list[Tensor]:
    model = Dofa(reduced(case.model))
    ready(model)
    outputs = model(images(case), wavelengths(case))
    return [*outputs, model.pooled(outputs[-1])]


def ready(model: nn.Module) -> nn.Module:
    fill(model)
    return model.eval()


RUN = {"prithvi": prithvi, "terramind": terramind, "clay": clay, "dofa": dofa}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.model}-{case.name}")
def test_every_block_equals_the_public_implementation(case: Case) -> None:
    expected = reference(case.model)
    with torch.inference_mode():
        outputs = RUN[case.model.split("_")[0]](case)
    names = [name for name in expected if name.startswith(f"{case.name}/")]
    assert len(names) == 2 * len(outputs)
    for index, tokens in enumerate(outputs):
        name = f"{case.name}/{index}"
        assert tuple(tokens.shape) == tuple(expected[f"{name}/shape"])
        difference = float(np.abs(kept(tokens, name) - expected[name]).max())
        assert difference <= TOLERANCE, f"block {index} differs by {difference:.2e}"

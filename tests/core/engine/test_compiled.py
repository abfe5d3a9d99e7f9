"""A training whose model is compiled, beside the same as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from engine_support import recipe

from iterate_core.engine import fit
from iterate_core.engine.resolved import prepare


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore")  # the compiler's own, of every kind
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_training_comes_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    plain, compiled = (
        list(fit.epochs(prepare(recipe(trainer={"compile": chosen})), tmp_path / str(chosen)))
        for chosen in (False, True)
    )
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > before
    for one, other in zip(plain, compiled, strict=True):
        for split in ("train", "val"):  # of twelve samples, last digits decide on some classes
            assert other.metrics[f"{split}/loss"] == pytest.approx(
                one.metrics[f"{split}/loss"], abs=1e-4
            )

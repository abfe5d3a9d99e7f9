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
        next(fit.epochs(prepare(recipe(trainer={"compile": chosen})), tmp_path / str(chosen)))
        for chosen in (False, True)
    )
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > before
    # Of later epochs last digits decide more and more, and of twelve samples on some classes.
    for split in ("train", "val"):
        found, wanted = (one.metrics[f"{split}/loss"] for one in (compiled, plain))
        assert found == pytest.approx(wanted, abs=2e-4)

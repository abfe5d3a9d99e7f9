"""Time series of single pixels: real ones, with Presto, and its features kept."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from arrays_support import published, recipe_of, section, written
from prediction_support import predicted
from presto_support import normalised
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)

from iterate_core.engine import fit
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.engine.setup import Setup
from iterate_core.models.backbones.presto.encoder import Presto, load_presto
from iterate_core.models.backbones.tessera.card import installed
from iterate_core.models.backbones.weights import read_weights

Shared = Callable[[str], Path]
FUEL, ALGAE = "presto/fuel_moisture.npz", "presto/algae_blooms.npz"
TOLD = {"split": "is_test", "split_values": {"train": 0, "test": 1}}


def real(shared_data: Shared, name: str, decoder: str = "linear", **data: Any) -> Prepared:
    """Presto with its published weights, frozen, on one of its evaluations."""
    weights = shared_data("presto/presto_default_model.pt")
    backbone = {"name": "presto", "weights": str(weights)}
    return prepare(
        recipe_of(
            published(shared_data(name), **data),
            model={"backbone": backbone, "decoder": decoder},
            tuning="frozen",
            trainer={"epochs": 15 if decoder == "linear" else 1},
        )
    )


def test_its_features_are_those_of_the_published_encoder(shared_data: Shared) -> None:
    chosen = real(shared_data, FUEL, task="scalar_regression", **TOLD)
    preflight(chosen)
    setup = Setup(chosen)
    assert setup.supplies.keeps_features
    batches = setup.supplies.evaluated("test")
    told = torch.cat([batch.inputs for batch in batches if batch.encoded])

    path = shared_data("presto/presto_default_model.pt")
    encoder = Presto().eval()
    load_presto(encoder, read_weights(path), str(path))
    with np.load(shared_data(FUEL), allow_pickle=False) as data:
        rows = data["is_test"] == 1
        groups = normalised(torch.from_numpy(data["s1_s2_era5_srtm"][rows]))
        months = torch.from_numpy(data["month"][rows])
        places = torch.from_numpy(data["latlon"][rows]).float()
    with torch.inference_mode():
        expected = encoder(groups, months, places)
    torch.testing.assert_close(told, expected, rtol=1e-4, atol=1e-5)


def test_moisture_is_told_better_than_by_its_mean(shared_data: Shared, tmp_path: Path) -> None:
    """On the published test sites: less than 0.8 of the error of always telling the mean."""
    chosen = real(shared_data, FUEL, task="scalar_regression", **TOLD)
    fit.fit(chosen, tmp_path)
    scores = fit.test(chosen, tmp_path)
    true, told = np.asarray(chosen.pack.targets("test")), predicted(chosen, tmp_path)
    always = np.full_like(true, chosen.pack.target_mean)
    assert scores["test/rmse"] < 0.8 * root_mean_squared_error(true, always)
    for name, score in (
        ("rmse", root_mean_squared_error),
        ("mae", mean_absolute_error),
        ("r2", r2_score),
    ):
        assert scores[f"test/{name}"] == pytest.approx(score(true, told), rel=1e-6), name


@pytest.mark.parametrize(("decoder", "margin"), [("linear", 0.05), ("logistic", 0.04)])
def test_severity_is_told_better_than_by_its_commonest_class(
    decoder: str, margin: float, shared_data: Shared, tmp_path: Path
) -> None:
    chosen = real(shared_data, ALGAE, decoder, task="classification", labels=[1, 2, 3, 4, 5])
    fit.fit(chosen, tmp_path)
    scores = fit.test(chosen, tmp_path)
    true = np.asarray(chosen.pack.targets("test"))
    told = predicted(chosen, tmp_path).argmax(axis=1)
    commonest = np.bincount(np.asarray(chosen.pack.targets("train"))).argmax()
    assert scores["test/accuracy"] > (true == commonest).mean() + margin
    assert scores["test/accuracy"] == pytest.approx(accuracy_score(true, told), abs=1e-6)
    macro = f1_score(true, told, average="macro", labels=np.union1d(true, told))
    assert scores["test/f1_macro"] == pytest.approx(macro, abs=1e-6)


@pytest.mark.parametrize("tuning", ["frozen", "full"])
def test_a_continued_run_is_bit_identical(tuning: str, tmp_path: Path) -> None:
    data = section(written(tmp_path), dates="days", places="latlon", batch_size=8)
    model = {"backbone": {"name": "presto", "weights": "none", "missing": "zero"}, "decoder": "mlp"}
    chosen = prepare(recipe_of(data, model=model, tuning=tuning))
    whole = [report.metrics for report in fit.epochs(chosen, tmp_path / "whole")]
    first = [report.metrics for report in islice(fit.epochs(chosen, tmp_path / "cut"), 1)]
    rest = [report.metrics for report in fit.epochs(chosen, tmp_path / "cut")]
    assert first + rest == whole
    assert fit.test(chosen, tmp_path / "cut") == fit.test(chosen, tmp_path / "whole")


def test_flips_of_a_pixel_change_nothing(tmp_path: Path) -> None:
    results = []
    for turned in (True, False):
        chosen = prepare(
            recipe_of(
                section(written(tmp_path), batch_size=8),
                model={"backbone": {"name": "presto", "weights": "none", "missing": "zero"},
                       "decoder": "linear"},
                tuning="frozen",
                augmentation={"flip": turned, "rotate": turned},
            )
        )  # fmt: skip
        assert Setup(chosen).supplies.keeps_features
        results.append([r.metrics for r in fit.epochs(chosen, tmp_path / str(turned))])
    assert results[0] == results[1]


@pytest.mark.skipif(not installed(), reason="the installed TorchGeo has no Tessera (0.9 has)")
@pytest.mark.parametrize("name", ["tessera_s2", "tessera"])
def test_tessera_takes_series_of_pixels(name: str, shared_data: Shared, tmp_path: Path) -> None:
    data = published(shared_data(FUEL), task="scalar_regression", **TOLD)
    model = {"backbone": {"name": name, "weights": "none"}, "decoder": "linear"}
    chosen = prepare(recipe_of(data | {"share": 0.02}, model=model, trainer={"epochs": 1}))
    preflight(chosen)
    setup = Setup(chosen)
    (batch, *_) = setup.supplies.evaluated("test")
    assert setup.module(batch).shape == (64, 1)

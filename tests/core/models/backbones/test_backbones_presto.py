"""Presto: what it computes, its published weights, and images read pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoders_support import fill, kept
from presto_support import (
    CASES,
    GROUPS,
    REFERENCE,
    Case,
    covers,
    months,
    normalised,
    places,
    series,
)
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from iterate_core.data.bands import describe
from iterate_core.data.dataset import Band
from iterate_core.errors import RequestError
from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.matching import match_bands
from iterate_core.models.backbones.presto.backbone import month_of
from iterate_core.models.backbones.presto.card import CARD
from iterate_core.models.backbones.presto.encoder import Presto, load_presto, with_ndvi
from iterate_core.models.backbones.weights import read_weights
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps, Pooled
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

S2 = describe([f"B{number:02}" for number in range(1, 9)] + ["B8A", "B09", "B10", "B11", "B12"])
TEN = tuple(band for band in S2 if band.common not in ("coastal", "water_vapour", "cirrus"))
RADAR = describe(("VV", "VH"))


@pytest.fixture
def weights(shared_data: Callable[[str], Path]) -> Path:
    return shared_data("presto/presto_default_model.pt")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_tokens_equal_the_public_implementations(
    case: Case, request: pytest.FixtureRequest
) -> None:
    encoder = Presto().eval()
    if case.published:
        path = request.getfixturevalue("weights")
        load_presto(encoder, read_weights(path), str(path))
    else:
        fill(encoder)
    values = series(case)
    groups = {name: values[..., list(GROUPS[name])] for name in case.groups}
    with torch.inference_mode():
        cover = covers(case) if case.cover else None
        tokens = encoder.norm(encoder.tokens(groups, months(case), places(), cover))
    with np.load(REFERENCE, allow_pickle=False) as expected:
        assert tuple(tokens.shape) == tuple(expected[f"{case.name}/shape"])
        assert np.abs(kept(tokens, case.name) - expected[case.name]).max() <= 1e-5


def test_published_weights_load_strictly(weights: Path) -> None:
    published = read_weights(weights)
    encoder = Presto()
    load_presto(encoder, published, str(weights))
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, published[f"encoder.{name}"])
    assert sum(value.numel() for value in encoder.parameters()) == CARD.parameters
    less = {k: v for k, v in published.items() if k != "encoder.norm.bias"}
    with pytest.raises(RequestError, match=r"lacks weights of the model: norm\.bias"):
        load_presto(encoder, less, "file")
    with pytest.raises(RequestError, match="does not have: teacher"):
        load_presto(encoder, {**published, "teacher": torch.zeros(1)}, "file")


def built(
    bands: tuple[Band, ...], dense: bool, frames: int = 1, size: int = 4, **options: Any
) -> Backbone:
    entry = registries.backbones.get("presto")
    chosen = parse(
        entry.load_options(), {"name": "presto", "weights": "none", **options}, "model.backbone"
    )
    matching = match_bands(CARD, bands, chosen)
    inputs = Inputs(matching.bands, (size, size), dense, frames, 10.0, matching.modalities)
    torch.manual_seed(0)
    made: Backbone = entry.load()(chosen, inputs, False)
    return made.eval()


def matched(bands: tuple[Band, ...], **options: Any) -> tuple[tuple[str, int], ...]:
    entry = registries.backbones.get("presto")
    chosen = parse(entry.load_options(), {"name": "presto", **options}, "model.backbone")
    return match_bands(CARD, bands, chosen).modalities


OPTICAL = (
    *(("S2_RGB", 3), ("S2_Red_Edge", 3), ("S2_NIR_10m", 1), ("S2_NIR_20m", 1), ("S2_SWIR", 2)),
)


def test_a_dataset_gives_the_groups_it_has() -> None:
    assert matched((*S2, *RADAR)) == (("S1", 2), *OPTICAL)
    assert matched(S2[1:4]) == (("S2_RGB", 3),)
    # All of a group or nothing, as in pretraining.
    assert matched(S2[2:8]) == (("S2_Red_Edge", 3), ("S2_NIR_10m", 1))
    assert matched((*S2, *RADAR), modalities=("S1",)) == (("S1", 2),)


def test_each_pixel_is_encoded_by_itself() -> None:
    bands, dates = (*TEN, *RADAR), 3
    dense = built(bands, dense=True, frames=dates)
    pooled = built(bands, dense=False, frames=dates, chunk=5)
    pooled.load_state_dict(dense.state_dict())
    images = torch.rand(2, 12, dates, 4, 4)
    context = Context(
        torch.tensor([[[2020.0, 60], [2020, 61], [2020, 366]]] * 2),
        torch.tensor([[46.9, 7.4], [torch.nan, torch.nan]]),
    )
    with torch.inference_mode():
        (maps,) = dense(images, context)
        encoder: Any = dense.encoder
        pixel = images[0, :, :, 2, 3].T[None]
        parts = pixel.split([count for _, count in (("S1", 2), *OPTICAL)], dim=-1)
        names = ["S1", *(name for name, _ in OPTICAL)]
        alone = encoder(
            dict(zip(names, parts, strict=True)),
            torch.tensor([[1, 2, 11]]),
            torch.tensor([[46.9, 7.4]]),
        )
        torch.testing.assert_close(maps[0, :, 2, 3], alone[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            pooled(images, context), maps.mean(dim=(2, 3)), rtol=1e-4, atol=1e-5
        )
    assert (dense.shape, pooled.shape) == (Maps((128,), (1,)), Pooled(128))


def test_chunks_and_recomputation_change_no_gradient() -> None:
    images = torch.rand(1, 10, 4, 4)
    gradients = []
    for chunk in (3, 4096):
        backbone = built(TEN, dense=True, chunk=chunk).train()
        (maps,) = backbone(images)
        maps.square().mean().backward()
        gradients.append([p.grad for p in backbone.parameters() if p.requires_grad])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_unknown_months_follow_the_options() -> None:
    images = torch.rand(1, 10, 2, 2, 2)
    told = Context(torch.tensor([[[2021.0, 182], [2021, 213]]]))  # July and August
    unknown = Context(torch.full((1, 2, 2), torch.nan))
    backbone = built(TEN, dense=False, frames=2, size=2, month=7)
    with torch.inference_mode():
        expected = backbone(images, told)
        assert torch.equal(backbone(images, unknown), expected)
        assert torch.equal(backbone(images), expected)
    other = built(TEN, dense=False, frames=2, size=2, month=1)
    with torch.inference_mode():
        assert not torch.allclose(other(images), expected)
        assert torch.equal(other(images, told), expected)


def test_months_of_days_are_the_calendars() -> None:
    for year in (1900, 2000, 2019, 2020):
        first = date(year, 1, 1)
        days = [first + timedelta(days=number) for number in range(365 + (first.replace(
            month=12, day=31).timetuple().tm_yday == 366))]  # fmt: skip
        given = torch.tensor([[float(year), day.timetuple().tm_yday] for day in days])
        assert month_of(given).tolist() == [day.month - 1 for day in days]


def test_the_vegetation_index_is_that_of_reflectances() -> None:
    red = torch.tensor([0.1, 0.0, 0.2, -0.1])[:, None, None]
    infrared = torch.tensor([0.3, 0.0, 0.0, 0.15])[:, None, None]
    rest = torch.zeros(4, 1, 2)
    groups = {"S2_RGB": torch.cat([rest, red], -1), "S2_NIR_10m": infrared}
    index = with_ndvi(groups)["NDVI"].flatten()
    # The last is 5 before it is cut.
    torch.testing.assert_close(index, torch.tensor([0.5, 0.0, -1.0, 1.0]))
    assert "NDVI" not in with_ndvi({"S2_RGB": groups["S2_RGB"]})


def test_more_dates_than_it_knows_are_refused() -> None:
    with pytest.raises(RequestError, match="up to 24 dates, and the dataset has 25"):
        built(TEN, dense=True, frames=25)


# The published weights on real series


def test_neighbours_in_its_vectors_tell_fuel_moisture_better_than_in_its_inputs(
    weights: Path, shared_data: Callable[[str], Path]
) -> None:
    encoder = Presto().eval()
    load_presto(encoder, read_weights(weights), str(weights))
    with np.load(shared_data("presto/fuel_moisture.npz"), allow_pickle=False) as data:
        groups = normalised(torch.from_numpy(data["s1_s2_era5_srtm"]))
        given = [torch.from_numpy(data[name]) for name in ("month", "latlon", "dynamic_world")]
        target, held_out = data["target"], data["is_test"] == 1
    with torch.inference_mode():
        vectors = encoder(groups, given[0], given[1].float(), given[2].long()).numpy()
    inputs = torch.cat([values.flatten(1) for values in with_ndvi(groups).values()], 1).numpy()
    told = []
    for features in (vectors, inputs):
        model = make_pipeline(StandardScaler(), KNeighborsRegressor(20))
        model.fit(features[~held_out], target[~held_out])
        told.append(model.score(features[held_out], target[held_out]))
    assert told == pytest.approx([0.545, 0.418], abs=0.01)

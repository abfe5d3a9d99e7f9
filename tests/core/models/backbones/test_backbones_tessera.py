"""Tessera: what it declares, what it computes, and images read pixel by pixel."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torchgeo.models
from torch import Tensor

from iterate_core.data.bands import describe
from iterate_core.data.dataset import Band
from iterate_core.data.loading.scaling import Scaling
from iterate_core.errors import RequestError
from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.matching import match_bands
from iterate_core.models.backbones.tessera.card import CARDS, installed
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps, Pooled
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

MODELS: Any = torchgeo.models
HAS_IT = hasattr(MODELS, "Tessera")
needed = pytest.mark.skipif(not HAS_IT, reason="needs torchgeo 0.9 or later, which has Tessera")
WEIGHTS = {
    "tessera": "TESSERA",
    "tessera_s2": "TESSERA_SENTINEL2_ENCODER",
    "tessera_s1": "TESSERA_SENTINEL1_ENCODER",
}
WIDTHS = {"tessera": 128, "tessera_s2": 512, "tessera_s1": 512}
S2 = describe([f"B{number:02}" for number in range(1, 9)] + ["B8A", "B09", "B10", "B11", "B12"])
RADAR = describe(("VV", "VH"))
DAYS = torch.tensor([[20.0, 110.0, 301.0], [1.0, 200.0, 366.0]])
CONTEXT = Context(torch.stack([torch.full_like(DAYS, 2020), DAYS], dim=-1))


def options_of(name: str, **more: Any) -> Any:
    entry = registries.backbones.get(name)
    return parse(entry.load_options(), {"name": name, "weights": "none", **more}, "model.backbone")


def built(name: str, dense: bool, frames: int = 3, size: int = 2, **options: Any) -> Backbone:
    chosen = options_of(name, **options)
    matching = match_bands(CARDS[name], CARDS[name].modalities[0].bands, chosen)
    inputs = Inputs(matching.bands, (size, size), dense, frames, 10.0, matching.modalities)
    torch.manual_seed(0)
    made: Backbone = registries.backbones.get(name).load()(chosen, inputs, False)
    return made.eval()


def images_for(name: str, frames: int = 3, size: int = 2, count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    bands = len(CARDS[name].modalities[0].bands)
    return torch.randn(count, bands, frames, size, size, generator=generator)


def weights_of(name: str) -> Any:
    return MODELS.Tessera_Weights[WEIGHTS[name]]


# What is declared


def test_it_is_registered_where_torchgeo_has_it() -> None:
    assert installed() is HAS_IT
    names = {entry.name for entry in registries.backbones}
    assert names & CARDS.keys() == (CARDS.keys() if HAS_IT else set())


@needed
@pytest.mark.parametrize("name", CARDS)
def test_file_and_bands_are_those_that_torchgeo_declares(name: str) -> None:
    weights, file = weights_of(name), CARDS[name].file
    assert file is not None
    assert weights.url == f"https://hf.co/{file.repository}/resolve/{file.revision}/{file.filename}"
    assert weights.url.endswith(f"-{file.sha256_prefix}.pth")
    ours = [band.name.replace("B0", "B") for band in CARDS[name].modalities[0].bands]
    assert ours == [band for band in weights.meta["bands"] if not band.endswith("DOY")]


@needed
@pytest.mark.parametrize("name", CARDS)
def test_pixels_are_normalised_as_torchgeo_does(name: str) -> None:
    modality = CARDS[name].modalities[0]
    optical = sum(band.unit == "dn" for band in modality.bands)
    radar = len(modality.bands) - optical
    generator = torch.Generator().manual_seed(2)
    numbers = 10_000 * torch.rand(optical, 3, 3, generator=generator)
    decibel = 60 * torch.rand(radar, 3, 3, generator=generator) - 40
    # As the authors store radar: amplitude's decibel from power, shifted, in steps of 1/200.
    power = 10 ** (decibel / 10)
    stored = ((20 * power.log10() + 50) * 200).clamp(0, 32767)
    day = torch.zeros(1, 3, 3)
    parts = [*([numbers, day] if optical else []), *([stored, day] if radar else [])]
    series = torch.cat(parts).flatten(1).T
    theirs = weights_of(name).transforms(series.clone()).T.view(-1, 3, 3)
    kept = [i for i, band in enumerate(weights_of(name).meta["bands"]) if not band.endswith("DOY")]
    channels = [modality.normal(index) for index in range(len(modality.bands))]
    given = [_from(channel, index) for index, channel in enumerate(channels)]
    ours = Scaling(tuple(given), (3, 3)).apply(torch.cat([numbers, decibel])[None])[0]
    torch.testing.assert_close(ours, theirs[kept], rtol=1e-4, atol=1e-4)


def _from(channel: Any, source: int) -> Any:
    return replace(channel, source=source)


@needed
def test_bands_find_their_channels_by_meaning() -> None:
    def sources(name: str, bands: tuple[Band, ...]) -> list[str]:
        matches = match_bands(CARDS[name], bands, options_of(name)).matches
        return [bands[match.source].name for match in matches if match.source is not None]

    expected = ["B04", "B02", "B03", "B08", "B8A", "B05", "B06", "B07", "B11", "B12"]
    assert sources("tessera_s2", S2) == expected
    assert sources("tessera_s1", (*S2, *RADAR)) == ["VV", "VH"]
    assert sources("tessera", (*RADAR, *S2)) == [*expected, "VV", "VH"]
    with pytest.raises(RequestError, match="S2_S1, of which the dataset lacks 'VV'"):
        sources("tessera", S2)


# What is computed


def theirs(name: str, backbone: Backbone) -> Any:
    """TorchGeo's model with the same weights."""
    model = MODELS.Tessera()
    part = {"tessera_s2": model.s2_backbone, "tessera_s1": model.s1_backbone}.get(name, model)
    encoder: Any = backbone.encoder
    part.load_state_dict(encoder.state_dict(), strict=True)
    return part.eval()


def series_of(
    name: str, images: Tensor, days: Tensor, sample: int, row: int, column: int
) -> Tensor:
    """(1, dates, channels) of one pixel, as TorchGeo's model takes it."""
    bands, when = images[sample, :, :, row, column].T, days[sample][:, None]
    parts = [bands[:, :10], when, bands[:, 10:], when] if name == "tessera" else [bands, when]
    return torch.cat(parts, dim=1)[None]


@needed
@pytest.mark.parametrize("name", CARDS)
def test_each_pixels_vector_is_torchgeos(name: str) -> None:
    dense, images = built(name, dense=True, chunk=3), images_for(name)
    pooled = built(name, dense=False)
    pooled.load_state_dict(dense.state_dict())
    model = theirs(name, dense)
    with torch.inference_mode():
        (maps,) = dense(images, CONTEXT)
        for sample, row, column in ((0, 0, 0), (0, 1, 0), (1, 0, 1), (1, 1, 1)):
            expected = model(series_of(name, images, DAYS, sample, row, column))[0]
            torch.testing.assert_close(maps[sample, :, row, column], expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            pooled(images, CONTEXT), maps.mean(dim=(2, 3)), rtol=1e-4, atol=1e-5
        )
    assert (dense.shape, pooled.shape) == (Maps((WIDTHS[name],), (1,)), Pooled(WIDTHS[name]))


@needed
def test_one_date_needs_no_axis() -> None:
    backbone, images = built("tessera_s1", dense=False, frames=1), images_for("tessera_s1", 1)
    with torch.inference_mode():
        assert torch.equal(backbone(images[:, :, 0]), backbone(images))


@needed
def test_unknown_days_are_spread_evenly_over_the_year() -> None:
    images = images_for("tessera_s1")
    backbone = built("tessera_s1", dense=False)
    unaware = built("tessera_s1", dense=False, coordinates=False)
    unaware.load_state_dict(backbone.state_dict())
    spread = torch.tensor([61.0, 183.0, 305.0])  # the middle of each third of 365 days

    def told(days: list[float]) -> Context:
        return Context(torch.tensor([[[2021.0, day] for day in days]] * 2))

    with torch.inference_mode():
        expected = backbone(images, told(spread.tolist()))
        assert torch.equal(backbone(images), expected)
        assert torch.equal(backbone(images, told([math.nan] * 3)), expected)
        assert torch.equal(backbone(images, told([61.0, math.nan, 305.0])), expected)
        assert torch.equal(unaware(images, told([5.0, 6.0, 7.0])), expected)
        assert not torch.allclose(backbone(images, told([5.0, 6.0, 7.0])), expected)
        one = images[:, :, :1]
        year = Context(torch.tensor([[[2021.0, 183.0]]] * 2))
        assert torch.equal(backbone(one), backbone(one, year))


@needed
def test_recomputation_changes_no_gradient() -> None:
    images = images_for("tessera_s1", frames=2)
    context = Context(torch.full((2, 2, 2), 100.0))
    backbone = built("tessera_s1", dense=False).train()
    encoder: Any = backbone.encoder
    torch.manual_seed(7)  # of dropout, which both ways must draw alike
    backbone(images, context).square().mean().backward()
    ours = [value.grad.clone() for value in encoder.parameters() if value.grad is not None]
    encoder.zero_grad()
    series = images.permute(0, 3, 4, 2, 1).flatten(0, 2)
    torch.manual_seed(7)
    vectors = encoder(torch.cat([series, torch.full((8, 2, 1), 100.0)], dim=-1))
    vectors.view(2, 4, -1).mean(dim=1).square().mean().backward()
    plain = [value.grad for value in encoder.parameters()]
    assert len(ours) == len(plain)
    for one, other in zip(ours, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@needed
def test_a_published_file_loads_strictly(tmp_path: Path) -> None:
    torch.manual_seed(1)
    published = MODELS.Tessera().s1_backbone.state_dict()
    path = tmp_path / "weights.pth"
    torch.save(published, path)
    backbone = built("tessera_s1", dense=False, weights=str(path))
    encoder: Any = backbone.encoder
    assert encoder.state_dict().keys() == published.keys()
    assert all(torch.equal(value, published[key]) for key, value in encoder.state_dict().items())
    torch.save({**published, "teacher": torch.zeros(1)}, path)
    with pytest.raises(RequestError, match="does not have: teacher"):
        built("tessera_s1", dense=False, weights=str(path))

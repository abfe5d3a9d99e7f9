"""OlmoEarth: what it declares, and that it computes what its authors' library does."""

from __future__ import annotations

import importlib
import importlib.util
import math
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from backbones_support import S2
from torch import Tensor, nn
from tuning_support import tuned

from iterate_core.data.bands import LANDSAT_8, describe
from iterate_core.data.dataset import Band
from iterate_core.data.loading.scaling import Scaling
from iterate_core.errors import RequestError
from iterate_core.hub import files
from iterate_core.models.assembly import Model
from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.matching import match_bands
from iterate_core.models.backbones.olmoearth import card
from iterate_core.models.backbones.olmoearth.backbone import timestamps_of
from iterate_core.models.backbones.olmoearth.card import CARDS, CONFIGURATIONS, LIBRARY, PARTS
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps, Pooled
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

HAS_IT = importlib.util.find_spec(LIBRARY) is not None
needed = pytest.mark.skipif(not HAS_IT, reason="needs olmoearth-pretrain-minimal")
RADAR = describe(("VV", "VH"))
LANDSAT = describe([f"B{number}" for number in range(1, 12)], LANDSAT_8)
NANOS = ("olmoearth_v1_nano", "olmoearth_v1_1_nano", "olmoearth_v1_2_nano")
DATES = ((2020, 3, 5), (2020, 12, 31)), ((2019, 1, 1), (2021, 7, 20))
DAYS = [[[year, date(year, *rest).timetuple().tm_yday] for year, *rest in one] for one in DATES]
CONTEXT = Context(torch.tensor(DAYS, dtype=torch.float32))
TIMESTAMPS = torch.tensor([[[d, m - 1, y] for y, m, d in one] for one in DATES])


def options_of(name: str, **more: Any) -> Any:
    kind: Any = importlib.import_module("iterate_core.models.backbones.olmoearth.options")
    given = {"name": name, "weights": "none", **more}
    return parse(kind.OlmoEarthOptions, given, "model.backbone")


def built(
    name: str,
    bands: tuple[Band, ...] = (*S2, *RADAR),
    dense: bool = True,
    frames: int = 2,
    size: tuple[int, int] = (16, 16),
    **options: Any,
) -> Backbone:
    chosen = options_of(name, **options)
    matching = match_bands(CARDS[name], bands, chosen)
    inputs = Inputs(matching.bands, size, dense, frames, 10.0, matching.modalities)
    torch.manual_seed(0)
    made: Backbone = registries.backbones.get(name).load()(chosen, inputs, False)
    return made.eval()


def images_for(bands: int, size: tuple[int, int] = (16, 16), frames: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.rand(2, bands, frames, *size, generator=generator)


# What is declared


@pytest.mark.parametrize("name", CARDS)
def test_files_are_where_the_library_looks(name: str) -> None:
    library = pytest.importorskip(LIBRARY, reason="needs olmoearth-pretrain-minimal")
    file = CARDS[name].file
    assert file is not None
    assert file.repository in {model.repo_id() for model in library.ModelID}
    assert file.filename == importlib.import_module(f"{LIBRARY}.model_loader").WEIGHTS_FILENAME


@needed
def test_bands_and_pixels_are_the_librarys() -> None:
    library = importlib.import_module(LIBRARY)
    constants = importlib.import_module(f"{LIBRARY}.olmoearth_pretrain_v1.utils.constants")
    generator = np.random.default_rng(1)
    for modality in CARDS["olmoearth_v1_2_nano"].modalities:
        known = constants.Modality.get(modality.name)
        assert [b.name.lower() for b in modality.bands] == [b.lower() for b in known.band_order]
        pixels = generator.uniform(-20, 8000, (3, 3, len(modality.bands)))
        theirs = library.Normalizer().normalize(known, pixels).transpose(2, 0, 1)
        channels = [modality.normal(index) for index in range(len(modality.bands))]
        ours = Scaling(
            tuple(replace(c, source=i) for i, c in enumerate(channels) if c is not None), (3, 3)
        ).apply(torch.tensor(pixels).permute(2, 0, 1)[None].float())[0]
        torch.testing.assert_close(ours, torch.tensor(theirs).float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("bands", "found"),
    [
        ((*S2, *RADAR), ["sentinel2_l2a", "sentinel1"]),
        # Groups that a data set lacks are left out of version 1.
        ([b for b in S2 if b.common not in ("coastal", "water_vapour", "cirrus")],
         ["sentinel2_l2a_10m_20m"]),
        ([b for b in S2 if b.common in ("blue", "green", "red", "nir")], ["sentinel2_l2a_10m"]),
        (LANDSAT, ["landsat"]),
        (RADAR, ["sentinel1"]),
    ],
)  # fmt: skip
def test_a_dataset_fills_the_sensors_that_it_has(bands: Any, found: list[str]) -> None:
    name = "olmoearth_v1_nano"
    matching = match_bands(CARDS[name], tuple(bands), options_of(name))
    assert [modality for modality, _ in matching.modalities] == found
    shuffled = match_bands(CARDS[name], tuple(reversed(bands)), options_of(name))
    assert [bands[m.source].name for m in matching.matches if m.source is not None] == [
        tuple(reversed(bands))[m.source].name for m in shuffled.matches if m.source is not None
    ]


def test_missing_bands_are_refused_or_become_the_zeros_of_pretraining() -> None:
    name, rgb = "olmoearth_v1_2_nano", S2[1:4]
    with pytest.raises(RequestError, match="takes sentinel2_l2a, of which the dataset lacks 'B08'"):
        match_bands(CARDS[name], rgb, options_of(name))
    matches = match_bands(CARDS[name], rgb, options_of(name, missing="zero")).matches
    assert [m.source for m in matches] == [0, 1, 2, *[None] * 9]
    zero = match_bands(CARDS[name], LANDSAT[1:4], options_of(name, missing="zero"))
    assert zero.modalities == (("landsat", 11),)


def test_without_the_library_a_sentence_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "installed", lambda: False)
    assert card.entries() == ()
    with pytest.raises(RequestError, match="needs olmoearth-pretrain-minimal") as caught:
        card.check_installed("olmoearth_v1_base")
    assert "pip install 'geo-iterate[olmoearth]'" in str(caught.value)
    card.check_installed("resnet18")
    if not HAS_IT:
        with pytest.raises(RequestError, match="needs olmoearth-pretrain-minimal"):
            registries.backbones.get("olmoearth_v1_base")


# What is computed


def theirs(backbone: Backbone, version: str, sensors: list[str]) -> Any:
    """The library's encoder, which it builds itself, with the same weights."""
    library = importlib.import_module(LIBRARY)
    whole = library.OlmoEarthPretrain_v1("nano", version, supported_modality_names=sensors)
    encoder = whole.encoder.eval()
    lacking = encoder.load_state_dict(backbone.get_submodule("encoder").state_dict(), strict=False)
    assert lacking.unexpected_keys == []
    assert all(key.startswith("project_and_aggregate.") for key in lacking.missing_keys)
    return encoder


def drawn(backbone: Backbone) -> Backbone:
    """Random codes too, which start as zeros."""
    with torch.no_grad():
        for name, value in backbone.named_parameters():
            if "channel_embeddings" in name:
                value.normal_()
    return backbone


def sample(images: dict[str, Tensor]) -> Any:
    """As the library takes it: (n, height, width, dates, bands), nothing masked."""
    types = importlib.import_module(f"{LIBRARY}.olmoearth_pretrain_v1.utils.datatypes")
    given = {name: image.permute(0, 3, 4, 2, 1) for name, image in images.items()}
    masks = {f"{name}_mask": torch.zeros(*g.shape[:4], 3).long() for name, g in given.items()}
    return types.MaskedOlmoEarthSample(timestamps=TIMESTAMPS, **given, **masks)


@needed
@pytest.mark.parametrize(("name", "patch"), [*((name, 8) for name in NANOS), (NANOS[0], 4)])
def test_maps_and_vectors_are_the_librarys(name: str, patch: int) -> None:
    pooling: Any = importlib.import_module(f"{LIBRARY}.olmoearth_pretrain_v1.nn.flexi_vit")
    dense = drawn(built(name, patch=patch))
    vectors = built(name, patch=patch, dense=False)
    vectors.load_state_dict(dense.state_dict())
    images = images_for(14)
    encoder = theirs(dense, CONFIGURATIONS[name].version, ["sentinel2_l2a", "sentinel1"])
    with torch.inference_mode():
        given = sample({"sentinel2_l2a": images[:, :12], "sentinel1": images[:, 12:]})
        tokens = encoder(given, patch, fast_pass=True)["tokens_and_masks"]
        mean = pooling.PoolingType.MEAN
        expected = tokens.pool_unmasked_tokens(mean, spatial_pooling=True).movedim(-1, 1)
        ours = dense(images, CONTEXT)
        torch.testing.assert_close(ours[-1], expected, rtol=1e-4, atol=1e-5)
        expected = tokens.pool_unmasked_tokens(mean)
        torch.testing.assert_close(vectors(images, CONTEXT), expected, rtol=1e-4, atol=1e-5)
    assert dense.shape == Maps((128,) * 4, (patch,) * 4)
    assert vectors.shape == Pooled(128)


@needed
def test_a_group_that_is_absent_is_what_the_library_masks() -> None:
    """Tokens of a masked group take part in nothing, and neither do those that are not made."""
    name = "olmoearth_v1_nano"
    backbone = built(name, S2, modalities=("sentinel2_l2a_10m_20m",))
    whole = drawn(built(name, S2))
    state = whole.state_dict()
    backbone.load_state_dict({key: state[key] for key in backbone.state_dict()})
    encoder, images = theirs(whole, "v1", ["sentinel2_l2a"]), images_for(12)
    given = sample({"sentinel2_l2a": images})
    given.sentinel2_l2a_mask[..., 2] = 3  # missing
    with torch.inference_mode():
        tokens = encoder(given, 8)["tokens_and_masks"].sentinel2_l2a[..., :2, :]
        ours = backbone(images[:, :10], CONTEXT)[-1]
    torch.testing.assert_close(ours, tokens.mean(dim=(3, 4)).movedim(-1, 1), rtol=1e-4, atol=1e-5)


@needed
@pytest.mark.parametrize("name", [NANOS[0], NANOS[2]])
def test_images_of_any_size_and_form(name: str) -> None:
    backbone = drawn(built(name, RADAR, size=(20, 40)))
    with torch.inference_mode():
        maps = backbone(images_for(2, (20, 40)), CONTEXT)
        assert [tuple(level.shape) for level in maps] == [(2, 128, 3, 5)] * 4
        maps = backbone(images_for(2, (24, 8)), CONTEXT)
        assert maps[0].shape[2:] == (3, 1)
        one = images_for(2, frames=1)
        torch.testing.assert_close(backbone(one[:, :, 0]), backbone(one))
        # The codes of a narrow grid are those of the square that holds it.
        encoder: Any = backbone.encoder
        square = images_for(2, (24, 24))
        part = encoder.parts[0]
        narrow = encoder._embedded(part, square[..., :8], TIMESTAMPS)
        torch.testing.assert_close(
            narrow, encoder._embedded(part, square, TIMESTAMPS)[:, :, :1], rtol=1e-5, atol=1e-5
        )


@needed
@pytest.mark.parametrize("name", ["olmoearth_v1_nano", "olmoearth_v1_2_nano"])
def test_unknown_dates_are_a_month_apart(name: str) -> None:
    backbone, images = built(name, RADAR, dense=False, month=12), images_for(2)
    # Of 1.2 only distances count: 31 days from December to January.
    told = Context(torch.tensor([[[2020.0, 350.0], [2021.0, 15.0]]] * 2))
    unknown = Context(torch.full((2, 2, 2), math.nan))
    with torch.inference_mode():
        expected = backbone(images, told)
        torch.testing.assert_close(backbone(images), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(backbone(images, unknown), backbone(images))
        assert not torch.allclose(backbone(images, CONTEXT), expected, rtol=1e-4, atol=1e-5)
        blind = built(name, RADAR, dense=False, month=12, coordinates=False)
        torch.testing.assert_close(blind(images, CONTEXT), expected, rtol=1e-4, atol=1e-5)


def test_timestamps_are_the_calendars() -> None:
    for year in (1900, 2000, 2019, 2020):
        days = [date.fromordinal(date(year, 1, 1).toordinal() + n) for n in range(365)]
        given = torch.tensor([[float(year), day.timetuple().tm_yday] for day in days])
        assert timestamps_of(given).tolist() == [[d.day, d.month - 1, d.year] for d in days]


# Weights


def published(version: str) -> dict[str, Tensor]:
    """A checkpoint as the library's authors save it: all parts, all nine kinds of data."""
    torch.manual_seed(2)
    whole = importlib.import_module(LIBRARY).OlmoEarthPretrain_v1("nano", version).model
    found: dict[str, Tensor] = whole.state_dict()
    return found


@needed
@pytest.mark.parametrize("name", ["olmoearth_v1_nano", "olmoearth_v1_2_nano"])
def test_a_published_file_loads_strictly(name: str, tmp_path: Path) -> None:
    saved = published(CONFIGURATIONS[name].version)
    path = tmp_path / "weights.pth"
    torch.save({**saved, "encoder.composite_encodings.pos_embed": torch.zeros(12, 32)}, path)
    backbone = built(name, weights=str(path))
    for key, value in backbone.get_submodule("encoder").state_dict().items():
        assert torch.equal(value, saved[f"encoder.{key}"]), key
    with torch.inference_mode():
        assert all(level.isfinite().all() for level in backbone(images_for(14), CONTEXT))
    shallow = built(name, weights=str(path), depth=2)
    assert len(shallow.blocks()) == 2
    torch.save({k: v for k, v in saved.items() if k != "encoder.norm.bias"}, path)
    with pytest.raises(RequestError, match=r"lacks weights of the model: norm\.bias"):
        built(name, weights=str(path))
    torch.save({**saved, "encoder.teacher": torch.zeros(1)}, path)
    with pytest.raises(RequestError, match="does not have: teacher"):
        built(name, weights=str(path))


@needed
def test_the_hubs_file_is_asked_for_by_the_librarys_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    name = "olmoearth_v1_2_nano"
    with pytest.raises(RequestError, match="OlmoEarth-v1_2-Nano") as caught:
        built(name, weights="hub")
    file = CARDS[name].file
    assert file is not None
    place = files.place(file)
    assert str(place) in str(caught.value)
    place.parent.mkdir(parents=True, exist_ok=True)
    torch.save(published("v1.2"), place)  # carried there by hand
    assert isinstance(built(name, weights="hub"), Backbone)


# Ways to fine-tune


@needed
@pytest.mark.parametrize(
    ("way", "options"), [("last_k", {"k": 2}), ("layerwise", {}), ("lora", {"rank": 2})]
)
def test_it_is_tuned_by_blocks(way: str, options: dict[str, Any]) -> None:
    if way == "lora":
        pytest.importorskip("peft", reason="needs peft")
    backbone = built("olmoearth_v1_2_nano", RADAR, dense=False)
    assert len(backbone.blocks()) == 4
    model = Model(backbone, nn.Identity(), backbone.multiple, tuned(way, **options)).train()
    model.encode(images_for(2), CONTEXT).square().mean().backward()
    trained = {k for k, v in model.backbone.named_parameters() if v.grad is not None}
    assert trained
    if way != "layerwise":
        numbers = {int(k.split("blocks.")[1][0]) for k in trained if "blocks." in k}
        assert numbers == ({2, 3} if way == "last_k" else {0, 1, 2, 3})


@needed
def test_a_sensor_is_taken_once() -> None:
    with pytest.raises(RequestError, match="bands of one sensor"):
        built("olmoearth_v1_nano", modalities=("sentinel2_l2a", "sentinel2_l2a_10m"))


def test_every_modality_has_the_bands_of_its_part() -> None:
    for name, known in CARDS.items():
        parts = PARTS[CONFIGURATIONS[name].version]
        assert {m.name: len(m.bands) for m in known.modalities} == {
            key: sum(part.counts) for key, part in parts.items()
        }

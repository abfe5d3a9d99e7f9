"""Prithvi-WxC: what it declares, and that it computes what its authors' library does."""

from __future__ import annotations

import importlib
import importlib.util
import math
import warnings
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn
from tuning_support import tuned

from iterate_core.data.bands import describe
from iterate_core.data.dataset import Band
from iterate_core.data.merra2 import CLIMATE, FIELDS, STATIC
from iterate_core.errors import RequestError
from iterate_core.hub import files
from iterate_core.models.assembly import Model
from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.matching import match_bands
from iterate_core.models.backbones.prithviwxc import card
from iterate_core.models.backbones.prithviwxc.backbone import PrithviWxcBackbone, days_of
from iterate_core.models.backbones.prithviwxc.card import CARDS, LIBRARY
from iterate_core.models.backbones.prithviwxc.encoder import PrithviWxcEncoder, load_prithviwxc
from iterate_core.models.backbones.prithviwxc.options import PrithviWxcOptions
from iterate_core.models.backbones.transformer.card import Configuration
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps, Pooled
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

HAS_IT = importlib.util.find_spec(LIBRARY) is not None
needed = pytest.mark.skipif(not HAS_IT, reason="needs prithviwxc")
NAME = "prithvi_wxc_600"
EVERY = (*FIELDS, *STATIC, *CLIMATE)
TINY = Configuration("tiny", 32, 5, 4, 2, 360, 0, None)
DATES = ((2020, 3, 1), (2020, 3, 2)), ((2018, 12, 31), (2019, 1, 1))
DAYS = [[[year, date(year, *rest).timetuple().tm_yday] for year, *rest in one] for one in DATES]
CONTEXT = Context(torch.tensor(DAYS, dtype=torch.float32), torch.tensor([[46.9, 7.4], [-33, 18.0]]))


def options_of(**more: Any) -> PrithviWxcOptions:
    given = {"name": NAME, "weights": "none", "unit": (8, 4), **more}
    return parse(PrithviWxcOptions, given, "model.backbone")


def inputs_of(
    options: PrithviWxcOptions,
    bands: tuple[Band, ...],
    size: tuple[int, int] = (16, 12),
    dense: bool = True,
    frames: int = 2,
    metres: float | None = None,
) -> Inputs:
    matching = match_bands(CARDS[NAME], bands, options)
    return Inputs(matching.bands, size, dense, frames, metres, matching.modalities)


def tiny(names: tuple[str, ...] = EVERY, more: dict[str, Any] | None = None, **given: Any) -> Any:
    """A backbone of a width of 32, with random weights."""
    options = options_of(**(more or {}))
    torch.manual_seed(0)
    encoder = PrithviWxcEncoder(TINY, options.unit, options.shift)
    return PrithviWxcBackbone(encoder, inputs_of(options, describe(names), **given), options).eval()


def built(bands: tuple[Band, ...] = describe(FIELDS), frames: int = 2, **more: Any) -> Backbone:
    """As a recipe builds it: of the smallest that is published, some blocks."""
    options = options_of(**{"depth": 1, **more})
    inputs = inputs_of(options, bands, (8, 8), frames=frames)
    torch.manual_seed(0)
    made: Backbone = registries.backbones.get(NAME).load()(options, inputs, False)
    return made.eval()


def images_for(bands: int, size: tuple[int, int] = (16, 12), frames: int = 2) -> Tensor:
    return torch.randn(2, bands, frames, *size, generator=torch.Generator().manual_seed(5))


# What is declared


@needed
def test_fields_sizes_and_files_are_the_librarys() -> None:
    """Read from its files, which it does not close itself."""
    folder = Path(importlib.import_module(LIBRARY).__path__[0])
    theirs = yaml.safe_load((folder / "config_files" / "small.yaml").read_text())
    names = [*theirs["surface_vars"]]
    names += [f"{name}_level_{level}" for name in theirs["vertical_vars"]
              for level in theirs["levels"]]  # fmt: skip
    weather, static, _ = CARDS[NAME].modalities
    assert [band.common for band in weather.bands] == [band.common for band in describe(names)]
    assert [band.name for band in static.bands] == theirs["static_surface_vars"]
    configuration = card.CONFIGURATIONS[NAME]
    sizes = (theirs["embed_dim"], 2 * theirs["n_blocks_encoder"] + 1, theirs["n_heads"])
    assert (configuration.width, configuration.depth, configuration.heads) == sizes
    assert PrithviWxcOptions.model_fields["unit"].default == tuple(theirs["mask_unit_size_px"])
    assert PrithviWxcOptions.model_fields["shift"].default == theirs["encoder_shifting"]
    downloads = (folder / "download.py").read_text()
    for file in (known.file for known in CARDS.values() if known.file is not None):
        assert f'"{file.repository}"' in downloads
        assert f'"{file.filename}"' in downloads


def test_fields_go_by_the_names_of_merra_2() -> None:
    names = ("V10M", "2m_temperature", "T_level_72.0", "QV_level_34", "elevation")
    matching = match_bands(CARDS[NAME], describe(names), options_of(missing="zero"))
    assert matching.modalities == (("merra2", 160),)
    found = {m.band.name: m.source for m in matching.matches if m.source is not None}
    assert found == {"V10M": 0, "T2M": 1, "T_72": 2, "QV_34": 3}
    assert matching.notes[0] == "'EFLUX' (eflux) is filled with zeros, the mean after normalisation"
    assert matching.notes[-2:] == (
        "and so with 140 more channels of merra2",
        "not used: 'elevation'",
    )
    with pytest.raises(RequestError, match=r"lacks 'EFLUX' .* and 140 more") as caught:
        match_bands(CARDS[NAME], describe(names), options_of())
    assert "missing: zero" in str(caught.value)
    # What lies there and the climate are taken where they are whole.
    matching = match_bands(CARDS[NAME], describe(tuple(reversed(EVERY))), options_of())
    assert matching.modalities == (("merra2", 160), ("static", 4), ("climate", 160))
    assert [m.source for m in matching.matches] == list(reversed(range(324)))


def test_without_the_library_a_sentence_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "installed", lambda: False)
    assert card.entries() == ()
    with pytest.raises(RequestError, match="needs prithviwxc, which is not installed") as caught:
        card.check_installed(NAME)
    assert "pip install 'geo-iterate[wxc]'" in str(caught.value)
    card.check_installed("resnet18")
    if not HAS_IT:
        with pytest.raises(RequestError, match="needs prithviwxc"):
            registries.backbones.get(NAME)


# What is computed


def theirs(encoder: PrithviWxcEncoder, size: tuple[int, int], shift: bool = False) -> Any:
    """The library's whole model, which it builds itself, with the same weights."""
    library = importlib.import_module(f"{LIBRARY}.model")
    tall, wide = encoder.unit
    model = library.PrithviWxC(
        in_channels=160,
        input_size_time=2,
        in_channels_static=8,
        input_scalers_mu=torch.zeros(160),
        input_scalers_sigma=torch.ones(160),
        input_scalers_epsilon=0.0,
        static_input_scalers_mu=torch.zeros(1, 11),
        static_input_scalers_sigma=torch.ones(1, 11),
        static_input_scalers_epsilon=0.0,
        output_scalers=torch.ones(160),
        n_lats_px=size[0],
        n_lons_px=size[1],
        patch_size_px=(2, 2),
        mask_unit_size_px=(2 * tall, 2 * wide),
        mask_ratio_inputs=0.0,
        mask_ratio_targets=0.0,
        embed_dim=encoder.configuration.width,
        n_blocks_encoder=encoder.configuration.depth // 2,
        n_blocks_decoder=1,
        mlp_multiplier=4,
        n_heads=encoder.configuration.heads,
        dropout=0.0,
        drop_path=0.0,
        parameter_dropout=0.0,
        residual="climate",
        masking_mode="both",
        positional_encoding="fourier",
        encoder_shifting=shift,
    ).eval()
    lacking = model.load_state_dict(encoder.state_dict(), strict=False)
    assert lacking.unexpected_keys == []
    parts = ("decoder.", "unembed.", "mask_token", "input_scalers", "static_input", "output_sc")
    assert all(key.startswith(parts) for key in lacking.missing_keys)
    return model


def encoded(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """(n, width, rows, columns): what the library's encoder gives, nothing masked."""
    kept: list[Tensor] = []
    handle = model.encoder.register_forward_hook(lambda *given: kept.append(given[2]))
    library = importlib.import_module(f"{LIBRARY}.model")
    with warnings.catch_warnings(action="ignore"), torch.inference_mode():
        library.masked_inference(model, {**batch, "y": batch["x"][:, 0]})
    handle.remove()
    grid: Tensor = model.from_patching(kept[0])
    return grid


@needed
@pytest.mark.parametrize("shift", [False, True])
def test_maps_and_vectors_are_the_librarys(shift: bool) -> None:
    """With all that the model takes, put together by hand as the library's reader does."""
    more = {"shift": shift, "hour": 6.0, "lead_hours": 12.0, "degrees": (0.5, 0.625)}
    dense, images = tiny(more=more), images_for(len(EVERY))
    size = (images.shape[-2], images.shape[-1])
    latitudes = torch.tensor([46.9, -33.0])[:, None] + (7.5 - torch.arange(16)) * 0.5
    longitudes = torch.tensor([7.4, 18.0])[:, None] + (torch.arange(12) - 5.5) * 0.625
    day = torch.tensor([62.0, 1.0]) * 2 * math.pi / 366
    hour = torch.tensor([6.0, 6.0]) * 2 * math.pi / 24
    turns = latitudes[..., None].expand(-1, *size), longitudes[:, None].expand(-1, *size)
    given = [angles / 360 * 2 * math.pi for angles in turns]
    given += [code[:, None, None].expand(-1, *size)
              for code in (day.cos(), day.sin(), hour.cos(), hour.sin())]  # fmt: skip
    batch = {
        "x": images[:, :160].transpose(1, 2),
        "static": torch.cat([torch.stack(given, dim=1), images[:, 160:164, 1]], dim=1),
        "climate": images[:, 164:, 1],
        "input_time": torch.tensor([24.0, 24.0]),
        "lead_time": torch.tensor([12.0, 12.0]),
    }
    expected = encoded(theirs(dense.encoder, size, shift), batch)
    with torch.inference_mode():
        maps = dense(images, CONTEXT)
        torch.testing.assert_close(maps[-1], expected, rtol=1e-6, atol=1e-6)
        vectors = tiny(more=more, dense=False)
        mean = expected.mean(dim=(2, 3))
        torch.testing.assert_close(vectors(images, CONTEXT), mean, rtol=1e-6, atol=1e-6)
    assert dense.shape == Maps((32,) * 4, (2,) * 4)
    assert vectors.shape == Pooled(32)


@needed
def test_what_is_unknown_is_left_out() -> None:
    """Of the library's model: zeros, and no code of a place, which it always has."""
    backbone, images = tiny(FIELDS), images_for(160)
    model = theirs(backbone.encoder, (16, 12))
    model.fourier_pos_encoding = lambda static: torch.zeros(2, 32, 8, 6)
    batch = {
        "x": images.transpose(1, 2),
        "static": torch.zeros(2, 10, 16, 12),
        "climate": torch.zeros(2, 160, 16, 12),
        "input_time": torch.full((2,), 6.0),
        "lead_time": torch.zeros(2),
    }
    unknown = Context(torch.full((2, 2, 2), math.nan), torch.full((2, 2), math.nan))
    with torch.inference_mode():
        expected = encoded(model, batch)
        torch.testing.assert_close(backbone(images)[-1], expected, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(backbone(images, unknown)[-1], expected, rtol=1e-6, atol=1e-6)
        assert not torch.allclose(backbone(images, CONTEXT)[-1], expected, atol=1e-3)
        blind = tiny(FIELDS, {"coordinates": False})
        torch.testing.assert_close(blind(images, CONTEXT)[-1], expected, rtol=1e-6, atol=1e-6)
        # One date stands for both.
        one = images[:, :, :1]
        twice = backbone(one.expand(-1, -1, 2, -1, -1))
        for image in (one, one[:, :, 0]):
            torch.testing.assert_close(backbone(image), twice, rtol=1e-6, atol=1e-6)


@needed
@pytest.mark.parametrize("shift", [False, True])
def test_images_of_any_size_are_padded_to_whole_units(shift: bool) -> None:
    backbone = tiny(FIELDS, {"shift": shift}, size=(9, 6))
    images = images_for(160, (9, 6))
    whole = torch.nn.functional.pad(images.flatten(0, 1), (0, 2, 0, 7), mode="replicate")
    with torch.inference_mode():
        maps = backbone(images)
        assert [tuple(level.shape) for level in maps] == [(2, 32, 5, 3)] * 4
        expected = backbone(whole.view(2, 160, 2, 16, 8))
        for level, all_of_it in zip(maps, expected, strict=True):
            torch.testing.assert_close(level, all_of_it[..., :5, :3], rtol=1e-5, atol=1e-6)


@needed
def test_shifted_maps_stand_where_they_belong() -> None:
    """A patch that differs changes what is mapped of it most, after every block."""
    backbone = tiny(FIELDS, {"shift": True, "taps": (0, 1, 2, 3, 4)})
    images = images_for(160)
    other = images.clone()
    other[..., 6:8, 4:6] += 3
    with torch.inference_mode():
        pairs = zip(backbone(images), backbone(other), strict=True)
        for one, changed in pairs:
            change = (changed - one).square().sum(dim=(0, 1))
            assert divmod(int(change.argmax()), 6) == (3, 2)


@needed
def test_places_take_the_ground_size() -> None:
    """0.5 degrees are 55,660 m; at 60° a degree of longitude is half as long."""
    context = Context(None, torch.tensor([[60.0, 10.0]] * 2))
    images = images_for(160)
    told = tiny(FIELDS, {"degrees": (0.5, 1.0)})
    with torch.inference_mode():
        expected = told(images, context)
        measured = tiny(FIELDS, metres=55_660.0)(images, context)
        torch.testing.assert_close(measured, expected, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(tiny(FIELDS)(images, context)[-1], expected[-1], atol=1e-3)


def test_days_are_the_calendars() -> None:
    for year in (1900, 1980, 2000, 2019, 2020):
        first = date(year, 12, 31)
        pairs = [(first.year, first.timetuple().tm_yday), (year + 1, 1)]
        one, next_one = days_of(torch.tensor(pairs, dtype=torch.float32))
        assert next_one - one == 1
        assert one == (first - date(2000, 12, 31)).days


@needed
def test_what_it_cannot_take_is_refused() -> None:
    with pytest.raises(RequestError, match="takes one date or two, and the dataset has 3"):
        built(frames=3)
    with pytest.raises(RequestError, match="must name 'merra2'"):
        built(describe(STATIC), modalities=("static",))
    with pytest.raises(RequestError, match="multiple of 2"):
        options_of(unit=(7, 8))


# Weights


def published(path: Path, **more: Tensor) -> dict[str, Tensor]:
    """A checkpoint as the library's authors save it, of a width of 32."""
    torch.manual_seed(2)
    saved: dict[str, Tensor] = theirs(PrithviWxcEncoder(TINY, (8, 4)), (8, 4)).state_dict()
    torch.save({"model_state": {**saved, **more}}, path)
    return saved


@needed
def test_a_published_file_loads_strictly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(card.CONFIGURATIONS, NAME, TINY)
    path = tmp_path / "weights.pt"
    saved = published(path)
    backbone = built(weights=str(path), depth=None)
    for key, value in backbone.get_submodule("encoder").state_dict().items():
        assert torch.equal(value, saved[key]), key
    with torch.inference_mode():
        assert all(level.isfinite().all() for level in backbone(images_for(160, (8, 8))))
    assert len(built(weights=str(path), depth=2).blocks()) == 2
    published(path, **{"encoder.lgl_block.transformers.5.ff.0.bias": torch.zeros(32)})
    with pytest.raises(RequestError, match=r"does not have: encoder\.lgl_block\.transformers\.5"):
        built(weights=str(path), depth=None)
    lacking = {key: value for key, value in saved.items() if key != "lead_time_embedding.bias"}
    torch.save(lacking, path)
    with pytest.raises(RequestError, match=r"lacks weights of the model: lead_time_embedding"):
        built(weights=str(path), depth=None)


@needed
def test_a_file_of_granitewxc_is_told_apart() -> None:
    key = "backbone.lgl_block.transformers.0.ff.0.bias"
    with pytest.raises(RequestError, match=r"x\.pt is of a model that granitewxc fine-tuned"):
        load_prithviwxc(PrithviWxcEncoder(TINY), {key: torch.zeros(32)}, "x.pt")


@needed
def test_the_hubs_file_is_asked_for_by_the_librarys_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(RequestError, match=r"no weights of Prithvi-WxC 600M are published"):
        built(weights="hub")
    with pytest.raises(RequestError, match=r"Prithvi-WxC-1\.0-2300M") as caught:
        built(name="prithvi_wxc_2300", weights="hub")
    file = CARDS["prithvi_wxc_2300"].file
    assert file is not None
    assert str(files.place(file)) in str(caught.value)


# Ways to fine-tune


@needed
@pytest.mark.parametrize(
    ("way", "options"), [("full", {}), ("frozen", {}), ("last_k", {"k": 2}), ("lora", {"rank": 2})]
)
def test_it_is_tuned_by_blocks(way: str, options: dict[str, Any]) -> None:
    if way == "lora":
        pytest.importorskip("peft", reason="needs peft")
    backbone = tiny(FIELDS, dense=False)
    assert len(backbone.blocks()) == 5
    model = Model(backbone, nn.Identity(), backbone.multiple, tuned(way, **options)).train()
    features = model.encode(images_for(160), CONTEXT)
    if way == "frozen":
        assert not features.requires_grad
        return
    features.square().mean().backward()
    trained = {k for k, v in model.backbone.named_parameters() if v.grad is not None}  # type: ignore[union-attr]
    numbers = {int(k.split("transformers.")[1][0]) for k in trained if "transformers." in k}
    assert numbers == ({3, 4} if way == "last_k" else {0, 1, 2, 3, 4})
    if way == "lora":
        layers = {k.split(".lora_")[0].split("transformers.")[1][2:] for k in trained}
        attention = {"attention.1.qkv_layer", "attention.1.w_layer"}
        assert layers == attention | {"ff.1.net.0", "ff.1.net.3"}
    if way == "full":
        assert trained == {k for k, _ in backbone.named_parameters()}

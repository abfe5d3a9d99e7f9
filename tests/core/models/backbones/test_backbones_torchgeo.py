"""The encoders that TorchGeo builds: what they declare, what they load, what they compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torchgeo.models
from torch import Tensor, nn
from torchvision.models._api import WeightsEnum  # type: ignore[import-untyped]

from iterate_core.data.bands import describe
from iterate_core.data.dataset import Band
from iterate_core.data.loading.scaling import Scaling
from iterate_core.data.units import Channel, converted
from iterate_core.errors import RequestError
from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.matching import match_bands
from iterate_core.models.backbones.torchgeo.cards import CARDS, PUBLISHED
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

S2 = describe([f"B{number:02}" for number in range(1, 9)] + ["B8A", "B09", "B10", "B11", "B12"])


def inputs(
    bands: tuple[Band, ...],
    size: tuple[int, int],
    dense: bool,
    modalities: tuple[tuple[str, int], ...] = (),
    metres: float | None = 10.0,
) -> Inputs:
    return Inputs(bands, size, dense, 1, metres, modalities)


def built(name: str, given: Inputs, weights: Any = "none", **options: Any) -> Backbone:
    entry = registries.backbones.get(name)
    chosen = parse(
        entry.load_options(), {"name": name, "weights": str(weights), **options}, "model.backbone"
    )
    torch.manual_seed(0)
    backbone: Backbone = entry.load()(chosen, given, False)
    return backbone.eval()


def published_bands(name: str) -> tuple[Band, ...]:
    return CARDS[name].modalities[0].bands


def drawn(module: nn.Module) -> nn.Module:
    """The module with random numbers everywhere, also where it starts from zeros and ones."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(0.05 * torch.randn(value.shape, generator=generator) + 0.02)
    return module.eval()


# What is declared


LEFT_OUT = {
    # DOFA is built natively; the others are no encoders of images, or not of the Earth.
    *("Aurora_Weights", "DOFABase16_Weights", "DOFALarge16_Weights", "Unet_Weights"),
    *("Swin_T_Weights", "Swin_S_Weights", "Swin_B_Weights"),
    # Newer than 0.8: Presto is built natively, Tessera is tested by itself, TileNet not offered.
    *("Presto_Weights", "Tessera_Weights", "TileNet_Weights"),
    *("DEO_Weights", "OlmoEarthV1_Weights", "SatCLIP_Weights"),
}
NO_DATASET_HAS_ITS_BANDS = {"torchgeo/seco-eco-ndvi"}
REPUBLISHED = {
    "isaaccorley/vit_large_patch16_224_fmow_rgb_scalemae",
    "torchgeo/earthloc",
    "torchgeo/seco-eco",
}
"""TorchGeo 0.10 pins newer files of these; ours are the ones that 0.8 and 0.9 pin."""


def torchgeo_weights() -> list[Any]:
    found = []
    for name in dir(torchgeo.models):
        kind = getattr(torchgeo.models, name)
        if isinstance(kind, type) and issubclass(kind, WeightsEnum) and name not in LEFT_OUT:
            found += list(kind)
    return found


def address(weights: Any) -> tuple[str, str, str]:
    """Repository, revision and file of a set of weights."""
    place, _, file = weights.url.partition("/resolve/")
    revision, _, filename = file.partition("/")
    return same_if_republished("/".join(place.split("/")[-2:]), revision, filename)


def same_if_republished(repository: str, revision: str, filename: str) -> tuple[str, str, str]:
    """Old and new files of a repository that was published anew count as one."""
    if repository in REPUBLISHED:
        return repository, "", filename.rpartition("-")[0]
    return repository, revision, filename


def test_files_are_those_that_torchgeo_pins() -> None:
    theirs = {address(weights) for weights in torchgeo_weights()}
    theirs = {place for place in theirs if place[0] not in NO_DATASET_HAS_ITS_BANDS}
    ours = [
        same_if_republished(card.file.repository, card.file.revision or "", card.file.filename)
        for card in CARDS.values()
        if card.file is not None
    ]
    assert len(set(ours)) == len(ours) == len(CARDS)
    assert set(ours) == theirs


BY_ADDRESS = {address(weights): weights for weights in torchgeo_weights()}


def weights_of(name: str) -> Any:
    file = CARDS[name].file
    assert file is not None
    return BY_ADDRESS[same_if_republished(file.repository, file.revision or "", file.filename)]


@pytest.mark.parametrize("name", [n for n in CARDS if weights_of(n).meta.get("bands")])
def test_bands_are_those_of_the_weights_in_their_order(name: str) -> None:
    said = [band.upper() for band in weights_of(name).meta["bands"]]
    names = [band.name.upper() for band in published_bands(name)]
    if PUBLISHED[name].name.startswith(("satlas", "earthloc")):
        colours = {"B04": "RED", "B4": "RED", "R": "RED", "B03": "GREEN", "B3": "GREEN"}
        colours |= {"G": "GREEN", "B02": "BLUE", "B2": "BLUE", "B": "BLUE"}
        sentinel2 = "sentinel2" in name or name.startswith("earthloc")
        if sentinel2 or "aerial" in name:
            said = [colours.get(band, band) for band in said]
    plain = [band.replace("B0", "B") for band in said]
    assert [band.replace("B0", "B") for band in names] == plain


OWN_NORMALISATION = ("seco_resnet", "ssl4eo_l", "copernicus_fm")


@pytest.mark.parametrize("name", [n for n in CARDS if not n.startswith(OWN_NORMALISATION)])
def test_pixels_are_normalised_as_torchgeo_does(name: str) -> None:
    steps = [
        step
        for step in getattr(weights_of(name).transforms, "children", list)()
        if hasattr(step, "mean")
    ]
    modality = CARDS[name].modalities[0] if CARDS[name].modalities else None
    if not steps:
        assert modality is None or not modality.mean
        return
    assert modality is not None
    generator = np.random.default_rng(0)
    raw = torch.from_numpy(generator.uniform(0, 250, (2, len(modality.bands), 3, 3))).float()
    expected = raw.clone()
    for step in steps:
        expected = step(expected)
    channels = [modality.normal(index) for index in range(len(modality.bands))]
    with_source = [_at(channel, index) for index, channel in enumerate(channels)]
    ours = Scaling(tuple(with_source), (3, 3)).apply(raw)
    low = modality.low if isinstance(modality.low, float) else min(modality.low)
    torch.testing.assert_close(ours, expected.clamp(min=low))


def _at(channel: Channel | None, source: int) -> Channel:
    assert channel is not None
    values = {name: getattr(channel, name) for name in ("shift", "scale", "low", "high", "steps")}
    return Channel(source, None, **values)


def scaled(name: str, common: str, unit: str, pixels: list[float]) -> list[float]:
    """Pixels of a band in a unit, as the backbone takes them."""
    modality = CARDS[name].modalities[0]
    index = next(i for i, band in enumerate(modality.bands) if band.common == common)
    normal = modality.normal(index)
    assert normal is not None
    channel = converted(_at(normal, 0), unit, modality.bands[index].unit)
    assert channel is not None
    raw = torch.tensor(pixels).view(-1, 1, 1, 1)
    return Scaling((channel,), (1, 1)).apply(raw).flatten().tolist()


def test_satlas_gets_true_colour_and_numbers_over_8160() -> None:
    name = "satlas_swinb_sentinel2_si_ms"
    # ESA's true colour is 255 at a reflectance of 0.3558.
    expected = [0.0, 0.1 / 0.3558, 1.0, 1.0]
    assert scaled(name, "red", "dn", [0, 1000, 3558, 9000]) == pytest.approx(expected)
    assert scaled(name, "red", "uint8", [0, 51, 255]) == pytest.approx([0, 0.2, 1])
    assert scaled(name, "nir", "dn", [0, 4080, 8160, 9000]) == pytest.approx([0, 0.5, 1, 1])
    assert scaled(name, "nir", "reflectance", [0.408]) == pytest.approx([0.5])
    landsat = "satlas_swinb_landsat_si"
    assert scaled(landsat, "red", "landsat_toa", [4000, 12160, 3000]) == pytest.approx([0, 0.5, 0])
    # (0.1432 reflectance + 0.1) / 2e-5 = 12160
    assert scaled(landsat, "red", "dn", [1432]) == pytest.approx([0.5])


def test_thermal_and_raw_radar_bands_are_not_taken_for_anything_else() -> None:
    assert converted(Channel(0), "dn", "kelvin") is None
    assert converted(Channel(0), "landsat_toa", "landsat_tir") is None
    assert converted(Channel(0), "db", "grd") is None
    name = "ssl4eo_l_resnet18_oli_tirs_toa_moco"
    assert scaled(name, "tir_1", "kelvin", [248.15, 283.15, 400]) == pytest.approx([0, 0.5, 1])


@pytest.mark.parametrize(("product", "bright"), [("oli_tirs_toa", 0.4), ("oli_sr", 0.3)])
def test_landsat_of_ssl4eo_l_spans_the_reflectances_of_its_8_bits(
    product: str, bright: float
) -> None:
    name = f"ssl4eo_l_resnet50_{product}_simclr"
    unit, gain, offset = ("landsat_toa", 2e-5, -0.1) if "toa" in product else (
        *("landsat_sr", 2.75e-5, -0.2),
    )  # fmt: skip
    numbers = [(value - offset) / gain for value in (0.0, bright / 4, bright, 0.9)]
    assert scaled(name, "nir", unit, numbers) == pytest.approx([0, 0.25, 1, 1], abs=1e-6)


def test_seasonal_contrast_is_stretched_by_each_bands_own_quantiles() -> None:
    quantiles = {"red": (0, 129), "green": (2, 103), "blue": (3, 88)}
    imagenet = {"red": (0.485, 0.229), "green": (0.456, 0.224), "blue": (0.406, 0.225)}
    for common, (low, high) in quantiles.items():
        mean, std = imagenet[common]
        for number in (0.0, 700.0, 2500.0, 9000.0):
            stored = number / 10_000 * 255
            stretched = min(max((stored - low) / (high - low), 0), 1)
            ours = scaled("seco_resnet50_sentinel2_rgb", common, "dn", [number])
            assert ours == pytest.approx([(stretched - mean) / std], abs=1e-5)


# What they compute, beside TorchGeo's own classes with the same weights


@pytest.mark.parametrize("size", [(64, 64), (96, 160)])
def test_resnet_maps_and_vector_are_timms(size: tuple[int, int]) -> None:
    name = "ssl4eo_s12_resnet18_sentinel2_moco"
    dense = built(name, inputs(S2, size, dense=True))
    pooled = built(name, inputs(S2, size, dense=False))
    peer = torchgeo.models.resnet18(in_chans=13, num_classes=0).eval()
    peer.load_state_dict(dense.model.state_dict())
    images = torch.randn(2, 13, *size)
    with torch.inference_mode():
        stages = [peer.act1(peer.bn1(peer.conv1(images)))]
        deeper = peer.maxpool(stages[0])
        for layer in (peer.layer1, peer.layer2, peer.layer3, peer.layer4):
            deeper = layer(deeper)
            stages.append(deeper)
        for ours, theirs in zip(dense(images), stages, strict=True):
            torch.testing.assert_close(ours, theirs)
        torch.testing.assert_close(pooled(images), peer(images))
    assert dense.shape == Maps((64, 64, 128, 256, 512), (2, 4, 8, 16, 32))


@pytest.mark.parametrize("size", [(64, 64), (128, 96)])
def test_swin_maps_and_vector_are_torchvisions(size: tuple[int, int]) -> None:
    name = "satlas_swint_sentinel2_si_rgb"
    bands = published_bands(name)
    dense, pooled = (built(name, inputs(bands, size, dense=dense)) for dense in (True, False))
    peer = torchgeo.models.swin_v2_t().eval()
    peer.head = nn.Identity()
    peer.load_state_dict(pooled.model.state_dict())
    images = torch.rand(2, 3, *size)
    with torch.inference_mode():
        torch.testing.assert_close(pooled(images), peer(images))
        maps = dense(images)
        stage = images
        for index, layer in enumerate(peer.features):
            stage = layer(stage)
            if index % 2:
                torch.testing.assert_close(maps[index // 2], stage.permute(0, 3, 1, 2))
    assert dense.shape == Maps((96, 192, 384, 768), (4, 8, 16, 32))


@pytest.mark.parametrize(
    ("name", "builder", "arguments"),
    [
        ("ssl4eo_s12_vits16_sentinel2_dino", "vit_small_patch16_224", {}),
        ("ssl4eo_s12_vits14_sentinel2_softcon", "vit_small_patch14_dinov2", {"img_size": 224}),
    ],
)
def test_vit_is_timms_at_its_own_size_and_at_another(
    name: str, builder: str, arguments: dict[str, Any]
) -> None:
    patch = CARDS[name].patch or 0
    for size in ((224, 224), (patch * 6, patch * 9)):
        dense = drawn(built(name, inputs(S2, size, dense=True), depth=4))
        options = {"in_chans": 13, "num_classes": 0, "depth": 4, "dynamic_img_size": True}
        peer = getattr(torchgeo.models, builder)(**options, **arguments).eval()
        peer.load_state_dict(dense.model.state_dict())
        images = torch.randn(1, 13, *size)
        with torch.inference_mode():
            last, maps = peer.forward_intermediates(images, indices=[0, 1, 2, 3])
            ours = dense(images)
            for index in range(3):
                torch.testing.assert_close(ours[index], maps[index])
            torch.testing.assert_close(ours[3].flatten(2).transpose(1, 2), last[:, 1:])
            pooled = built(name, inputs(S2, size, dense=False), depth=4)
            pooled.model.load_state_dict(peer.state_dict())
            torch.testing.assert_close(pooled(images), peer(images))


@pytest.mark.parametrize("metres", [0.3, 10.0])
@pytest.mark.parametrize("side", [224, 96])
def test_scale_mae_is_torchgeos_at_every_ground_size(side: int, metres: float) -> None:
    bands = published_bands("scalemae_large")
    given = inputs(bands, (side, side), dense=False, metres=metres)
    ours = drawn(built("scalemae_large", given, depth=2))
    peer = torchgeo.models.ScaleMAE(
        res=metres,
        img_size=side,
        patch_size=16,
        embed_dim=1024,
        depth=2,
        num_heads=16,
        num_classes=0,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),  # type: ignore[arg-type]
    ).eval()
    state = ours.model.state_dict()
    peer.load_state_dict({**state, "pos_embed": peer.state_dict()["pos_embed"]})
    images = torch.randn(2, 3, side, side)
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), peer(images), rtol=1e-4, atol=1e-5)


def test_scale_mae_refuses_images_of_unknown_ground_size() -> None:
    bands = published_bands("scalemae_large")
    with pytest.raises(RequestError, match="needs the ground size of a pixel"):
        built("scalemae_large", inputs(bands, (32, 32), dense=True, metres=None), depth=1)
    given = inputs(bands, (32, 32), dense=True, metres=None)
    assert built("scalemae_large", given, depth=1, metres=2.5).model.res == 2.5


RADAR = describe(("VV", "VH"))
TWELVE = tuple(band for band in S2 if band.common != "cirrus")


@pytest.mark.parametrize("side", [120, 72])
@pytest.mark.parametrize("sensors", [("optical",), ("sar",), ("optical", "sar")])
def test_croma_is_torchgeos(sensors: tuple[str, ...], side: int) -> None:
    bands = {"optical": TWELVE, "sar": RADAR}
    modalities = tuple((name, len(bands[name])) for name in sensors)
    channels = tuple(band for name in sensors for band in bands[name])
    given = inputs(channels, (side, side), dense=False, modalities=modalities)
    pooled = drawn(built("croma_base", given, depth=2))
    dense = built("croma_base", replace(given, dense=True), depth=2)
    dense.model.load_state_dict(pooled.model.state_dict(), strict=False)
    peer = torchgeo.models.CROMA(list(sensors), encoder_depth=2, image_size=side).eval()
    missing, left_over = peer.load_state_dict(pooled.model.state_dict(), strict=False)
    assert not left_over
    assert all(name == "attn_bias" or "GAP_FFN" in name for name in missing)
    images = torch.randn(2, len(channels), side, side)
    parts = dict(zip(sensors, images.split([count for _, count in modalities], 1), strict=True))
    with torch.inference_mode():
        theirs = peer(x_sar=parts.get("sar"), x_optical=parts.get("optical"))
        key = "joint" if len(sensors) > 1 else sensors[0]
        torch.testing.assert_close(pooled(images), theirs[f"{key}_GAP"], rtol=1e-4, atol=1e-5)
        last = dense(images)[-1].flatten(2).transpose(1, 2)
        torch.testing.assert_close(last, theirs[f"{key}_encodings"], rtol=1e-4, atol=1e-5)


def test_panopticon_is_torchgeos_for_optical_and_radar_channels() -> None:
    bands = (S2[3], S2[7], S2[11], *RADAR)
    ids = [665, 842, 1610, -1, -2]
    for side in (224, 70):
        ours = drawn(built("panopticon_base", inputs(bands, (side, side), dense=False), depth=1))
        peer = torchgeo.models.Panopticon(img_size=side).eval()
        peer.model.blocks = peer.model.blocks[:1]
        peer.model.load_state_dict(ours.model.state_dict())
        images = torch.randn(2, 5, side, side)
        with torch.inference_mode():
            theirs = peer({"imgs": images, "chn_ids": torch.tensor([ids, ids])})
            torch.testing.assert_close(ours(images), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", [224, 112])
@pytest.mark.parametrize("known", [True, False])
def test_copernicus_fm_is_torchgeos_with_and_without_what_it_may_be_told(
    known: bool, side: int
) -> None:
    bands = (S2[1], S2[2], S2[3], S2[7])
    metres = 10.0 if known else None
    given = inputs(bands, (side, side), dense=False, metres=metres)
    ours = drawn(built("copernicus_fm_base", given, depth=2))
    peer = torchgeo.models.CopernicusFM(embed_dim=768, depth=2, num_heads=12).eval()
    missing, left_over = peer.load_state_dict(ours.model.state_dict(), strict=False)
    assert not left_over
    assert all(name.startswith("patch_embed_variable.") for name in missing)
    images = torch.randn(2, 4, side, side)
    unknown = torch.full((2, 4), float("nan"))
    # 1970-01-01 plus 19,000 days is 2022-01-08.
    told = torch.tensor([[7.44, 46.95, 19_000.0, 0.0256], [-151.2, -33.86, 19_000.0, 0.0256]])
    context = Context(
        torch.tensor([[[2022.0, 8.0]], [[2022.0, 8.0]]]),
        torch.tensor([[46.95, 7.44], [-33.86, -151.2]]),
    )
    with torch.inference_mode():
        theirs = peer(images, told if known else unknown, [490, 560, 665, 842], [65, 35, 30, 115])
        outputs = ours(images, context if known else None)
        torch.testing.assert_close(outputs, theirs, rtol=1e-4, atol=1e-5)
        if known:
            apart = Context(context.dates, context.places)
            assert apart.places is not None
            apart.places[1] = float("nan")
            assert not torch.equal(ours(images, apart)[1], outputs[1])
            torch.testing.assert_close(ours(images, apart)[0], outputs[0])


def test_copernicus_fm_asks_for_widths_it_does_not_know() -> None:
    bands = (Band("odd", "yellow", 0.605),)
    with pytest.raises(RequestError, match="needs the width of odd"):
        built("copernicus_fm_base", inputs(bands, (32, 32), dense=True), depth=1)
    built("copernicus_fm_base", inputs(bands, (32, 32), True), depth=1, bandwidths={"odd": 40.0})


def test_earthloc_gives_torchgeos_descriptor_and_maps_of_any_size() -> None:
    name = "earthloc_resnet50"
    bands = published_bands(name)
    pooled = built(name, inputs(bands, (64, 64), dense=False))
    peer = torchgeo.models.EarthLoc(image_size=64, pretrained=False).eval()
    peer.load_state_dict(pooled.model.state_dict())
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(pooled(images), peer(images))
    dense = built(name, inputs(bands, (48, 80), dense=True))
    assert dense.shape == Maps((64, 256, 512, 1024), (2, 4, 8, 16))


# What they load


@pytest.fixture
def save(tmp_path: Any) -> Callable[[Any], str]:
    def write(state: Any) -> str:
        path = str(tmp_path / "weights.pth")
        torch.save(state, path)
        return path

    return write


def shifted(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in drawn(module).state_dict().items()}


def test_published_resnets_lose_their_classifier_and_nothing_else(
    save: Callable[[Any], str],
) -> None:
    name = "ssl4eo_s12_resnet18_sentinel2_moco"
    given = inputs(S2, (64, 64), dense=True)
    state = shifted(torchgeo.models.resnet18(in_chans=13))
    loaded = built(name, given, save(state)).model.state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in loaded)
    assert {*state} - {*loaded} == {"fc.weight", "fc.bias"}
    with pytest.raises(RequestError, match=r"lacks weights of the model: layer3\.0\.conv1\.weight"):
        built(name, given, save({k: v for k, v in state.items() if k != "layer3.0.conv1.weight"}))
    with pytest.raises(RequestError, match="holds weights that the model does not have: extra"):
        built(name, given, save({**state, "extra": torch.zeros(1)}))
    with pytest.raises(RequestError, match=r"holds weights of another shape: conv1\.weight"):
        built(name, given, save(shifted(torchgeo.models.resnet18(in_chans=3))))


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("ssl4eo_s12_resnet18_sentinel2_rgb_moco", "conv1.weight"),
        ("satlas_swint_sentinel2_si_rgb", "features.0.0.weight"),
    ],
)
def test_further_bands_get_random_weights_from_the_seed(
    name: str, first: str, save: Callable[[Any], str]
) -> None:
    bands = published_bands(name)
    original = built(name, inputs(bands, (64, 64), dense=False)).model.state_dict()
    file = save(original)
    wider = (*bands, Band("nir", "nir", 0.842))
    states = [
        built(name, inputs(wider, (64, 64), dense=False), file, extra="random").model.state_dict()
        for _ in range(2)
    ]
    torch.testing.assert_close(states[0][first], states[1][first], rtol=0, atol=0)
    torch.testing.assert_close(states[0][first][:, :3], original[first], rtol=0, atol=0)
    added = states[0][first][:, 3]
    assert 0.5 < float(added.std() / original[first].std()) < 2


def test_croma_loads_the_parts_it_needs_of_a_file_that_keeps_them_apart(
    save: Callable[[Any], str],
) -> None:
    peer = drawn(torchgeo.models.CROMA(encoder_depth=4, image_size=8))
    parts = ("s1_encoder", "s1_GAP_FFN", "s2_encoder", "s2_GAP_FFN", "joint_encoder")
    file = save({part: getattr(peer, part).state_dict() for part in parts})
    state = peer.state_dict()
    for modalities, bands in (
        ((("sar", 2),), RADAR),
        ((("optical", 12), ("sar", 2)), (*TWELVE, *RADAR)),
    ):
        given = inputs(bands, (16, 16), dense=False, modalities=modalities)
        loaded = built("croma_base", given, file, depth=4).model.state_dict()
        assert loaded
        assert all(torch.equal(loaded[key], state[key]) for key in loaded)
    less = built("croma_base", given, file, depth=2).model.state_dict()
    assert all(torch.equal(less[key], state[key]) for key in less)
    assert "joint_encoder.layers.0.0.to_qkv.weight" in less
    assert "joint_encoder.layers.1.0.to_qkv.weight" not in less


def test_panopticon_and_copernicus_load_what_torchgeo_loads(save: Callable[[Any], str]) -> None:
    given = inputs(S2[1:4], (70, 70), dense=False)
    peer = torchgeo.models.Panopticon(img_size=518).model
    peer.blocks = peer.blocks[:2]
    state = {**shifted(peer), "mask_token": torch.zeros(1, 768)}
    resized = torchgeo.models.panopticon.resize_abs_pos_embed(state["pos_embed"], 5, 37)
    loaded = built("panopticon_base", given, save(state), depth=1).model.state_dict()
    torch.testing.assert_close(loaded.pop("pos_embed"), resized)
    assert all(torch.equal(loaded[key], state[key]) for key in loaded)

    peer = torchgeo.models.CopernicusFM(embed_dim=768, depth=2, num_heads=12)
    state = {k: v for k, v in shifted(peer).items() if not k.startswith("fc_norm.")}
    loaded = built("copernicus_fm_base", given, save(state), depth=1).model.state_dict()
    assert torch.equal(loaded.pop("fc_norm.weight"), torch.ones(768))
    assert torch.equal(loaded.pop("fc_norm.bias"), torch.zeros(768))
    assert all(torch.equal(loaded[key], state[key]) for key in loaded)


def test_earthlocs_vector_takes_published_weights_at_their_size_only(
    save: Callable[[Any], str],
) -> None:
    bands = published_bands("earthloc_resnet50")
    file = save(torchgeo.models.EarthLoc(pretrained=False).state_dict())
    with pytest.raises(RequestError, match=r"data.image_size.*320×320 pixels, not 64×64"):
        built("earthloc_resnet50", inputs(bands, (64, 64), dense=False), file)
    built("earthloc_resnet50", inputs(bands, (64, 64), dense=True), file)


def test_a_dataset_chooses_cromas_sensors() -> None:
    entry = registries.backbones.get("croma_base")
    options = parse(entry.load_options(), {"name": "croma_base"}, "model.backbone")
    both = match_bands(CARDS["croma_base"], (*S2, *RADAR), options)
    assert both.modalities == (("optical", 12), ("sar", 2))
    assert both.notes == ("not used: 'B10' (cirrus)",)
    assert match_bands(CARDS["croma_base"], RADAR, options).modalities == (("sar", 2),)
    with pytest.raises(RequestError, match="of which the dataset lacks"):
        match_bands(CARDS["croma_base"], S2[1:4], options)

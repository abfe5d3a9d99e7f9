"""Encoders as their users meet them: sizes, weights files, maps, and what they refuse."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from iterate_core.errors import RequestError
from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.clay import card as clay
from iterate_core.models.backbones.clay.card import CLAY_V1, CLAY_V1_5
from iterate_core.models.backbones.clay.encoder import Clay, load_clay, place_code, time_code
from iterate_core.models.backbones.dofa import card as dofa
from iterate_core.models.backbones.dofa.card import (
    DOFA_BASE,
    DOFA_HUGE,
    DOFA_LARGE,
    DOFA_SMALL,
)
from iterate_core.models.backbones.dofa.encoder import Dofa, load_dofa
from iterate_core.models.backbones.prithvi import card as prithvi
from iterate_core.models.backbones.prithvi.card import (
    PRITHVI_V1_100,
    PRITHVI_V2_100_TL,
    PRITHVI_V2_300,
    PRITHVI_V2_300_TL,
    PRITHVI_V2_600,
    PRITHVI_V2_600_TL,
    PRITHVI_V2_TINY_TL,
)
from iterate_core.models.backbones.prithvi.encoder import Prithvi, load_prithvi
from iterate_core.models.backbones.satmae import card as satmae
from iterate_core.models.backbones.satmae.card import (
    SATMAE_BASE,
    SATMAE_LARGE,
)
from iterate_core.models.backbones.satmae.encoder import SatMae, load_satmae
from iterate_core.models.backbones.terramind import card as terramind
from iterate_core.models.backbones.terramind.card import (
    TERRAMIND_V1_BASE,
    TERRAMIND_V1_LARGE,
    TERRAMIND_V1_SMALL,
    TERRAMIND_V1_TINY,
)
from iterate_core.models.backbones.terramind.encoder import TerraMind, load_terramind
from iterate_core.models.backbones.transformer.card import Configuration
from iterate_core.models.backbones.transformer.positions import sincos
from iterate_core.models.backbones.transformer.tokens import drop_rates

PAIR = ("S2L2A", "S1GRD")
# Parameters and tensors of the public implementations, without classification heads.
COUNTS: dict[str, tuple[Any, Callable[[Any], nn.Module], int, int]] = {
    "prithvi 1.0 100M": (PRITHVI_V1_100, Prithvi, 86_237_184, 150),
    "prithvi 2.0 tiny": (PRITHVI_V2_TINY_TL, Prithvi, 5_634_050, 152),
    "prithvi 2.0 100M": (PRITHVI_V2_100_TL, Prithvi, 86_237_186, 152),
    "prithvi 2.0 300M": (PRITHVI_V2_300, Prithvi, 303_886_336, 294),
    "prithvi 2.0 300M TL": (PRITHVI_V2_300_TL, Prithvi, 303_886_338, 296),
    "prithvi 2.0 600M": (PRITHVI_V2_600, Prithvi, 631_188_480, 390),
    "prithvi 2.0 600M TL": (PRITHVI_V2_600_TL, Prithvi, 631_188_482, 392),
    "terramind tiny": (TERRAMIND_V1_TINY, lambda k: TerraMind(k, PAIR), 6_022_464, 152),
    "terramind small": (TERRAMIND_V1_SMALL, lambda k: TerraMind(k, PAIR), 22_661_760, 152),
    "terramind base": (TERRAMIND_V1_BASE, lambda k: TerraMind(k, PAIR), 87_707_904, 116),
    "terramind large": (TERRAMIND_V1_LARGE, lambda k: TerraMind(k, PAIR), 305_662_976, 224),
    "clay v1": (CLAY_V1, Clay, 92_102_144, 145),
    "clay v1.5": (CLAY_V1_5, Clay, 311_442_944, 265),
    "dofa small": (DOFA_SMALL, Dofa, 34_761_005 - 45 * 385, 170),
    "dofa base": (DOFA_BASE, Dofa, 111_346_733 - 45 * 769, 170),
    "dofa large": (DOFA_LARGE, Dofa, 337_151_533 - 45 * 1025, 314),
    "dofa huge": (DOFA_HUGE, Dofa, 663_239_725 - 45 * 1281, 410),
    # Blocks, patches, class token, norm, and the tables of places, groups and the class's group.
    "satmae base": (SATMAE_BASE, SatMae, 12 * (12 * 768**2 + 13 * 768) + 571_392, 156),
    "satmae large": (SATMAE_LARGE, SatMae, 24 * (12 * 1024**2 + 13 * 1024) + 773_888, 300),
}

CARDS = {
    name: card
    for family in (prithvi, terramind, clay, dofa, satmae)
    for name, card in family.CARDS.items()
}
CONFIGURATIONS = [
    configuration
    for family in (prithvi, terramind, clay, dofa, satmae)
    for configuration in family.CONFIGURATIONS.values()
]
SMALL: dict[str, Callable[[], nn.Module]] = {
    "prithvi": lambda: Prithvi(replace(PRITHVI_V2_TINY_TL, width=48, depth=2), frames=2),
    "terramind plain": lambda: TerraMind(
        replace(TERRAMIND_V1_TINY, width=48, depth=2), PAIR, "concat"
    ),
    "terramind gated": lambda: TerraMind(replace(TERRAMIND_V1_BASE, width=48, depth=2), PAIR),
    "clay": lambda: Clay(replace(CLAY_V1, width=48, depth=2, heads=1)),
    "dofa": lambda: Dofa(replace(DOFA_BASE, width=48, depth=2)),
    "satmae": lambda: SatMae(replace(SATMAE_BASE, width=288, depth=2)),
}


def run(model: Any, size: int = 112) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)

    def images(*shape: int) -> Tensor:
        return torch.randn(2, *shape, size, size, generator=generator)

    if isinstance(model, Prithvi):
        time = torch.tensor([[[2020.0, 1.0], [2020.0, 200.0]]]).expand(2, -1, -1)
        return model(images(6, 2), time=time, place=torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    if isinstance(model, TerraMind):
        return model({"S2L2A": images(12), "S1GRD": images(2)})
    if isinstance(model, SatMae):
        return model(images(10))
    return model(images(3), [0.49, 0.56, 0.665])


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_those_of_the_public_implementation(name: str) -> None:
    configuration, build, parameters, tensors = COUNTS[name]
    with torch.device("meta"):
        model = build(configuration)
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert counted == parameters == configuration.parameters
    assert len(model.state_dict()) == tensors


def test_every_configuration_is_counted() -> None:
    assert {c.name for c in CONFIGURATIONS} == {c[0].name for c in COUNTS.values()}


@pytest.mark.parametrize("name", SMALL)
def test_state_dict_makes_the_same_model(name: str) -> None:
    torch.manual_seed(0)
    first, second = SMALL[name]().eval(), SMALL[name]().eval()
    with torch.inference_mode():
        before = run(second)
        second.load_state_dict(first.state_dict(), strict=True)
        after, wanted = run(second), run(first)
    assert not torch.equal(before[-1], wanted[-1])
    assert all(torch.equal(a, b) for a, b in zip(after, wanted, strict=True))


@pytest.mark.parametrize("name", SMALL)
def test_gradients_reach_all_parameters(name: str) -> None:
    torch.manual_seed(0)
    model: Any = SMALL[name]()
    if name == "terramind plain":
        # Only an absent modality's token has gradients of its own.
        outputs = [*run(model), *model({"S2L2A": torch.randn(2, 12, 64, 64)})]
    else:
        outputs = run(model)
    loss = sum(((tokens + 1) ** 2).sum() for tokens in outputs)
    if name == "dofa":
        loss = loss + (model.pooled(outputs[-1]) ** 2).sum()
    loss.backward()
    untouched = [
        key
        for key, parameter in model.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.any())
    ]
    assert untouched == []


# Too small a difference to show in every reference.
@pytest.mark.parametrize(("name", "eps"), [("prithvi", 1e-5), ("dofa", 1e-6), ("satmae", 1e-6)])
def test_layer_norms_keep_the_authors_epsilon(name: str, eps: float) -> None:
    norms = [part for part in SMALL[name]().modules() if isinstance(part, nn.LayerNorm)]
    inside = {norm.eps for norm in norms if norm.normalized_shape != (128,)}
    assert inside == {eps}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("size", [112, 224])
def test_maps_have_a_cell_a_patch(name: str, size: int) -> None:
    model: Any = SMALL[name]().eval()
    with torch.inference_mode():
        outputs = run(model, size)
    assert len(outputs) == 2
    side = size // model.configuration.patch
    channels = {"prithvi": 2 * 48, "terramind plain": 2 * 48, "satmae": 288}.get(name, 48)
    for tokens in outputs:
        assert model.feature_map(tokens, (size, size)).shape == (2, channels, side, side)
    width = channels // 2 if name == "prithvi" else channels
    assert model.pooled(outputs[-1]).shape == (2, width)


def test_prithvi_maps_hold_frame_after_frame() -> None:
    model: Any = SMALL["prithvi"]()
    places = torch.arange(1.0, 1 + 2 * 7 * 14)[None, :, None].expand(1, -1, 48)
    tokens = torch.cat([torch.zeros(1, 1, 48), places], dim=1)
    grid = model.feature_map(tokens, (112, 224))
    assert grid.shape == (1, 96, 7, 14)
    # Frame 1, row 3, column 5.
    assert grid[0, 48:, 3, 5].unique().item() == 1 + 98 + 3 * 14 + 5


@pytest.mark.parametrize("name", CARDS)
def test_statistics_are_of_the_model_s_own_bands(name: str) -> None:
    assert CARDS[name].modalities or name.startswith("dofa")
    for modality in CARDS[name].modalities:
        assert len(modality.bands) == len(modality.mean) == len(modality.std) > 0
        assert all(deviation > 0 for deviation in modality.std)
        (unit,) = {band.unit for band in modality.bands}
        assert unit in {"dn", "uint8", "db", "metre", "landsat_toa", "landsat_sr"}
        if CARDS[name].takes == "wavelengths":
            assert all(band.wavelength for band in modality.bands)


def test_codes_are_sines_then_cosines() -> None:
    code = sincos(torch.tensor([3.0], dtype=torch.float64), 4)[0].tolist()
    expected = [math.sin(3), math.sin(0.03), math.cos(3), math.cos(0.03)]
    assert code == pytest.approx(expected, abs=1e-12)
    assert time_code(13, 18) == pytest.approx((1, 0, -1, 0), abs=1e-12)
    assert place_code(30, -90) == pytest.approx((0.5, math.sqrt(0.75), -1, 0), abs=1e-12)


def test_an_absent_modality_keeps_its_place() -> None:
    model: Any = SMALL["terramind plain"]().eval()
    nn.init.constant_(model.missing_mod_token, 7.0)
    with torch.inference_mode():
        tokens = model({"S1GRD": torch.randn(1, 2, 32, 32)})[-1]
    assert tokens[..., :48].eq(7).all()
    assert not tokens[..., 48:].eq(7).any()


def test_the_order_in_which_modalities_are_given_does_not_matter() -> None:
    model: Any = SMALL["terramind plain"]().eval()
    optical, radar = torch.randn(1, 12, 32, 32), torch.randn(1, 2, 32, 32)
    with torch.inference_mode():
        one = model({"S2L2A": optical, "S1GRD": radar})[-1]
        other = model({"S1GRD": radar, "S2L2A": optical})[-1]
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_stochastic_depth_rises_from_the_first_block_to_the_last() -> None:
    assert drop_rates(0.4, 3) == pytest.approx([0, 0.2, 0.4])
    assert drop_rates(0.4, 1) == [0]
    torch.manual_seed(0)
    reduced = replace(TERRAMIND_V1_TINY, width=48, depth=2)
    model = TerraMind(reduced, ("DEM",), drop_path=1 - 1e-9).train()
    images = torch.randn(2, 1, 32, 32)
    first, last = model(images)
    # The last block is left out, but for its norm; the first is not.
    torch.testing.assert_close(last, model.encoder_norm(first))
    first, last = model.eval()(images)
    assert not torch.allclose(last, model.encoder_norm(first))


def test_modalities_are_left_out_at_the_rate_and_never_all() -> None:
    torch.manual_seed(0)
    model = TerraMind(replace(TERRAMIND_V1_TINY, width=48, depth=2), PAIR, modality_dropout=0.4)
    given = dict.fromkeys(PAIR, torch.zeros(1))
    left = [len(model._dropped(given)) for _ in range(2000)]
    assert set(left) == {1, 2}
    # Within four standard deviations of a binomial share of 0.4.
    assert left.count(1) / 2000 == pytest.approx(0.4, abs=4 * math.sqrt(0.24 / 2000))


def test_prithvi_loads_both_published_layouts() -> None:
    source: Any = SMALL["prithvi"]()
    nested = {f"encoder.{name}": tensor for name, tensor in source.state_dict().items()}
    nested["encoder.pos_embed"] = torch.zeros(1, 589, 48)
    nested["decoder.mask_token"] = torch.zeros(1, 1, 512)
    flat = {f"_timm_module.{name}": tensor for name, tensor in source.state_dict().items()}
    flat["decoder_blocks.0.norm1.weight"] = flat["mask_token"] = torch.zeros(512)
    for published in (nested, flat):
        target: Any = SMALL["prithvi"]()
        load_prithvi(target, published, "prithvi.pt")
        for name, tensor in source.state_dict().items():
            assert torch.equal(target.state_dict()[name], tensor), name


def test_a_missing_a_foreign_and_a_misshapen_weight_are_all_named() -> None:
    target: Any = SMALL["prithvi"]()
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    published = {f"encoder.{name}": torch.zeros_like(tensor) for name, tensor in before.items()}
    del published["encoder.norm.bias"]
    published["encoder.head.weight"] = torch.zeros(3)
    published["encoder.cls_token"] = torch.zeros(1, 1, 64)
    with pytest.raises(RequestError) as caught:
        load_prithvi(target, published, "prithvi.pt")
    assert [problem.what for problem in caught.value.problems] == [
        "prithvi.pt lacks weights of the model: norm.bias.",
        "prithvi.pt holds weights that the model does not have: head.weight.",
        "prithvi.pt holds weights of another shape: cls_token is 1×1×64 instead of 1×1×48.",
    ]
    for name, tensor in before.items():
        assert torch.equal(target.state_dict()[name], tensor), name


def test_terramind_takes_its_modalities_of_the_file() -> None:
    source = TerraMind(replace(TERRAMIND_V1_TINY, width=48, depth=2), ("S2L2A", "S1GRD", "DEM"))
    published = dict(source.state_dict())
    published["encoder_embeddings.tok_dem@224.mod_emb"] = torch.zeros(1, 1, 48)
    published["decoder_embeddings.tok_dem@224.mod_emb"] = torch.zeros(1, 1, 48)
    target: Any = SMALL["terramind plain"]()
    load_terramind(target, published, "terramind.pt")
    assert torch.equal(
        target.state_dict()["encoder.1.attn.qkv.weight"], published["encoder.1.attn.qkv.weight"]
    )
    absent = {name: t for name, t in published.items() if "sen1grd" not in name}
    with pytest.raises(RequestError, match=r"lacks weights of the model: .*untok_sen1grd@224"):
        load_terramind(target, absent, "terramind.pt")


def test_clay_takes_the_encoder_of_the_training_module() -> None:
    source: Any = SMALL["clay"]()
    published = {f"model.encoder.{name}": t for name, t in source.state_dict().items()}
    published["model.decoder.mask_patch"] = published["model.teacher.cls_token"] = torch.zeros(1)
    target: Any = SMALL["clay"]()
    load_clay(target, published, "clay.ckpt")
    assert torch.equal(target.cls_token, source.cls_token)
    with pytest.raises(RequestError, match="lacks weights of the model: cls_token"):
        load_clay(target, source.state_dict(), "clay.ckpt")


def test_dofa_takes_a_file_without_the_pooled_norm() -> None:
    source: Any = SMALL["dofa"]()
    published = {k: t for k, t in source.state_dict().items() if not k.startswith("fc_norm")}
    published["head.weight"] = torch.zeros(45, 48)
    target: Any = SMALL["dofa"]()
    load_dofa(target, published, "dofa.pth")
    assert torch.equal(target.cls_token, source.cls_token)


LOADED: dict[str, Callable[[Any, dict[str, Tensor]], None]] = {
    "prithvi": lambda model, tensors: load_prithvi(model, tensors, "file"),
    "terramind plain": lambda model, tensors: load_terramind(model, tensors, "file"),
    "terramind gated": lambda model, tensors: load_terramind(model, tensors, "file"),
    "clay": lambda model, tensors: load_clay(
        model, {f"model.encoder.{name}": tensor for name, tensor in tensors.items()}, "file"
    ),
    "dofa": lambda model, tensors: load_dofa(model, tensors, "file"),
    "satmae": lambda model, tensors: load_satmae(model, tensors, "file"),
}
UNPUBLISHED = ("fc_norm.weight", "fc_norm.bias", "channel_cls_embed", "missing_mod_token")


@pytest.mark.parametrize("name", SMALL)
def test_a_model_without_memory_takes_the_file_s_tensors(name: str) -> None:
    source = SMALL[name]().eval()
    published = {k: t for k, t in source.state_dict().items() if k not in UNPUBLISHED}
    with torch.device("meta"):
        target = SMALL[name]().eval()
    LOADED[name](target, published)
    frozen = {key for key, parameter in source.named_parameters() if not parameter.requires_grad}
    assert {k for k, p in target.named_parameters() if not p.requires_grad} == frozen
    with torch.inference_mode():
        assert all(torch.equal(a, b) for a, b in zip(run(target), run(source), strict=True))


def test_a_file_s_name_carries_its_digest_s_prefix() -> None:
    assert DOFA_BASE.file is not None
    assert DOFA_BASE.file.sha256_prefix == "a0275954"
    assert HubFile("owner/name", "Prithvi_EO_V2_300M.pt").sha256_prefix is None


PUBLISHED = [size.file for size in CONFIGURATIONS if size.file is not None]


@pytest.mark.parametrize("file", PUBLISHED, ids=str)
def test_pins_are_whole_and_agree_with_the_file_s_name(file: HubFile) -> None:
    assert file.revision is None or re.fullmatch("[0-9a-f]{40}", file.revision)
    assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
    assert file.sha256 is None or file.sha256.startswith(file.sha256_prefix or "")


def test_no_two_files_have_the_same_digest() -> None:
    digests = [file.sha256 for file in PUBLISHED if file.sha256 is not None]
    assert len(digests) == len(set(digests)) == len(PUBLISHED) - 1  # Clay 1's is not known


@pytest.mark.parametrize(
    "size",
    [size for size in CONFIGURATIONS if size.file],
    ids=lambda size: size.name,
)
def test_a_file_is_large_enough_for_its_encoder(size: Configuration) -> None:
    assert size.file is not None
    assert size.file.size is None or size.file.size > 4 * size.parameters


PRITHVI_PLAIN = replace(PRITHVI_V1_100, width=48, depth=1)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda: Prithvi(PRITHVI_PLAIN)(torch.zeros(1, 6, 100, 112)), "100×112 pixels"),
        (lambda: Prithvi(PRITHVI_PLAIN)(torch.zeros(1, 3, 112, 112)), "takes 6 channels"),
        (
            lambda: Prithvi(PRITHVI_PLAIN)(torch.zeros(1, 6, 16, 16), place=torch.zeros(1, 2)),
            "trained without time and location",
        ),
        (
            lambda: SMALL["prithvi"]()(torch.zeros(1, 6, 2, 16, 16), time=torch.zeros(1, 1, 2)),
            r"time is \(1, 1, 2\) instead of \(1, 2, 2\)",
        ),
        (lambda: TerraMind(TERRAMIND_V1_TINY, ("S2L2",)), "Did you mean .*'S2L2A'"),
        (lambda: TerraMind(TERRAMIND_V1_TINY, ()), "one or more different names"),
        (
            lambda: SMALL["terramind plain"]()({"DEM": torch.zeros(1, 1, 32, 32)}),
            "not built for DEM",
        ),
        (
            lambda: SMALL["terramind plain"]()(
                {"S2L2A": torch.zeros(1, 12, 32, 32), "S1GRD": torch.zeros(1, 2, 48, 48)}
            ),
            "differ in size",
        ),
        (lambda: SMALL["clay"]()(torch.zeros(1, 2, 32, 32), [0.6]), "wavelengths takes 1"),
        (lambda: SMALL["dofa"]()(torch.zeros(1, 1, 32, 32), [665.0]), "must be in µm"),
        (lambda: SMALL["clay"]()(torch.zeros(1, 1, 32, 32), [0.6], gsd=0.0), "gsd must be above"),
        (
            lambda: SMALL["clay"]()(torch.zeros(1, 1, 32, 32), [0.6], time=torch.zeros(1, 2)),
            r"time is \(1, 2\) instead of \(1, 4\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(act: Callable[[], Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        act()

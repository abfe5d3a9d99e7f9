"""Every backbone that has a card, in one test each: what it declares is what it does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from backbones_support import CARDS, CONTEXT, bands_of, build, options_of
from torch import Tensor, nn
from tuning_support import tuned

from iterate_core.models.assembly import Model
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.shapes import Maps, Pooled
from iterate_core.registry import registries


def networks() -> list[str]:
    """One name of each network: many sets of weights share one, and differ in nothing else."""
    first: dict[tuple[Any, ...], str] = {}
    for name, card in CARDS.items():
        entry = registries.backbones.get(name)
        channels = tuple(band.common for band in bands_of(name))
        first.setdefault((entry.target, card.parameters, card.patch, channels), name)
    return list(first.values())


NETWORKS = networks()


def images_for(name: str, side: int, device: str = "cpu") -> Tensor:
    generator = torch.Generator().manual_seed(3) if device == "cpu" else None
    return torch.rand(2, len(bands_of(name)), side, side, generator=generator, device=device)


def as_declared(backbone: Backbone, features: Any, side: int) -> None:
    """Channels and strides are those of `shape`."""
    if isinstance(backbone.shape, Pooled):
        assert tuple(features.shape) == (2, backbone.shape.width)
        return
    assert isinstance(backbone.shape, Maps)
    whole = -(-side // backbone.multiple) * backbone.multiple
    pairs = zip(backbone.shape.channels, backbone.shape.strides, strict=True)
    expected = [(2, channels, whole // stride, whole // stride) for channels, stride in pairs]
    assert [tuple(level.shape) for level in features] == expected


# Parameters of the whole model and what of it is not built, as public implementations count them.
REFERENCE = {
    "prithvi_eo_v1_100": (86_237_184, 0),
    "prithvi_eo_v2_tiny_tl": (5_634_050, 0),
    "prithvi_eo_v2_100_tl": (86_237_186, 0),
    "prithvi_eo_v2_300": (303_886_336, 0),
    "prithvi_eo_v2_300_tl": (303_886_338, 0),
    "prithvi_eo_v2_600": (631_188_480, 0),
    "prithvi_eo_v2_600_tl": (631_188_482, 0),
    "terramind_v1_tiny": (6_022_464, 0),
    "terramind_v1_small": (22_661_760, 0),
    "terramind_v1_base": (87_707_904, 0),
    "terramind_v1_large": (305_662_976, 0),
    "clay_v1": (92_102_144, 0),
    "clay_v1_5": (311_442_944, 0),
    "dofa_base": (111_346_733, 768 * 45 + 45),
    "dofa_large": (337_151_533, 1024 * 45 + 45),
    "scalemae_large": (304_326_632, 1024 * 1000 + 1000),
    # Each sensor's head: a norm and two layers.
    "croma_base": (194_365_440, 2 * (2 * 768 + 2 * 768 * 3072 + 3072 + 768)),
    "croma_large": (672_557_056, 2 * (2 * 1024 + 2 * 1024 * 4096 + 4096 + 1024)),
    "satlas_swinb_sentinel2_si_ms": (87_943_136, 1024 * 1000 + 1000),
    "satlas_swint_sentinel2_si_rgb": (28_351_570, 768 * 1000 + 1000),
    "ssl4eo_s12_resnet50_sentinel2_moco": (25_588_392, 2048 * 1000 + 1000),
    "ssl4eo_s12_vits16_sentinel2_moco": (23_033_704, 384 * 1000 + 1000),
}


@pytest.mark.parametrize("name", CARDS)
def test_it_builds_without_memory_and_counts_what_its_card_says(name: str) -> None:
    side, options = CARDS[name].size, options_of(name)
    for dense in (False, True) if name in NETWORKS else (False,):
        backbone = build(name, options, side, dense=dense, meta=True)
        assert all(value.is_meta for value in backbone.parameters())
        if not dense:
            assert sum(value.numel() for value in backbone.parameters()) == CARDS[name].parameters
        if name in NETWORKS:
            with torch.inference_mode():
                features = backbone(images_for(name, side, "meta"))
            as_declared(backbone, features, side)


def test_parameters_are_those_of_the_public_implementations() -> None:
    for name, (whole, unbuilt) in REFERENCE.items():
        assert CARDS[name].parameters == whole - unbuilt, name


_SATMAE_TABLES = ("pos_embed", "channel_embed", "channel_cls_embed")
NEVER_TRAINED = {
    # Tables of positions that their authors keep as they are.
    **{f"dofa_{size}": {"encoder.pos_embed"} for size in ("small", "base", "large", "huge")},
    **{
        f"satmae_{size}": {f"encoder.{table}" for table in _SATMAE_TABLES}
        for size in ("base", "large")
    },
    "scalemae_large": {"model.pos_embed"},
    # Tables, and codes of land cover, which no dataset tells.
    "presto": {
        f"encoder.{name}" for name in ("pos_embed", "month_embed.weight", "dw_embed.weight")
    },
    # The code of an unknown patch size, where it is known.
    "copernicus_fm_base": {"model.pos_embed", "model.scale_token"},
    # Codes of polarisations and orbits, where no band is radar.
    "panopticon_base": {
        f"model.patch_embed.chnfus.chnemb.embed_{what}" for what in ("transmit", "receive", "orbit")
    },
    # Codes of months.
    **{
        name: {"encoder.composite_encodings.month_embed.weight"}
        for name in CARDS
        if name.startswith("olmoearth_")
    },
}
"""What gets no gradient, and why."""


def side_of(name: str) -> int:
    """Of a small image: two patches, or what a pyramid of strides needs."""
    patch = CARDS[name].patch
    return 2 * patch if patch is not None else 32


def reduced(name: str) -> Any:
    fields = registries.backbones.get(name).load_options().model_fields
    small = {"depth": 2, "unit": (4, 4)}
    return options_of(name, **{key: value for key, value in small.items() if key in fields})


@pytest.mark.parametrize("name", NETWORKS)
def test_it_names_its_blocks(name: str) -> None:
    options = reduced(name)
    backbone = build(name, options, side_of(name), dense=True, meta=True)
    blocks = backbone.blocks()
    gathered = [value for block in blocks for one in block for value in one.parameters()]
    assert len({id(value) for value in gathered}) == len(gathered) > 0
    if "depth" in type(options).model_fields:
        # The joint encoder of CROMA has half as many as that of optical images, which come first.
        assert len(blocks) == (options.depth * 3 // 2 if "croma" in name else options.depth)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_trains_freezes_and_keeps_its_state(name: str) -> None:
    side = side_of(name)
    backbone = build(name, reduced(name), side, dense=True)
    images = images_for(name, side)
    Model(backbone, nn.Identity(), backbone.multiple, tuned("full"))
    features = backbone(images, CONTEXT)
    as_declared(backbone, features, side)
    loss = torch.stack([level.square().mean() for level in features]).sum()
    loss.backward()
    without = {
        key
        for key, value in backbone.named_parameters()
        if value.grad is None or not torch.isfinite(value.grad).all()
    }
    assert without == set(backbone.fixed) <= NEVER_TRAINED.get(name, set())

    model = Model(backbone, nn.Identity(), backbone.multiple, tuned("frozen")).train()
    assert not any(value.requires_grad for value in backbone.parameters())
    assert not backbone.training
    frozen = model.encode(images, CONTEXT)
    assert not any(level.requires_grad for level in frozen)

    state = {key: value.clone() for key, value in backbone.state_dict().items()}
    with torch.no_grad():
        for value in backbone.parameters():
            value.add_(1)
    backbone.load_state_dict(state, strict=True)
    again = model.encode(images, CONTEXT)
    assert all(torch.equal(one, other) for one, other in zip(frozen, again, strict=True))

"""Encoders of terratorch's registry, with a small package that stands in for it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn

from iterate_core.data.bands import describe
from iterate_core.errors import RequestError
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.backbones.terratorch import names as terratorch_names
from iterate_core.models.backbones.terratorch.backbone import (
    TerratorchBackbone,
    TerratorchLayout,
    band_names,
)
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps, Pooled
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

REGISTRY = """
class Registry(dict):
    def register(self, constructor):
        self[constructor.__name__] = constructor
        return constructor

    def build(self, name, **arguments):
        return self[name](**arguments)


class Several(dict):
    def build(self, name, **arguments):
        for source in self.values():
            if name in source:
                return source.build(name, **arguments)
        raise KeyError(name)

    def __contains__(self, name):
        return any(name in source for source in self.values())


TERRATORCH_BACKBONE_REGISTRY = Registry()
BACKBONE_REGISTRY = Several(terratorch=TERRATORCH_BACKBONE_REGISTRY)
from terratorch import encoders
"""
ENCODERS = '''
import torch
from torch import nn
from terratorch.registry import TERRATORCH_BACKBONE_REGISTRY


class Tokens(nn.Module):
    """Six blocks, with class tokens; maps only after `prepare_features_for_image_model`."""

    def __init__(self, channels):
        super().__init__()
        self.out_channels = [8] * 6
        self.embed = nn.Conv2d(channels, 8, 16, 16)
        self.first = nn.Parameter(torch.ones(1, 1, 8))

    def forward(self, images):
        if images.shape[-1] % 16:
            raise AssertionError("image size must be a multiple of 16")
        patches = self.embed(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.first.expand(len(images), -1, -1), patches], dim=1)
        return [tokens * (index + 1) for index in range(6)]

    def prepare_features_for_image_model(self, levels):
        side = int((levels[0].shape[1] - 1) ** 0.5)
        return [level[:, 1:].transpose(1, 2).unflatten(2, (side, side)) for level in levels]


class Pyramid(nn.Module):
    """Two stages, channels last, and the second twice."""

    def __init__(self, channels):
        super().__init__()
        self.out_channels = [4, 6, 6]
        self.one, self.two = nn.Conv2d(channels, 4, 4, 4), nn.Conv2d(4, 6, 2, 2)

    def forward(self, images):
        one = self.one(images)
        two = self.two(one)
        return tuple(level.movedim(1, -1) for level in (one, two, 2 * two))


CALLS = []


@TERRATORCH_BACKBONE_REGISTRY.register
def tokens_v1(pretrained=False, bands=None, **kwargs):
    CALLS.append((pretrained, bands, kwargs))
    return Tokens(len(bands))


@TERRATORCH_BACKBONE_REGISTRY.register
def pyramid_v1(model_bands, pretrained=False, ckpt_data=None):
    CALLS.append((pretrained, model_bands, ckpt_data))
    return Pyramid(len(model_bands))
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    folder = tmp_path / "terratorch"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "registry.py").write_text(REGISTRY)
    (folder / "encoders.py").write_text(ENCODERS)
    for name in [name for name in sys.modules if name.partition(".")[0] == "terratorch"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    terratorch_names.terratorch_names.cache_clear()
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "terratorch"]:
        del sys.modules[name]
    terratorch_names.terratorch_names.cache_clear()


BANDS = describe(("B02", "B04", "B08", "B8A", "B11"), "sentinel-2")


def built(name: str, size: tuple[int, int], dense: bool, meta: bool = False, **options: Any) -> Any:
    entry = registries.backbones.get(name)
    given = parse(
        entry.load_options(), {"name": name, "weights": "none", **options}, "model.backbone"
    )
    backbone: Backbone = entry.load()(given, Inputs(BANDS, size, dense), meta)
    return backbone


@pytest.mark.usefixtures("package")
def test_names_are_listed_without_importing_it() -> None:
    assert {"terratorch/tokens_v1", "terratorch/pyramid_v1"} <= set(registries.backbones.names())
    assert "terratorch" not in sys.modules


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("meta", [False, True])
def test_tokens_become_four_maps_of_images_padded_as_little_as_possible(meta: bool) -> None:
    dense = built("terratorch/tokens_v1", (40, 40), dense=True, meta=meta)
    images = torch.rand(2, 5, 40, 40, device="meta" if meta else "cpu")
    maps = dense(images)
    assert (dense.shape, dense.multiple) == (Maps((8,) * 4, (16,) * 4), 16)
    assert [tuple(level.shape) for level in maps] == [(2, 8, 3, 3)] * 4
    if not meta:
        whole = dense.model.embed(dense.pad(images))
        for level, times in zip(maps, (1, 3, 4, 6), strict=True):
            torch.testing.assert_close(level, whole * times)
        pooled = built("terratorch/tokens_v1", (40, 40), dense=False)
        pooled.load_state_dict(dense.state_dict())
        assert pooled.shape == Pooled(8)
        torch.testing.assert_close(pooled(images), 6 * whole.mean(dim=(2, 3)))


@pytest.mark.usefixtures("package")
def test_a_pyramid_gives_the_deepest_map_of_each_stride_channels_first() -> None:
    backbone = built("terratorch/pyramid_v1", (32, 64), dense=True)
    images = torch.rand(1, 5, 32, 64)
    first, second = backbone(images)
    assert backbone.shape == Maps((4, 6), (4, 8))
    torch.testing.assert_close(first, backbone.model.one(images))
    torch.testing.assert_close(second, 2 * backbone.model.two(first))
    assert built("terratorch/pyramid_v1", (30, 30), dense=True).multiple == 8


@pytest.mark.usefixtures("package")
def test_bands_weights_and_arguments_reach_the_builder(tmp_path: Path) -> None:
    names = ["BLUE", "RED", "NIR_BROAD", "NIR_NARROW", "SWIR_1"]
    assert band_names(BANDS) == names
    file = tmp_path / "weights.pth"
    torch.save({"one": torch.zeros(1)}, file)
    built("terratorch/tokens_v1", (32, 32), True, weights="hub", arguments={"num_frames": 1})
    built("terratorch/tokens_v1", (32, 32), True, weights=str(file))
    built("terratorch/pyramid_v1", (32, 32), True, weights=str(file))
    calls = sys.modules["terratorch.encoders"].CALLS
    assert calls == [
        (True, names, {"num_frames": 1}),
        (True, names, {"ckpt_path": str(file)}),
        (True, names, str(file)),
    ]
    file.write_bytes(b"nothing")
    with pytest.raises(RequestError, match=r"weights\.pth"):
        built("terratorch/tokens_v1", (32, 32), True, weights=str(file))


@pytest.mark.usefixtures("package")
def test_what_it_cannot_do_is_told() -> None:
    with pytest.raises(RequestError, match=r"no encoder 'tokens_v2'.*'tokens_v1'"):
        built("terratorch/tokens_v2", (32, 32), dense=True)
    with pytest.raises(RequestError, match=r"cannot build 'pyramid_v1' with .*odd=1"):
        built("terratorch/pyramid_v1", (32, 32), dense=True, arguments={"odd": 1})


def blocks_of(model: nn.Module) -> list[list[str]]:
    """The blocks of a network that terratorch wraps, by the names of their modules."""
    layout = TerratorchLayout(32, Maps((768,), (32,)), (0,))
    names = {module: name for name, module in model.named_modules()}
    blocks = TerratorchBackbone(model, layout, dense=False).blocks()
    return [[names[module] for module in block] for block in blocks]


@pytest.mark.parametrize(
    ("name", "stages", "depths", "norm"),
    [
        ("swin_tiny_patch4_window7_224", "layers", (2, 2, 6, 2), "norm"),
        ("convnext_tiny", "stages", (3, 3, 9, 3), "head"),  # which holds nothing but a norm
    ],
)
def test_blocks_of_a_network_in_stages_go_stage_by_stage(
    name: str, stages: str, depths: tuple[int, ...], norm: str
) -> None:
    with torch.device("meta"):
        whole = timm.create_model(name, num_classes=0)
        features = timm.create_model(name, features_only=True)
    expected = [
        [
            *([f"{stages}.{stage}.downsample"] if stage and not block else []),
            f"{stages}.{stage}.blocks.{block}",
        ]
        for stage, depth in enumerate(depths)
        for block in range(depth)
    ]
    assert blocks_of(features) == [
        [one.replace(".", "_", 1) for one in names] for names in expected
    ]
    expected[-1].append(norm)
    assert blocks_of(whole) == expected


def test_encoders_side_by_side_name_no_blocks() -> None:
    def encoder() -> nn.Module:
        return nn.ModuleDict({"blocks": nn.ModuleList(nn.Linear(2, 2) for _ in range(3))})

    assert len(blocks_of(encoder())) == 3
    assert blocks_of(nn.ModuleDict({"optical": encoder(), "radar": encoder()})) == []


def test_without_terratorch_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(
        RequestError, match=r"needs terratorch, which is not installed.*pip install"
    ):
        registries.backbones.get("terratorch/prithvi_eo_v2_300")

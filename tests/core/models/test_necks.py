"""Necks: between the maps of any backbone and any decoder."""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_support import recipe
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import FeaturePyramidNetwork
from tuning_support import tuned

from iterate.api import register_neck
from iterate_core.engine import fit
from iterate_core.engine.build import build_model, shared_backbone
from iterate_core.engine.cost import parameters
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import Prepared, decisive, prepare
from iterate_core.errors import RequestError
from iterate_core.models.assembly import Model
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.decoders.detectors.base import Detector
from iterate_core.models.necks.base import Neck
from iterate_core.models.necks.options import NeckOptions
from iterate_core.models.shapes import Maps, padded
from iterate_core.optimisation.optimisers import parameter_groups
from iterate_core.recipe import Recipe
from iterate_core.registry import registries
from iterate_core.registry.registry import Entry

PLAIN: dict[str, dict[str, Any]] = {
    "test_vit": {},
    "prithvi_eo_v2_tiny_tl": {"depth": 4, "missing": "zero"},
}
HIERARCHICAL: dict[str, dict[str, Any]] = {"test_resnet": {}, "swin_tiny_patch4_window7_224": {}}
BACKBONES = PLAIN | HIERARCHICAL
NARROW = {"channels": 64, "hidden": 16, "mask_channels": 16, "proposals": 20, "width": 16}
SIZE = (37, 50)
STILL = {"flip": False, "rotate": False}


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def with_neck(
    neck: Any = None, backbone: str = "test_vit", kind: str = "segmentation", **changes: Any
) -> Recipe:
    """Without one it says nothing of it."""
    named = {"name": backbone, "weights": "none", **BACKBONES[backbone]}
    model = {"backbone": named, **({} if neck is None else {"neck": neck})}
    return recipe(kind, **{"model": model, **changes})


@cache
def outline(backbone: str) -> Backbone:
    """Its shape alone, for images of `SIZE`."""
    data = {"size": SIZE[1]}
    return shared_backbone(prepare(with_neck(backbone=backbone, data=data)), meta=True)


def made(registry: Any, name: str, *given: Any, **options: Any) -> Any:
    entry = registry.get(name)
    kind = entry.load_options()
    return entry.load()(kind(name=name, **options), *given)


def drawn(shape: Maps, size: tuple[int, int]) -> list[Tensor]:
    """Random maps of an image."""
    pairs = zip(shape.channels, shape.strides, strict=True)
    return [torch.randn(2, count, size[0] // n, size[1] // n) for count, n in pairs]


def decoders() -> list[Entry]:
    """All of maps that are trained; `identity` fits nothing that ships."""
    kinds = {"map", "boxes", "masks"}
    found = [one for one in registries.decoders if kinds & set(one.tasks)]
    return [one for one in found if one.name != "identity"]


@pytest.mark.parametrize(
    ("backbone", "neck"),
    [
        ("test_vit", "learned"),
        ("prithvi_eo_v2_tiny_tl", "fpn"),
        ("test_resnet", "fpn"),
        ("swin_tiny_patch4_window7_224", "fpn"),
    ],
)
@pytest.mark.parametrize("decoder", [entry.name for entry in decoders()])
def test_every_decoder_works_behind_every_neck_of_every_kind_of_backbone(
    decoder: str, backbone: str, neck: str
) -> None:
    """On maps as they are kept of a frozen backbone: the backbone itself is not needed."""
    found, fields = outline(backbone), registries.decoders.get(decoder).load_options().model_fields
    assert isinstance(found.shape, Maps)
    between: Neck = made(registries.necks, neck, found.shape, channels=32)
    narrow = {name: value for name, value in NARROW.items() if name in fields}
    head = made(registries.decoders, decoder, between.shape, 3, **narrow)
    model = Model(None, head, found.multiple, tuned("frozen"), between)
    outputs = model.decode(drawn(found.shape, padded(SIZE, found.multiple)), SIZE)
    if isinstance(head, Detector):
        box = {"boxes": torch.tensor([[4.0, 6.0, 20.0, 24.0]]), "labels": torch.tensor([2])}
        target = {**box, "masks": torch.ones(1, *SIZE, dtype=torch.uint8)}
        assert (outputs.size, outputs.scale) == (SIZE, (1.0, 1.0))
        sum(head.losses(outputs, [target, target]).values()).backward()
    else:
        assert outputs.shape == (2, 3, *SIZE)
        outputs.square().mean().backward()
    lacking = [value for value in between.parameters() if value.grad is None]
    assert len(lacking) < len(list(between.parameters()))
    if decoder == "upernet":  # which reads all maps
        assert lacking == []
    assert [name for name, value in head.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize("backbone", HIERARCHICAL)
def test_a_learned_pyramid_is_refused_of_a_backbone_that_has_one(backbone: str) -> None:
    with pytest.raises(RequestError, match=r"the backbone has one: maps of stride .*4, 8, 16, 32"):
        preflight(prepare(with_neck("learned", backbone)))


def test_a_feature_pyramid_is_refused_of_maps_that_are_all_too_fine() -> None:
    with pytest.raises(RequestError, match=r"reads maps of stride 4, .* and the backbone has 1, 2"):
        made(registries.necks, "fpn", Maps((4, 4), (1, 2)))


def test_a_neck_is_refused_where_there_are_no_maps() -> None:
    with pytest.raises(RequestError, match="this decoder gets one vector an image"):
        prepare(with_neck("fpn", "test_resnet", "classification"))
    pooling = {"neck": "fpn", "decoder": {"name": "attentive_pool", "level": 4}}
    preflight(prepare(recipe("classification", model=pooling)))


@pytest.mark.parametrize("backbone", ["test_vit", "test_resnet"])
def test_a_recipe_that_says_nothing_is_what_it_was(backbone: str) -> None:
    silent, told = (prepare(with_neck(neck, backbone)) for neck in (None, "resize"))
    assert silent.recipe.to_mapping()["model"]["neck"] == {"name": "resize"}
    content = decisive(silent.recipe)["model"]
    assert content.keys() == {"backbone", "decoder", "frames"}
    assert content["backbone"].keys() == {"name", "weights", "sha256", "drop_path"}
    assert silent.identity == told.identity
    assert silent.identity != prepare(with_neck("fpn", backbone)).identity
    names = build_model(silent).state_dict().keys()
    assert {name.partition(".")[0] for name in names} == {"backbone", "decoder"}
    inside = [name for name in names if name.startswith("decoder.hierarchy.neck.projections.")]
    assert bool(inside) == (backbone == "test_vit")


@pytest.mark.parametrize(("patch", "size"), [(16, (48, 80)), (14, (70, 42)), (8, (40, 72))])
@pytest.mark.parametrize("neck", ["learned", "fpn"])
def test_a_pyramid_of_a_plain_transformer_lies_where_its_strides_say(
    neck: str, patch: int, size: tuple[int, int]
) -> None:
    pyramid = made(registries.necks, neck, Maps((8,) * 4, (patch,) * 4), channels=8)
    plain = pyramid if neck == "learned" else pyramid.before
    whole = padded(size, pyramid.multiple)
    rows, columns = (torch.arange(side // patch) * patch + patch / 2 for side in size)
    middles = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))[None]
    cells = (whole[0] // plain.stride, whole[1] // plain.stride)
    placed = plain._placed(middles, cells)
    for axis, side in enumerate(size):
        own = torch.arange(cells[axis]) * plain.stride + plain.stride / 2
        inside = (own >= patch / 2) & (own <= side - patch / 2)  # beyond, nothing is known
        seen = placed[0, axis, :, 0] if axis == 0 else placed[0, axis, 0]
        torch.testing.assert_close(seen[inside], own[inside])
    levels = pyramid(drawn(Maps((8,) * 4, (patch,) * 4), size), whole)
    assert [tuple(level.shape[-2:]) for level in levels] == [
        (whole[0] // stride, whole[1] // stride) for stride in (4, 8, 16, 32)
    ]


def over_channels(maps: Tensor) -> Tensor:
    """PyTorch's own layer norm, as it is initialised."""
    last = maps.movedim(1, -1)
    return functional.layer_norm(last, last.shape[-1:], eps=1e-6).movedim(-1, 1)


@torch.no_grad()
def test_a_learned_pyramid_is_the_simple_feature_pyramid() -> None:
    """Layer by layer as Li et al. have it; of stride 32 a convolution in place of the pooling."""
    maps = [torch.randn(2, 8, 4, 6) for _ in range(4)]
    neck = made(registries.necks, "learned", Maps((8,) * 4, (16,) * 4), channels=6)
    first, second, third, fourth = ([*level] for level in neck.scaling)
    enlarged = functional.gelu(over_channels(first[0](maps[0])))
    expected = [first[3](enlarged), second[0](maps[1]), maps[2], fourth[0](maps[3])]
    assert [level.shape[1:] for level in expected] == [
        (2, 16, 24),
        (4, 8, 12),
        (8, 4, 6),
        (8, 2, 3),
    ]
    levels = neck(maps, (64, 96))
    for level, layers, own in zip(levels, (first, second, third, fourth), expected, strict=True):
        one, _, three, _ = layers[-4:]
        assert (one.kernel_size, three.kernel_size) == ((1, 1), (3, 3))
        torch.testing.assert_close(level, over_channels(three(over_channels(one(own)))))


@torch.no_grad()
def test_a_feature_pyramid_is_torchvisions() -> None:
    shape = Maps((4, 8, 12, 16, 20), (2, 4, 8, 16, 32))
    neck = made(registries.necks, "fpn", shape, channels=6)
    reference = FeaturePyramidNetwork([8, 12, 16, 20], 6)
    reference.load_state_dict(neck.network.state_dict())
    maps = drawn(shape, (64, 96))
    named = OrderedDict((str(index), level) for index, level in enumerate(maps[1:]))
    expected = list(reference(named).values())
    assert neck.shape == Maps((6,) * 4, (4, 8, 16, 32))
    torch.testing.assert_close(neck(maps, (64, 96)), expected)


def frozen(neck: str, **trainer: Any) -> Prepared:
    changes = {"tuning": {"name": "frozen"}, "augmentation": STILL, "trainer": trainer}
    return prepare(with_neck({"name": neck, "channels": 16}, **changes))


def test_a_neck_trains_behind_a_frozen_backbones_kept_features(tmp_path: Path) -> None:
    prepared = frozen("learned", epochs=2)
    torch.manual_seed(0)
    before = build_model(prepared).trained()
    undisturbed = fit.fit(prepared, tmp_path / "one").reports
    after = load_file(tmp_path / "one" / "best.safetensors")
    assert {name.partition(".")[0] for name in after} == {"neck", "decoder"}
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert {name for name, _ in build_model(prepared).named_parameters() if "neck" in name} <= moved
    assert len(list(islice(fit.epochs(prepared, tmp_path / "two"), 1))) == 1
    resumed = fit.fit(prepared, tmp_path / "two").reports
    assert [one.metrics for one in resumed] == [one.metrics for one in undisturbed]
    fit.fit(frozen("fpn", epochs=1), tmp_path / "other")
    assert len(list((tmp_path / "cache" / "features").iterdir())) == 1  # of both necks


def test_a_neck_is_counted_and_learns_as_fast_as_the_decoder() -> None:
    prepared = prepare(with_neck({"name": "learned", "channels": 16}))
    model = build_model(prepared)
    assert model.neck is not None
    own = sum(value.numel() for value in model.neck.parameters())
    parts = [model.backbone, model.decoder]
    assert parameters(prepared).total == own + sum(
        v.numel() for one in parts for v in one.parameters()
    )
    kind = registries.optimisers.get("adamw").load_options()
    options = kind(name="adamw", lr=0.5, backbone_lr_scale=0.1)
    rates = {
        id(value): group["lr"]
        for group in parameter_groups(model, options)
        for value in group["params"]
    }
    assert {rates[id(value)] for value in model.neck.parameters()} == {0.5}


@torch.no_grad()
def test_taps_choose_the_blocks_of_a_plain_transformer() -> None:
    def backbone(**options: Any) -> Backbone:
        named = {"name": "test_vit", "weights": "none", **options}
        return shared_backbone(prepare(recipe("segmentation", model={"backbone": named}))).eval()

    images = torch.randn(2, 4, 32, 32)
    usual, last, turned = (
        backbone(**options)(images) for options in ({}, {"taps": [5]}, {"taps": [5, 0]})
    )
    assert (len(usual), len(last), len(turned)) == (4, 1, 2)
    torch.testing.assert_close([*last, *turned], [usual[3], usual[3], usual[0]])
    with pytest.raises(RequestError, match=r"must be different blocks below 6, but are \[6\]"):
        backbone(taps=[6])
    with pytest.raises(RequestError, match="are of a plain vision transformer"):
        backbone(name="test_resnet", taps=[1])


class Doubled(Neck):
    """Each map beside itself."""

    options = NeckOptions

    def __init__(self, options: NeckOptions, shape: Maps) -> None:
        del options
        super().__init__(Maps(tuple(2 * count for count in shape.channels), shape.strides))
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> list[Tensor]:
        return [torch.cat([level, self.scale * level], dim=1) for level in maps]


@pytest.mark.usefixtures("own_components")
def test_a_neck_of_ones_own() -> None:
    register_neck("doubled")(Doubled)
    model = build_model(prepare(with_neck("doubled", "test_resnet")))
    assert model(torch.randn(2, 4, 32, 32)).shape[-2:] == (32, 32)
    assert "neck.scale" in model.trained()
    register_neck("nothing")(lambda options, shape: nn.Identity())
    with pytest.raises(RequestError, match="'nothing' built a Identity, no Neck"):
        build_model(prepare(with_neck("nothing", "test_resnet")))

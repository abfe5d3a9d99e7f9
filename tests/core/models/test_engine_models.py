"""Backbones, weights, inflation and decoders."""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, get_args

import huggingface_hub
import numpy as np
import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from engine_support import RGB, give, random_images, recipe
from safetensors.torch import save_file
from segmentation_models_pytorch.base.modules import get_norm_layer
from torch import nn
from torch.nn import functional
from torchvision.models.segmentation.fcn import FCNHead
from tuning_support import tuned

from iterate_core.data.dataset import Band
from iterate_core.engine.build import build_model, shared_backbone
from iterate_core.engine.preflight import preflight
from iterate_core.engine.resolved import Prepared, prepare
from iterate_core.errors import RequestError
from iterate_core.models.assembly import Model
from iterate_core.models.backbones.timm.inflation import inflated
from iterate_core.models.backbones.timm.names import timm_names
from iterate_core.models.shapes import PYRAMID, Maps, Pooled
from iterate_core.registry import registries
from iterate_core.registry.registry import Entry

CNN, VIT, FOUR_STRIDES = "test_resnet", "test_vit", "test_convnext"
SWIN, PRITHVI = "swin_tiny_patch4_window7_224", "prithvi_eo_v2_tiny_tl"
BUILT: dict[str, dict[str, Any]] = {PRITHVI: {"depth": 4, "missing": "zero"}}
AS_PUBLISHED: dict[str, dict[str, Any]] = {
    **{name: {} for name in ("unet", "unetplusplus", "manet", "linknet", "fpn", "upernet", "pan")},
    "segformer": {},
    "dpt": {},
    "deeplabv3plus": {"rate": 12},
}


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "cache"))


def prepared_with(
    size: tuple[int, int],
    bands: tuple[Band, ...] = RGB,
    dense: bool = True,
    tuning: str = "full",
    **model: Any,
) -> Prepared:
    images = random_images((4, len(bands), *size))
    targets = np.zeros((4, *size), np.uint8) if dense else np.zeros(4, np.int64)
    data = give(images, targets, bands, classes=3)
    chosen = {"backbone": {"name": CNN, "weights": "none"}} | model
    kind = "segmentation" if dense else "classification"
    return prepare(recipe(kind, data=data, model=chosen, tuning={"name": tuning}))


@pytest.mark.parametrize("size", [(32, 32), (37, 50)])
@pytest.mark.parametrize("backbone", [CNN, VIT, SWIN, PRITHVI])
@pytest.mark.parametrize(
    "decoder",
    [
        entry.name
        for entry in registries.decoders
        if "map" in entry.tasks and entry.name != "identity"  # fits no backbone that ships
    ],
)
def test_every_decoder_works_with_every_kind_of_backbone(
    decoder: str, backbone: str, size: tuple[int, int]
) -> None:
    prepared = prepared_with(
        size,
        backbone={"name": backbone, "weights": "none", **BUILT.get(backbone, {})},
        decoder={"name": decoder},
    )
    meta = backbone == SWIN  # of which there is no small one
    model = build_model(prepared, meta=meta)
    with torch.device("meta" if meta else "cpu"):
        logits = model(torch.randn(2, len(prepared.inputs.bands), *size))
    assert logits.shape == (2, 3, *size)
    logits.square().mean().backward()
    without = [name for name, value in model.decoder.named_parameters() if value.grad is None]
    assert without == []
    assert any(value.grad is not None for value in model.backbone.parameters())
    preflight(prepared)


def choices() -> list[Any]:
    """All that a trained decoder lets its user choose from, of maps and of vectors."""
    return [
        pytest.param(entry, {field: value}, dense, id=f"{entry.name}-{field}-{value}-{dense}")
        for entry in registries.decoders
        if not entry.facts.get("fitted")
        for field, declared in entry.load_options().model_fields.items()
        for value in get_args(declared.annotation)
        if isinstance(value, str)
        for dense in (True, False)
        if entry.serves(("map",) if dense else ("vector", "labels"))
    ]


@pytest.mark.parametrize(("entry", "chosen", "dense"), choices())
def test_every_choice_of_every_decoder_works(
    entry: Entry, chosen: dict[str, str], dense: bool
) -> None:
    prepared = prepared_with((32, 32), dense=dense, decoder={"name": entry.name, **chosen})
    preflight(prepared)
    assert build_model(prepared)(torch.randn(2, 3, 32, 32)).shape[:2] == (2, 3)


def test_layer_norm_of_a_unet_heeds_each_pixel_alone() -> None:
    options = registries.decoders.get("unet").load_options()(name="unet", norm="layernorm")
    shape = Maps((4, 4, 8, 8, 8), (2, 4, 8, 16, 32))
    made = registries.decoders.get("unet").load()(options, shape, 3)
    norms = [part for part in made.modules() if isinstance(part, nn.LayerNorm)]
    assert len(norms) == 10  # two convolutions in each of five blocks
    maps = 1e-3 * torch.randn(2, norms[0].normalized_shape[0], 5, 7)  # as small as its ε
    own = get_norm_layer("layernorm", norms[0].normalized_shape[0])  # the library's
    last = own(maps.movedim(1, -1))
    torch.testing.assert_close(norms[0](maps), last.movedim(-1, 1))


def model_of(library: str) -> Any:
    """The library's own model with the encoder that suits a decoder."""
    encoder = {"segformer": "mit_b0", "dpt": "tu-vit_tiny_patch16_224"}.get(library, "resnet18")
    more = {"decoder_readout": "ignore"} if library == "dpt" else {}
    return smp.create_model(library, encoder, encoder_weights=None, classes=3, **more).eval()


@torch.no_grad()
@pytest.mark.parametrize("decoder", sorted(AS_PUBLISHED))
def test_a_decoder_of_the_library_computes_what_it_does_in_its_model(decoder: str) -> None:
    reference, side = model_of(decoder), 224
    if decoder == "dpt":
        maps, strides = [torch.randn(2, 192, 14, 14) for _ in range(4)], (16,) * 4
        expected = reference.decoder(maps, [None] * 4)
    else:
        image, *maps = reference.encoder(torch.randn(2, 3, side, side))
        strides = PYRAMID  # a dilated encoder's last map stands for stride 32
        expected = reference.decoder([image, *maps])
    entry = registries.decoders.get(decoder)
    options = entry.load_options()(name=decoder, **AS_PUBLISHED[decoder])
    made = entry.load()(options, Maps(tuple(level.shape[1] for level in maps), strides), 3).eval()
    made.decoder.load_state_dict(reference.decoder.state_dict())
    made.output = nn.Identity()
    torch.testing.assert_close(made(maps, (side, side)), expected)


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("backbone", [CNN, VIT])
def test_identity_is_refused_where_the_backbone_does_not_predict(
    backbone: str, dense: bool
) -> None:
    chosen = {"name": backbone, "weights": "none"}
    prepared = prepared_with((32, 32), dense=dense, backbone=chosen, decoder={"name": "identity"})
    with pytest.raises(RequestError, match=r"3 channels are needed, and this one gives \d+"):
        preflight(prepared)


@pytest.mark.parametrize("dense", [True, False])
def test_identity_passes_on_what_a_backbone_predicts(dense: bool, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        """
from torch import nn
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.shapes import Maps, Pooled

class Whole(Backbone):
    def __init__(self, options, inputs):
        super().__init__(Maps((8, 3), (1, 4)) if inputs.dense else Pooled(3), 4)
        self.stem, self.head = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 3, 4, 4)
        self.dense = inputs.dense

    def forward(self, images, context=None):
        fine = self.stem(self.pad(images))
        coarse = self.head(fine)
        return [fine, coarse] if self.dense else coarse.mean((2, 3))
"""
    )
    own = {"name": f"{tmp_path}/mine.py:Whole", "weights": "none"}
    chosen = {"dense": dense, "backbone": own, "decoder": {"name": "identity"}}
    prepared = prepared_with((37, 50), **chosen)
    preflight(prepared)
    model, images = build_model(prepared), torch.randn(2, 3, 37, 50)
    if dense:
        whole = functional.interpolate(model.backbone(images)[1], size=(40, 52), mode="bilinear")
        torch.testing.assert_close(model(images), whole[..., :37, :50])
    else:
        torch.testing.assert_close(model(images), model.backbone(images))
    with pytest.raises(RequestError, match="nothing would train"):
        preflight(prepared_with((37, 50), tuning="frozen", **chosen))


def test_a_perceptron_of_maps_is_that_of_vectors_on_each_cell() -> None:
    entry = registries.decoders.get("mlp")
    options = entry.load_options()(name="mlp", hidden=7, layers=2, normalise="none")
    vectors = entry.load()(options, Pooled(5), 3).eval()
    maps = entry.load()(options, Maps((4, 5), (8, 16)), 3).eval()
    weights = zip(maps.parameters(), vectors.parameters(), strict=True)
    for of_maps, of_vectors in weights:
        nn.init.normal_(of_vectors)
        of_maps.data = of_vectors.data.reshape(of_maps.shape)
    cells = torch.randn(2, 5, 3, 4)
    expected = vectors(cells.movedim(1, -1)).movedim(-1, 1)
    torch.testing.assert_close(maps([torch.zeros(0), cells], (48, 64)), expected)


def test_one_convolution_of_an_fcn_is_torchvisions_head() -> None:
    reference = FCNHead(24, 3).eval()
    entry = registries.decoders.get("fcn")
    options = entry.load_options()(name="fcn", channels=6, layers=1)
    made = entry.load()(options, Maps((24,), (16,)), 3).eval()
    tensors = zip(made.state_dict(), reference.state_dict().values(), strict=True)
    made.load_state_dict(dict(tensors))
    cells = torch.randn(2, 24, 3, 4)
    torch.testing.assert_close(made([cells], (48, 64)), reference(cells))


@pytest.mark.parametrize(("stride", "scale"), [(2, 1), (4, 1), (14, 2), (16, 4), (32, 8)])
def test_a_map_is_enlarged_and_convolved_up_to_stride_4(stride: int, scale: int) -> None:
    entry = registries.decoders.get("bilinear_conv")
    made = entry.load()(entry.load_options()(name="bilinear_conv"), Maps((8,), (stride,)), 3)
    convolved = [part for part in made.modules() if isinstance(part, nn.Conv2d)]
    assert len(convolved) == 1 + scale.bit_length()  # one more than doublings, and the classifier
    assert made([torch.randn(2, 8, 3, 5)], (0, 0)).shape == (2, 3, 3 * scale, 5 * scale)


@pytest.mark.parametrize(("decoder", "stride"), [("deeplabv3plus", 16), ("pspnet", 8)])
def test_a_decoder_of_dilated_backbones_gets_the_deepest_map_at_their_stride(
    decoder: str, stride: int
) -> None:
    entry = registries.decoders.get(decoder)
    options = entry.load_options()(name=decoder, channels=8)
    made = entry.load()(options, Maps((4, 8, 12, 16), (4, 8, 16, 32)), 3).eval()
    maps = [torch.randn(1, n, 64 // s, 64 // s) for n, s in ((4, 4), (8, 8), (12, 16), (16, 32))]
    finer = functional.interpolate(maps[3], scale_factor=32 // stride, mode="bilinear")
    nothing = torch.empty(0)  # neither decoder reads the other maps
    alone = made.decoder([nothing, nothing, maps[0], nothing, nothing, finer])
    torch.testing.assert_close(made(maps, (64, 64)), made.output(alone))


def test_pspnet_takes_a_map_whose_channels_its_four_grids_cannot_share() -> None:
    entry = registries.decoders.get("pspnet")
    shape = Maps((4, 8, 12, 18), (4, 8, 16, 32))  # as rexnet's and pruned networks'
    made = entry.load()(entry.load_options()(name="pspnet", channels=8), shape, 3).eval()
    maps = [
        torch.randn(1, n, 64 // s, 64 // s)
        for n, s in zip(shape.channels, shape.strides, strict=True)
    ]
    finer = functional.interpolate(maps[3], scale_factor=4, mode="bilinear")
    twenty = torch.cat([finer, torch.zeros(1, 2, 8, 8)], dim=1)
    torch.testing.assert_close(made(maps, (64, 64)), made.output(made.decoder([twenty])))


def test_a_backbone_without_the_strides_that_a_decoder_requires_is_refused() -> None:
    entry = registries.decoders.get("deeplabv3plus")
    with pytest.raises(RequestError, match=r"stride 4, 32, and the backbone gives 8, 16"):
        entry.load()(entry.load_options()(name="deeplabv3plus"), Maps((8, 8), (8, 16)), 3)


def test_another_decoder_of_the_library_is_its_options_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        """
from iterate_core.models.decoders.dense import build_smp
from iterate_core.models.decoders.smp_options import SmpOptions

class Options(SmpOptions):
    channels: int = 8
    library = "segmentation_models_pytorch.decoders.linknet.decoder:LinknetDecoder"

    def arguments(self):
        return {"prefinal_channels": self.channels}

class Linknet:
    options, tasks, build = Options, ("segmentation",), staticmethod(build_smp)
"""
    )
    prepared = prepared_with((37, 50), decoder={"name": f"{tmp_path}/mine.py:Linknet"})
    model = build_model(prepared)
    assert model.decoder.output.in_channels == 8
    assert model(torch.randn(2, 3, 37, 50)).shape == (2, 3, 37, 50)


@pytest.mark.parametrize(
    "backbone", [CNN, VIT, FOUR_STRIDES, "vgg11", "swin_tiny_patch4_window7_224"]
)
@pytest.mark.parametrize("decoder", ["linear", "mlp"])
def test_classification_heads_take_any_backbone(backbone: str, decoder: str) -> None:
    prepared = prepared_with(
        (33, 40), dense=False, backbone={"name": backbone, "weights": "none"},
        decoder={"name": decoder},
    )  # fmt: skip
    model = build_model(prepared, meta=True)
    assert model(torch.empty(2, 3, 33, 40, device="meta")).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "strides"),
    [(CNN, (2, 4, 8, 16, 32)), (FOUR_STRIDES, (4, 8, 16, 32)), (VIT, (16,) * 4)],
)
def test_declared_shapes_are_what_comes_out(name: str, strides: tuple[int, ...]) -> None:
    backbone = shared_backbone(prepared_with((64, 64), backbone={"name": name, "weights": "none"}))
    maps = backbone(torch.randn(2, 3, 64, 64))
    assert isinstance(backbone.shape, Maps)
    assert backbone.shape.strides == strides
    pairs = zip(backbone.shape.channels, strides, strict=True)
    assert [tuple(level.shape) for level in maps] == [(2, n, 64 // s, 64 // s) for n, s in pairs]


def test_a_pooled_backbone_is_timms_own_model() -> None:
    prepared = prepared_with((64, 64), dense=False)
    backbone = shared_backbone(prepared).eval()
    reference = timm.create_model(CNN, num_classes=0).eval()
    reference.load_state_dict(backbone.model.state_dict())
    images = torch.randn(2, 3, 64, 64)
    assert isinstance(backbone.shape, Pooled)
    torch.testing.assert_close(backbone(images), reference(images))


def test_the_unet_of_a_padded_image_ignores_the_padding_in_its_output() -> None:
    model = build_model(prepared_with((40, 33)))
    assert model.multiple == 32
    assert model(torch.zeros(2, 3, 40, 33)).shape[-2:] == (40, 33)


def test_linear_reads_the_level_asked_for() -> None:
    prepared = prepared_with((64, 64), decoder={"name": "linear", "level": 8})
    decoder = build_model(prepared).decoder
    assert (
        decoder.output.in_channels
        == dict(zip((2, 4, 8, 16, 32), shared_backbone(prepared).shape.channels, strict=True))[8]
    )
    with pytest.raises(RequestError, match=r"model\.decoder\.level.*stride 3.*2, 4, 8, 16, 32"):
        preflight(prepare(prepared_with((64, 64), decoder={"name": "linear", "level": 3}).recipe))


# Inflation


def band(common: str | None) -> Band:
    return Band(str(common), common, unit="uint8")


def test_bands_take_the_filter_of_what_they_measure() -> None:
    weight = torch.randn(5, 3, 3, 3)
    red, green, blue = weight.unbind(1)
    mean = (red + green + blue) / 3
    bands = [band(name) for name in ("nir", "blue", "red", None, "green", "swir_1")]
    result = inflated(weight, bands)
    for index, expected in enumerate((mean, blue, red, mean, green, mean)):
        torch.testing.assert_close(result[:, index], expected * 3 / 6)


def test_rgb_in_any_order_sees_the_same_image_the_same_way(tmp_path: Path) -> None:
    file = saved_weights(tmp_path / "w.safetensors")
    images = torch.randn(2, 3, 64, 64)
    outputs = []
    for order in ((0, 1, 2), (2, 0, 1)):
        bands = tuple(RGB[index] for index in order)
        prepared = prepared_with(
            (64, 64), bands, dense=False, backbone={"name": CNN, "weights": str(file)}
        )
        outputs.append(shared_backbone(prepared).eval()(images[:, list(order)]))
    torch.testing.assert_close(outputs[0], outputs[1])


@pytest.mark.parametrize("backbone", [CNN, VIT, FOUR_STRIDES])
def test_inflated_weights_reach_the_first_layer(backbone: str, tmp_path: Path) -> None:
    file = saved_weights(tmp_path / "w.safetensors", backbone)
    bands = tuple(band(name) for name in ("nir", "red", "green", "blue", "vv"))
    prepared = prepared_with((64, 64), bands, backbone={"name": backbone, "weights": str(file)})
    built = shared_backbone(prepared).model
    layer = built.get_submodule(built.pretrained_cfg["first_conv"])
    original = timm.create_model(backbone, pretrained=False)
    original.load_state_dict(torch.load(file.with_suffix(".pth"), weights_only=True))
    weight = original.get_submodule(built.pretrained_cfg["first_conv"]).weight
    assert layer.weight.shape[1] == 5
    torch.testing.assert_close(layer.weight[:, 1], weight[:, 0] * 3 / 5)
    torch.testing.assert_close(layer.weight[:, 4], weight.mean(1) * 3 / 5)


# Weights


def saved_weights(path: Path, backbone: str = CNN, **changes: Any) -> Path:
    """A timm model's own random weights, saved as ``.safetensors`` and ``.pth``."""
    torch.manual_seed(0)
    state = timm.create_model(backbone, pretrained=False).state_dict()
    state = {name: value for name, value in state.items() if name not in changes.get("drop", ())}
    state |= changes.get("add", {})
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    torch.save(state, path.with_suffix(".pth"))
    return path


HEAD = {"fc.weight": torch.zeros(7, 96), "fc.bias": torch.zeros(7)}


def test_weights_of_either_format_load_and_the_classifier_does_not_matter(tmp_path: Path) -> None:
    file = saved_weights(tmp_path / "w.safetensors")
    headless = saved_weights(
        tmp_path / "h.safetensors", drop=("head.fc.weight", "head.fc.bias", "fc.weight", "fc.bias")
    )
    other = saved_weights(
        tmp_path / "o.safetensors", add={"fc.weight": torch.zeros(7, 96), "fc.bias": torch.zeros(7)}
    )
    nested = tmp_path / "n.pth"
    torch.save({"state_dict": torch.load(file.with_suffix(".pth"), weights_only=True)}, nested)
    images = torch.randn(2, 3, 64, 64)
    outputs = [
        shared_backbone(
            prepared_with((64, 64), dense=False, backbone={"name": CNN, "weights": str(path)})
        ).eval()(images)
        for path in (file, file.with_suffix(".pth"), headless, other, nested)
    ]
    for output in outputs[1:]:
        assert torch.equal(output, outputs[0])


def weights_error(path: Path) -> str:
    prepared = prepared_with((64, 64), backbone={"name": CNN, "weights": str(path)})
    with pytest.raises(RequestError) as raised:
        preflight(prepared)
    (problem,) = raised.value.problems
    assert problem.where == "model.backbone.weights"
    return str(problem)


def test_missing_and_left_over_weights_are_named(tmp_path: Path) -> None:
    drop = ("layer1.0.conv1.weight",)
    file = saved_weights(tmp_path / "m.safetensors", drop=drop)
    assert "missing: layer1.0.conv1.weight" in weights_error(file)
    file = saved_weights(tmp_path / "l.safetensors", add={"extra.weight": torch.zeros(3)})
    assert "left over: extra.weight" in weights_error(file)
    file = saved_weights(tmp_path / "s.safetensors", add={"layer1.0.conv1.weight": torch.zeros(3)})
    assert "layer1.0.conv1.weight" in weights_error(file)


def test_truncated_weights_are_refused(tmp_path: Path) -> None:
    whole = saved_weights(tmp_path / "w.safetensors")
    for suffix in (".safetensors", ".pth"):
        path = tmp_path / f"t{suffix}"
        path.write_bytes(whole.with_suffix(suffix).read_bytes()[:1000])
        assert "truncated" in weights_error(path)


class Unsafe:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('executed')",))


def test_a_pickle_that_runs_code_is_refused_unrun(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"weight": Unsafe()}, path)
    assert "is not loaded" in weights_error(path)
    path.write_bytes(pickle.dumps({"weight": Unsafe()}))
    assert "is not loaded" in weights_error(path)


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {}])
def test_a_file_without_named_tensors_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    assert "w.pth holds" in weights_error(tmp_path / "w.pth")


def test_an_unknown_pretrained_tag_is_refused_with_those_there_are() -> None:
    prepared = prepared_with((64, 64), backbone={"name": "resnet18.a9_in1k", "weights": "none"})
    with pytest.raises(RequestError, match=r"no pretrained tag 'a9_in1k'.*a1_in1k"):
        preflight(prepared)


def test_weights_that_cannot_be_fetched_say_what_to_download(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = timm.create_model

    def create(name: str, pretrained: bool = False, **arguments: Any) -> nn.Module:
        if pretrained:
            raise OSError("no route to host")
        return real(name, **arguments)

    monkeypatch.setattr(timm, "create_model", create)
    prepared = prepared_with((64, 64), backbone={"name": "timm/resnet18", "weights": "hub"})
    with pytest.raises(RequestError, match=r"fetched from timm/resnet18.*model.safetensors"):
        preflight(prepared)


def test_random_weights_follow_the_seed() -> None:
    first, again = (shared_backbone(prepared_with((64, 64))) for _ in range(2))
    assert torch.equal(first.model.conv1[0].weight, again.model.conv1[0].weight)


# Names


def test_the_names_read_from_timms_source_are_timms() -> None:
    assert timm_names() == set(timm.list_models())


def test_timm_names_are_known_without_importing_timm_or_torch() -> None:
    code = (
        "import sys; from iterate_core.registry import registries as c;"
        "c.backbones.get('resnet50.a1_in1k');"
        "c.backbones.get('timm/resnet50'); assert not {'timm', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_misspelt_backbone_gets_the_nearest_names() -> None:
    with pytest.raises(RequestError, match="resnet50"):
        registries.backbones.get("resnet_50")


def test_a_frozen_model_takes_no_gradient_in_its_backbone() -> None:
    model: Model = build_model(prepared_with((64, 64), tuning="frozen"))
    model(torch.randn(2, 3, 64, 64)).sum().backward()
    assert all(value.grad is None for value in model.backbone.parameters())
    assert not any(part.training for part in model.backbone.modules())
    assert model.decoder.training


def test_parameters_that_a_backbone_fixes_stay_fixed() -> None:
    prepared = prepared_with((64, 64), backbone={"name": "test_vit", "weights": "none"})
    shared = shared_backbone(prepared)
    shared.fixed = frozenset({"model.pos_embed"})
    for tuning in ("frozen", "full"):
        one = Model(shared, nn.Identity(), 1, tuned(tuning))
        wanted = {name: parameter.requires_grad for name, parameter in one.named_parameters()}
        assert not wanted["backbone.model.pos_embed"]
        assert wanted["backbone.model.blocks.0.attn.qkv.weight"] is (tuning == "full")


def test_a_hub_whose_name_does_not_resolve_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unresolved(*_: Any) -> None:
        raise socket.gaierror("Name or service not known")

    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    prepared = prepared_with((64, 64), backbone={"name": "test_resnet", "weights": "hub"})
    started = time.monotonic()
    with pytest.raises(RequestError, match="cannot be fetched from timm/test_resnet"):
        preflight(prepared)
    assert time.monotonic() - started < 20
    assert not huggingface_hub.constants.HF_HUB_OFFLINE

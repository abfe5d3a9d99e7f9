"""Any timm model as a backbone."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import timm
import torch
from torch import Tensor, nn

from iterate_core.data.bands import describe
from iterate_core.errors import Problem, RequestError, nearest
from iterate_core.models.backbones.base import Backbone, Context, RgbNormalisation
from iterate_core.models.backbones.blocks import TAPS, Blocks, chosen_taps, timm_blocks
from iterate_core.models.backbones.card import Card, Modality
from iterate_core.models.backbones.options import WHERE, TimmOptions
from iterate_core.models.backbones.timm.inflation import RGB, inflate
from iterate_core.models.backbones.timm.names import PREFIX
from iterate_core.models.backbones.timm.reachability import failing_fast
from iterate_core.models.backbones.weights import read_weights
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps, Pooled, Shape, padded

NAME = "model.backbone.name"
DROP_PATH = "model.backbone.drop_path"


@dataclass(frozen=True)
class TimmLayout:
    """What is known of a timm model at an image size before it has weights.

    Attributes:
        shape: What it delivers.
        levels: Indices of the feature maps, as `forward_intermediates` takes them; empty if pooled.
        multiple: To what the image's sides are padded.
        fixed: Whether the model is built for one image size.
        normalisation: See `Backbone`.
    """

    shape: Shape
    levels: tuple[int, ...]
    multiple: int
    fixed: bool
    normalisation: RgbNormalisation | None


class TimmBackbone(Backbone):
    """A timm model without its classifier.

    Args:
        model: The model.
        layout: What it delivers, and how.
    """

    def __init__(self, model: nn.Module, layout: TimmLayout) -> None:
        super().__init__(layout.shape, layout.multiple)
        self.model = model
        self.levels = list(layout.levels)
        self.plain = isinstance(layout.shape, Maps) and layout.shape.plain
        self.normalisation = layout.normalisation

    def blocks(self) -> Blocks:
        """See `Backbone.blocks`."""
        return timm_blocks(self.model)

    def forward(self, images: Tensor, context: Context | None = None) -> Tensor | list[Tensor]:  # noqa: ARG002
        """See `Backbone.forward`."""
        return _features(self.model, self.pad(images), self.levels, self.plain)


def build(options: TimmOptions, inputs: Inputs, meta: bool) -> TimmBackbone:
    """Build a timm model as a backbone; see `Backbone` for the arguments.

    Raises:
        RequestError: The tag, the weights, the bands or the image size do not fit the model.
    """
    layout = layout_for(options.name, inputs.size, inputs.dense, options.taps)
    arguments: dict[str, Any] = {"drop_path_rate": options.drop_path} if options.drop_path else {}
    if layout.fixed:
        arguments["img_size"] = padded(inputs.size, layout.multiple)
    channels = len(RGB) if options.pretrained else len(inputs.bands)
    arguments["in_chans"] = channels
    with torch.device("meta" if meta else "cpu"):
        if options.pretrained and not meta:
            model = _with_weights(options, arguments)
        else:
            model = _create(options.name, num_classes=0, **arguments)
    if options.pretrained:
        inflate(model, _input_layers(model), inputs.bands)
    if inputs.dense and hasattr(model, "prune_intermediate_layers"):
        keep_norm = isinstance(layout.shape, Maps) and layout.shape.plain
        prune: Any = model.prune_intermediate_layers
        prune(sorted(layout.levels), prune_norm=not keep_norm)
    return TimmBackbone(model, layout)


@lru_cache(maxsize=64)
def layout_for(
    name: str, size: tuple[int, int], dense: bool, taps: tuple[int, ...] | None = None
) -> TimmLayout:
    """What a timm model delivers for images of a size, found by running it on the meta device.

    Raises:
        RequestError: It cannot be built for this size, gives no feature maps, or has no such taps.
    """
    settings = pretrained_settings(name)
    fixed = bool(settings.get("fixed_input_size"))
    with torch.device("meta"):
        probe = _create(name, num_classes=0)
    reductions = [entry["reduction"] for entry in _feature_table(probe, name, dense)]
    plain = len(reductions) > 1 and len(set(reductions)) == 1
    levels = _levels(reductions, plain, taps) if dense else ()
    multiple = max(reductions) if reductions and (dense or fixed) else 1
    target = padded(size, multiple)
    with torch.device("meta"):
        model = _create(name, num_classes=0, **({"img_size": target} if fixed else {}))
        features = _probe(model, target, list(levels), plain, name)
    shape: Shape
    if isinstance(features, Tensor):
        shape = Pooled(features.shape[1])
    else:
        strides = tuple(reductions[index] for index in levels)
        shape = Maps(tuple(level.shape[1] for level in features), strides)
    return TimmLayout(shape, levels, multiple, fixed, _normalisation(settings))


def pretrained_settings(name: str) -> dict[str, Any]:
    """What timm declares of a model's weights: mean, std, input size, classifier.

    Raises:
        RequestError: The model has no such pretrained tag.
    """
    plain, _, tag = name.removeprefix(PREFIX).partition(".")
    tags = [found.partition(".")[2] for found in timm.list_pretrained(plain)]
    if tag and tag not in tags:
        what = f"timm's {plain!r} has no pretrained tag {tag!r}."
        legal = f"Tags: {', '.join(filter(None, tags))}." if any(tags) else None
        raise RequestError(Problem(NAME, what, nearest(tag, tags) or legal))
    settings = timm.get_pretrained_cfg(f"{plain}.{tag}" if tag else plain)
    declared: dict[str, Any] = vars(settings) if settings is not None else {}
    return declared


def card_for(name: str) -> Card:
    """What timm declares of a model, as a card.

    Raises:
        RequestError: See `pretrained_settings`.
    """
    settings = pretrained_settings(name)
    declared = _normalisation(settings)
    colours = tuple(replace(band, unit="uint8") for band in describe(RGB))
    modalities: tuple[Modality, ...] = ()
    if declared is not None:
        mean, std = (tuple(255 * x for x in values) for values in (declared.mean, declared.std))
        modalities = (Modality("RGB", colours, mean, std),)
    with torch.device("meta"):
        model = _create(name, num_classes=0)
    plain = name.removeprefix(PREFIX)
    return Card(
        title=plain,
        reference=settings.get("origin_url") or f"timm {timm.__version__}",
        takes="any",
        modalities=modalities,
        size=(settings.get("input_size") or (3, 224, 224))[-1],
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        licence=settings.get("license"),
        notes=("timm fetches the weights", "its first layer is refitted to other bands than RGB"),
    )


def _normalisation(settings: dict[str, Any]) -> RgbNormalisation | None:
    mean, std = settings.get("mean"), settings.get("std")
    if not mean or not std or len(mean) != len(RGB) or len(std) != len(RGB):
        return None
    return RgbNormalisation(tuple(mean), tuple(std))


def _create(name: str, **arguments: Any) -> nn.Module:
    try:
        model: nn.Module = timm.create_model(name.removeprefix(PREFIX), **arguments)
    except (TypeError, ValueError, RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        if "drop_path_rate" in reason:
            what = f"timm's {name!r} has no stochastic depth."
            raise RequestError(Problem(DROP_PATH, what, "Leave it out.")) from error
        given = {key: arguments[key] for key in ("img_size", "in_chans") if key in arguments}
        what = f"timm cannot build {name!r} with {given} ({reason})."
        raise RequestError(Problem(NAME, what, "Try another data.image_size.")) from error
    return model


def _feature_table(model: nn.Module, name: str, dense: bool) -> list[dict[str, Any]]:
    """Timm's table of a model's feature maps: channels and reduction of each."""
    table = getattr(model, "feature_info", None)
    entries: list[dict[str, Any]] = list(getattr(table, "info", table) or [])
    if dense and (not entries or not hasattr(model, "forward_intermediates")):
        what = f"timm's {name!r} gives no feature maps, which dense tasks need."
        raise RequestError(Problem(NAME, what))
    return entries


def _levels(reductions: list[int], plain: bool, taps: tuple[int, ...] | None) -> tuple[int, ...]:
    """The deepest map of each resolution from stride 2 on; of a plain transformer the taps.

    Raises:
        RequestError: A tap is not among the blocks, or they are not all of one resolution.
    """
    if plain:
        return chosen_taps(taps, len(reductions))
    if taps is not None:
        what = "are of a plain vision transformer, and this backbone gives its map of each stride."
        raise RequestError(Problem(TAPS, what, "Leave them out."))
    deepest = {stride: index for index, stride in enumerate(reductions) if stride > 1}
    return tuple(sorted(deepest.values()))


def _probe(
    model: nn.Module, size: tuple[int, int], levels: list[int], plain: bool, name: str
) -> Tensor | list[Tensor]:
    images = torch.empty(2, len(RGB), *size)
    try:
        with torch.no_grad():
            return _features(model.eval(), images, levels, plain)
    except (RuntimeError, ValueError, AssertionError, TypeError, NotImplementedError) as error:
        what = f"{name!r} cannot take images of {size[0]}×{size[1]} pixels"
        what = f"{what} ({str(error).splitlines()[0]})."
        raise RequestError(Problem(NAME, what, "Set data.image_size.")) from error


def _features(model: Any, images: Tensor, levels: list[int], plain: bool) -> Tensor | list[Tensor]:
    if not levels:
        pooled: Tensor = model(images)
        return pooled.flatten(1)
    rising = sorted(levels)
    maps: list[Tensor] = model.forward_intermediates(
        images, indices=rising, norm=plain, stop_early=True, intermediates_only=True
    )
    return [maps[rising.index(level)] for level in levels]


def _input_layers(model: nn.Module) -> tuple[str, ...]:
    named = model.pretrained_cfg["first_conv"]  # type: ignore[index]
    return (named,) if isinstance(named, str) else tuple(named or ())


def _with_weights(options: TimmOptions, arguments: dict[str, Any]) -> nn.Module:
    """The model with its weights loaded, every one of them, and its classifier removed."""
    if options.file is None:
        model = _from_hub(options, arguments)
    else:
        model = _from_file(options, arguments)
    model.reset_classifier(0)  # type: ignore[operator]
    return model


def _from_hub(options: TimmOptions, arguments: dict[str, Any]) -> nn.Module:
    name = options.name.removeprefix(PREFIX)
    try:
        with failing_fast():
            model: nn.Module = timm.create_model(name, pretrained=True, **arguments)
    except Exception as error:
        settings = pretrained_settings(options.name)
        place = settings.get("hf_hub_id") or settings.get("url") or "timm's hub"
        what = f"the weights of {name!r} cannot be fetched from {place} ({type(error).__name__})."
        hint = (
            f"Download model.safetensors of {place} where there is a network and set {WHERE} to "
            "its path, or set it to none for random weights."
        )
        raise RequestError(Problem(WHERE, what, hint)) from error
    return model


def _from_file(options: TimmOptions, arguments: dict[str, Any]) -> nn.Module:
    """Timm's own loading of its checkpoint layouts, from a file we read, strictly."""
    assert options.file is not None  # noqa: S101 - for the type checker; the caller looked
    weights = read_weights(options.file)
    classes = _classes(weights, pretrained_settings(options.name))
    overlay = {
        "state_dict": weights,
        "num_classes": classes,
        "label_offset": 0,
        "custom_load": False,
    }
    try:
        model: nn.Module = timm.create_model(
            options.name.removeprefix(PREFIX),
            pretrained=True,
            pretrained_cfg_overlay=overlay,
            num_classes=classes,
            **arguments,
        )
    except (RuntimeError, KeyError, ValueError, AttributeError, TypeError, IndexError) as error:
        what = f"{options.file} does not fit {options.name!r}: {_misfit(error)}"
        raise RequestError(Problem(WHERE, what)) from error
    settings: Any = model.pretrained_cfg
    settings.pop("state_dict", None)  # the weights a second time
    return model


def _classes(weights: dict[str, Tensor], settings: dict[str, Any]) -> int:
    """How many classes the file's own classifier has; 0 without one. It is dropped either way."""
    named = settings.get("classifier") or ()
    for classifier in (named,) if isinstance(named, str) else named:
        if f"{classifier}.weight" in weights:
            return int(weights[f"{classifier}.weight"].shape[0])
    return 0


def _misfit(error: Exception) -> str:
    """What PyTorch's strict loading complains of, with the first names of each kind."""
    text = str(error)
    found = []
    for kind, opening in (("missing", "Missing"), ("left over", "Unexpected")):
        section = re.search(rf"{opening} key\(s\) in state_dict: (.*?)\. ?(?:\n|$)", text)
        if section:
            names = re.findall(r'"([^"]+)"', section.group(1))
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            found.append(f"{kind}: {', '.join(names[:5])}{more}")
    sizes = re.findall(r"size mismatch for ([\w.]+): .*?shape (\S+ ?\S*\)?).*?shape .*", text)
    found += [f"another size: {name}" for name, _ in sizes[:5]]
    return "; ".join(found) + "." if found else f"{type(error).__name__}: {text[:200]}."

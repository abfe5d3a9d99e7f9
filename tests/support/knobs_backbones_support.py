"""What each option of a backbone changes, seen on a few blocks with numbers drawn for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from knobs_support import Case, Scene, refused
from torch import Tensor, nn

from iterate_core.data.bands import describe
from iterate_core.data.dataset import Band
from iterate_core.engine.resolved import weights_of
from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.catalogue import card_of
from iterate_core.models.backbones.matching import Matching, match_bands
from iterate_core.models.inputs import Inputs
from iterate_core.recipe import Recipe
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

CONTEXT = Context(
    torch.tensor([[[2020.0, 100.0]], [[2021.0, 300.0]]]), torch.tensor([[1.0, 2.0], [30.0, 40.0]])
)
SENTINEL_2 = tuple(replace(band, unit="dn") for band in describe(["B02", "B03", "B04", "B08"]))
SIDES = {"presto": 4, "tessera": 4, "earthloc": 32, "scalemae": 32}


def options(scene: Scene, **others: Any) -> Any:
    """The component's options with the one at its value, random weights and few blocks."""
    kind = scene.knob.owner
    small: dict[str, Any] = {"weights": "none"}
    if "depth" in kind.model_fields:
        small["depth"] = 2
    values = {"name": scene.knob.component, **small, **others, scene.knob.field: scene.value}
    return parse(kind, values, "model.backbone")


def bands(scene: Scene, names: Sequence[str] = ()) -> tuple[Band, ...]:
    """The bands of a backbone's first modality, of those named, or of all that belong together."""
    card = card_of(scene.knob.component)
    known = () if card is None else card.modalities[: None if card.together else 1]
    if card is not None and names:
        known = tuple(one for one in card.modalities if one.name in names)
    found = tuple(band for modality in known for band in modality.bands)
    return tuple(replace(band, unit=band.unit or "dn") for band in found) or SENTINEL_2


def matching(scene: Scene, given: tuple[Band, ...]) -> Matching:
    """Which band goes to which channel."""
    return match_bands(card_of(scene.knob.component), given, options(scene))


def inputs_of(scene: Scene, chosen: Any, dense: bool = False) -> Inputs:
    """What a backbone is built for: small images of the bands it was trained with."""
    names = chosen.modalities if hasattr(chosen, "modalities") else None
    found = match_bands(card_of(chosen.name), bands(scene, names or ()), chosen)
    side = SIDES.get(chosen.name.partition("_")[0], 28)
    return Inputs(found.bands, (side, side), dense, 1, 10.0, found.modalities)


def built(scene: Scene, dense: bool, **others: Any) -> tuple[Backbone, Inputs]:
    """A backbone without weights or memory."""
    chosen = options(scene, **others)
    inputs = inputs_of(scene, chosen, dense)
    return registries.backbones.get(chosen.name).load()(chosen, inputs, True), inputs


def features(scene: Scene, dense: bool = False, train: bool = False, **others: Any) -> Any:
    """What a backbone with drawn numbers makes of drawn images, rounded."""
    made, inputs = built(scene, dense, **others)
    drawn(made).train(train)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((2, len(inputs.bands), *inputs.size), generator=generator)
    torch.manual_seed(1)
    with torch.no_grad():
        found = made(images, CONTEXT)
    levels = [found] if isinstance(found, Tensor) else found
    return [(tuple(level.shape), [round(x, 6) for x in level.flatten()[::7][:9].tolist()])
            for level in levels]  # fmt: skip


def drawn(backbone: Backbone) -> Backbone:
    """Random numbers for whatever is on the meta device; drawing the usual ones takes seconds."""
    backbone.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for value in (*backbone.parameters(), *backbone.buffers()):
            if value.is_floating_point():
                value.uniform_(-0.05, 0.05, generator=generator)
            else:
                value.zero_()
    return backbone


def structure(scene: Scene) -> Any:
    """Its maps, and the shapes of all that it holds."""
    made, _ = built(scene, dense=True)
    return made.shape, [(name, tuple(value.shape)) for name, value in made.state_dict().items()]


def drop_rates(scene: Scene) -> list[float]:
    """The rates of stochastic depth of its blocks."""
    made, _ = built(scene, dense=False)
    rates = [
        float(value)
        for module in made.modules()
        for name, value in vars(module).items()
        if name in ("drop_prob", "drop_path", "p", "rate") and isinstance(value, float)
    ]
    return sorted(rate for rate in rates if rate > 0)


def largest_rate(scene: Scene) -> float:
    """The rate of its last block."""
    return round(max(drop_rates(scene), default=0.0), 6)


def chunks(scene: Scene) -> int:
    """How often the encoder is called for one batch."""
    made, inputs = built(scene, dense=False)
    drawn(made).eval()
    calls: list[int] = []
    encoder: nn.Module = made.encoder  # type: ignore[assignment]
    encoder.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        made(torch.zeros(2, len(inputs.bands), *inputs.size), CONTEXT)
    return len(calls)


def missing(scene: Scene) -> Any:
    """The channels that find no band."""
    found = matching(scene, bands(scene)[1:])
    return [match.source for match in found.matches], found.notes


def extra(scene: Scene) -> Any:
    """What becomes of a band that no channel takes."""
    unknown = Band("odd", None, None, unit="dn")
    found = matching(scene, (*bands(scene), unknown))
    return found.bands, found.notes


def modalities(scene: Scene) -> Any:
    """Which of its modalities are filled."""
    card = card_of(scene.knob.component)
    every = () if card is None else [one.name for one in card.modalities]
    found = matching(scene, bands(scene, every))
    return found.bands, found.modalities


def weights(scene: Scene) -> Any:
    """Whether a file of weights is read: this one holds others."""
    path = scene.folder / "weights.pt"
    torch.save({"other": torch.zeros(1)}, path)
    random = scene.value == "none"
    chosen = options(replace(scene, value="none" if random else str(path)))
    size = (320, 320) if "earthloc" in chosen.name else (28, 28)
    inputs = replace(inputs_of(scene, chosen), size=size)
    made = registries.backbones.get(chosen.name).load()(chosen, inputs, random)
    return type(made).__name__


def digest(scene: Scene) -> str:
    """The content of a file of weights, if it is the one stated."""
    path = scene.folder / "weights.pt"
    path.write_bytes(b"weights")
    chosen = options(scene, weights=str(path))
    model = Recipe.model_fields["model"].annotation.model_construct(backbone=chosen)
    return weights_of(Recipe.model_construct(model=model))


OTHER = "0" * 64
PAIR, PRITHVI_TL = ("S2L2A", "S1GRD"), "prithvi_eo_v2_tiny_tl"


def of(scene: Scene, component: str) -> Scene:
    """The same option of another component that takes it."""
    return replace(scene, knob=replace(scene.knob, component=component))


def weather(scene: Scene, **others: Any) -> Any:
    """Features of the smallest Prithvi-WxC, of one block if no more are asked for."""
    return features(of(scene, "prithvi_wxc_600"), **{"depth": 1, **others})


def in_evaluation(scene: Scene) -> Any:
    """Features outside training."""
    return features(scene, modalities=PAIR)


BACKBONES: dict[str, Case] = {
    "BackboneOptions.weights": Case(("none", "a file"), refused(weights)),
    "BackboneOptions.sha256": Case((None, OTHER), refused(digest)),
    "MatchedOptions.missing": Case(("refuse", "zero"), refused(missing)),
    "MatchedOptions.extra": Case(("drop", "refuse"), refused(extra)),
    "MatchedOptions.modalities": Case((None, ("unheard of",)), refused(modalities)),
    "TerraMindOptions.modalities": Case((("S2L2A",), ("S2L1C",)), refused(modalities)),
    "EncoderOptions.depth": Case((2, 4), structure),
    "CromaOptions.depth": Case((2, 4), structure),
    "EncoderOptions.taps": Case(((0,), (0, 1)), structure),
    "TimmOptions.drop_path": Case((0.0, 0.5), largest_rate, (0.0, 0.5)),
    "TimmOptions.taps": Case(((0,), (0, 1)), lambda s: structure(of(s, "test_vit"))),
    "PyramidOptions.drop_path": Case((0.0, 0.5), largest_rate, (0.0, 0.5)),
    "VitOptions.drop_path": Case((0.0, 0.5), largest_rate, (0.0, 0.5)),
    "DofaOptions.drop_path": Case((0.0, 0.5), largest_rate, (0.0, 0.5)),
    "PrithviOptions.drop_path": Case((0.0, 0.5), largest_rate, (0.0, 0.5)),
    "SatMaeOptions.drop_path": Case((0.0, 0.5), largest_rate, (0.0, 0.5)),
    "TerraMindOptions.drop_path": Case((0.0, 0.5), largest_rate, (0.0, 0.5)),
    "VitOptions.pooling": Case(("cls", "mean"), features),
    "PanopticonOptions.pooling": Case(("cls", "mean"), features),
    "PrithviOptions.pooling": Case(("cls", "mean"), features),
    "ClayOptions.pooling": Case(("cls", "mean"), features),
    "SatMaeOptions.pooling": Case(("cls", "mean"), features),
    "SatMaeOptions.grouping": Case(("mean", "concat"), structure),
    "ClayOptions.coordinates": Case((True, False), features),
    # Only its "TL" models are told.
    "PrithviOptions.coordinates": Case((True, False), lambda s: features(of(s, PRITHVI_TL))),
    "CopernicusOptions.coordinates": Case((True, False), features),
    "PrestoOptions.coordinates": Case((True, False), features),
    "TesseraOptions.coordinates": Case((True, False), features),
    "ClayOptions.metres": Case((None, 0.5), features),
    "ScaleMaeOptions.metres": Case((None, 0.5), features),
    "CopernicusOptions.metres": Case((None, 0.5), features),
    "CopernicusOptions.bandwidths": Case(({}, {"B02": 5.0}), features),
    "TerraMindOptions.merging": Case(("mean", "max"), lambda s: features(s, modalities=PAIR)),
    "TerraMindOptions.modality_dropout": Case(
        (0.0, 0.9), lambda s: features(s, modalities=PAIR, train=True), same=in_evaluation
    ),
    "OlmoEarthOptions.patch": Case((8, 4), structure),
    "OlmoEarthOptions.coordinates": Case((True, False), features),
    "OlmoEarthOptions.month": Case((1, 7), lambda s: features(s, coordinates=False)),
    "OlmoEarthOptions.metres": Case((None, 0.5), features),
    "OlmoEarthOptions.drop_path": Case((0.0, 0.5), largest_rate, (0.0, 0.5)),
    "PrithviWxcOptions.unit": Case(((30, 32), (8, 8)), weather),
    "PrithviWxcOptions.shift": Case(
        (False, True), lambda s: weather(s, depth=3, unit=(8, 8)), same=structure
    ),
    "PrithviWxcOptions.coordinates": Case((True, False), weather),
    "PrithviWxcOptions.input_hours": Case((6.0, 12.0), weather),
    "PrithviWxcOptions.lead_hours": Case((0.0, 12.0), weather),
    "PrithviWxcOptions.hour": Case((None, 6.0), weather),
    "PrithviWxcOptions.degrees": Case((None, (0.5, 0.625)), weather),
    "PrithviWxcOptions.drop_path": Case((0.0, 0.5), largest_rate, (0.0, 0.5)),
    "PrestoOptions.month": Case((1, 7), lambda s: features(s, coordinates=False)),
    "PrestoOptions.chunk": Case((4096, 8), chunks, (1, 4), same=features),
    "TesseraOptions.chunk": Case((1024, 8), chunks, (1, 4), same=features),
}

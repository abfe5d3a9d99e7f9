"""Compare every encoder at full width and depth with the public implementation, by hand.

    PYTHONPATH=. peers/bin/python benchmarks/parity/compare_full.py [NAME ...]

The environment is that of `make_references.py`. The public model is built by the name or function
that its users build it by, with random weights; its state dict is loaded strictly here; both see
the same images. Prints the largest difference of any number of any block's tokens. The largest
model needs 6 GB of memory.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from iterate_core.models.backbones.clay.card import CLAY_V1, ClayConfiguration
from iterate_core.models.backbones.clay.card import CONFIGURATIONS as CLAY
from iterate_core.models.backbones.clay.encoder import Clay
from iterate_core.models.backbones.dofa.card import CONFIGURATIONS as DOFA
from iterate_core.models.backbones.dofa.card import DofaConfiguration
from iterate_core.models.backbones.dofa.encoder import Dofa
from iterate_core.models.backbones.prithvi.card import CONFIGURATIONS as PRITHVI
from iterate_core.models.backbones.prithvi.card import PrithviConfiguration
from iterate_core.models.backbones.prithvi.encoder import Prithvi
from iterate_core.models.backbones.terramind.card import CONFIGURATIONS as TERRAMIND
from iterate_core.models.backbones.terramind.card import TerraMindConfiguration
from iterate_core.models.backbones.terramind.encoder import TerraMind
from iterate_core.models.backbones.transformer.card import Configuration

PRITHVI_NAMES = {size.name: name for name, size in PRITHVI.items()}
WAVES = [0.493, 0.56, 0.665, 0.842, 1.61, 2.19]
Outputs = list[tuple[list[Tensor], list[Tensor]]]


def prithvi(configuration: PrithviConfiguration) -> Outputs:
    """One frame at two sizes, without and with time and place where there are any."""
    from terratorch.registry import BACKBONE_REGISTRY

    peer = BACKBONE_REGISTRY.build(PRITHVI_NAMES[configuration.name], pretrained=False)
    native = copied(Prithvi(configuration), peer)
    results: Outputs = []
    for side in (224, 112):
        images = torch.randn(1, 6, side, side)
        results.append((list(peer.forward_features(images)), native(images)))
    if configuration.coordinates:
        time, place = torch.tensor([[[2021.0, 133.0]]]), torch.tensor([[-12.5, 131.0]])
        expected = peer.forward_features(images, temporal_coords=time, location_coords=place)
        results.append((list(expected), native(images, time, place)))
    return results


def terramind(configuration: TerraMindConfiguration) -> Outputs:
    """One modality and two at the training size, two at another size."""
    from terratorch.registry import BACKBONE_REGISTRY

    name = "terramind_v1_" + configuration.name.split("-")[-1]
    pair = ["S2L2A", "S1GRD"]
    peer = BACKBONE_REGISTRY.build(name, pretrained=False, modalities=pair)
    native = copied(TerraMind(configuration, pair), peer)
    results: Outputs = []
    for side, given in ((224, pair[:1]), (224, pair), (160, pair)):
        images = {
            name: torch.randn(1, {"S2L2A": 12, "S1GRD": 2}[name], side, side) for name in given
        }
        results.append((list(peer(dict(images))), native(images)))
    return results


def clay(configuration: ClayConfiguration) -> Outputs:
    """All blocks of v1 at the training size; the last of v1.5 at two sizes."""
    from terratorch.models.backbones.clay_v1.embedder import Embedder
    from terratorch.models.backbones.clay_v15.model import Encoder

    first = configuration is CLAY_V1
    if first:
        peer: nn.Module = Embedder().clay_encoder
    else:
        peer = Encoder(0.0, 8, False, 1024, 24, 16, 64, 4.0)
    native = copied(Clay(configuration), peer)
    results: Outputs = []
    for side in (256,) if first else (256, 128):
        images, time, place = torch.randn(1, 6, side, side), torch.randn(1, 4), torch.randn(1, 4)
        gsd, waves = torch.tensor(10.0), torch.tensor(WAVES)
        given = {"pixels": images, "time": time, "latlon": place, "gsd": gsd, "waves": waves}
        expected = peer(given)
        outputs = native(images, WAVES, gsd=10.0, time=time, place=place)
        pairs = (list(expected), outputs) if first else ([expected[0]], outputs[-1:])
        results.append(pairs)
    return results


def dofa(configuration: DofaConfiguration) -> Outputs:
    """All blocks and the pooled vector at the training size."""
    from terratorch.models.backbones.dofa_vit import DOFAEncoderWrapper
    from torchgeo import models

    size = configuration.name.split("-")[-1]
    build = getattr(models, f"dofa_{size}_patch{configuration.patch}_224")
    peer = build()
    native = copied(Dofa(configuration), peer, leave=("head.weight", "head.bias"))
    images = torch.randn(1, 6, 224, 224)
    blocks = DOFAEncoderWrapper(peer, WAVES, out_indices=list(range(configuration.depth)))
    outputs = native(images, WAVES)
    pooled = native.pooled(outputs[-1])
    expected = [*blocks(images), peer.forward_features(images, WAVES)]
    return [(expected, [*outputs, pooled])]


def copied(native: Any, peer: nn.Module, leave: tuple[str, ...] = ()) -> Any:
    """The native model with the peer's weights, after moving those off their simple values."""
    for parameter in peer.parameters():
        parameter.add_(0.02 * torch.randn_like(parameter))
    weights = {name: value for name, value in peer.state_dict().items() if name not in leave}
    native.load_state_dict(weights, strict=True)
    peer.eval()
    return native.eval()


def differences(outputs: Outputs) -> tuple[float, float]:
    """The largest absolute difference, and the largest number it is compared with."""
    worst = largest = 0.0
    for expected, computed in outputs:
        for one, other in zip(expected, computed, strict=True):
            worst = max(worst, float((one - other).abs().max()))
            largest = max(largest, float(one.abs().max()))
    return worst, largest


def main() -> None:
    """Compare all models, or those that are named."""
    families: list[tuple[Callable[[Any], Outputs], Mapping[str, Configuration]]] = [
        (prithvi, PRITHVI),
        (terramind, TERRAMIND),
        (clay, CLAY),
        (dofa, DOFA),
    ]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    names = parser.parse_args().names
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for run, table in families:
        for configuration in table.values():
            if names and configuration.name not in names:
                continue
            torch.manual_seed(0)
            with torch.no_grad():
                worst, largest = differences(run(configuration))
            print(f"{configuration.name:24} {worst:.1e} of numbers up to {largest:.1f}", flush=True)


if __name__ == "__main__":
    main()

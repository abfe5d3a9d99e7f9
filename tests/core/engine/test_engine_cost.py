"""What a recipe costs, counted without training it."""

from __future__ import annotations

import torch
from engine_support import recipe
from torch import Tensor, nn

from iterate_core.engine.build import build_model
from iterate_core.engine.cost import epoch_flops, image_flops
from iterate_core.engine.resolved import prepare


def test_operations_of_an_image_are_those_of_its_layers() -> None:
    found = prepare(recipe())
    model = build_model(found).eval()
    counts = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(layer, nn.Conv2d):
            weights = layer.weight[0].numel()  # of one output channel
            counts.append(2 * weights * output[0].numel())
        elif isinstance(layer, nn.Linear):
            counts.append(2 * layer.in_features * output[0].numel())

    for layer in model.modules():
        layer.register_forward_hook(count)
    model(torch.zeros(1, len(found.bands), *found.size))
    assert image_flops(found) == sum(counts) > 1e5
    # 24 training samples of three passes each, and 12 validation samples.
    assert epoch_flops(found) == (3 * 24 + 12) * sum(counts)

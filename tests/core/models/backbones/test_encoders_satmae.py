"""The multispectral SatMAE against an oracle in NumPy."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import satmae_oracle
import torch
from encoders_support import numbers, weight

from iterate_core.data.loading.scaling import Scaling
from iterate_core.errors import RequestError
from iterate_core.models.backbones.satmae.card import CARDS, SATMAE_BASE
from iterate_core.models.backbones.satmae.encoder import SatMae, load_satmae
from iterate_core.models.backbones.transformer.positions import table_2d

# 384 = 256 of the group and 128 of the place.
REDUCED = replace(SATMAE_BASE, width=384, depth=2, heads=6)


def drawn() -> SatMae:
    """A model with drawn weights, but for its tables of positions."""
    model = SatMae(REDUCED)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(weight(name, parameter.shape))
    return model.eval()


def differences(model: SatMae, size: int) -> list[float]:
    images = numbers("satmae images", (2, 10, size, size))
    weights = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    expected = satmae_oracle.encode(images.astype(np.float64), weights, depth=2, heads=6)
    with torch.inference_mode():
        outputs = model(torch.from_numpy(images))
    return [
        float(np.abs(tokens.numpy() - wanted).max())
        for tokens, wanted in zip(outputs, expected, strict=True)
    ]


def test_tokens_equal_the_oracle_at_the_training_size() -> None:
    assert max(differences(drawn(), 96)) <= 1e-5


def test_tokens_equal_the_oracle_at_another_size_with_that_size_s_table() -> None:
    model = drawn()
    table = torch.cat([torch.zeros(1, 1, 128), table_2d(128, (6, 6), columns_first=True)], dim=1)
    model.pos_embed = torch.nn.Parameter(table, requires_grad=False)
    model.native = (6, 6)
    assert max(differences(model, 48)) <= 1e-5


def test_another_size_resizes_the_table_bicubically() -> None:
    model = drawn()
    ramp = torch.arange(12.0).repeat(12)[:, None].expand(-1, 128)
    model.pos_embed.data[0, 1:] = ramp
    resized = model._positions((24, 24))[0, : 24 * 24, 0].reshape(24, 24)
    for column in range(4, 20):
        centre = (column + 0.5) / 2 - 0.5
        near = range(math.floor(centre) - 1, math.floor(centre) + 3)
        expected = sum(cubic(abs(centre - cell)) * cell for cell in near)
        assert resized[:, column].numpy() == pytest.approx(expected, abs=1e-5)


def cubic(distance: float, a: float = -0.75) -> float:
    """The kernel of cubic convolution (Keys, 1981)."""
    if distance <= 1:
        return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    return a * (distance**3 - 5 * distance**2 + 8 * distance - 4)


def test_maps_hold_the_groups_side_by_side_or_their_mean() -> None:
    model = drawn()
    with torch.inference_mode():
        tokens = model(torch.from_numpy(numbers("satmae images", (2, 10, 96, 96))))[-1]
    beside = model.feature_map(tokens, (96, 96), grouping="concat")
    assert beside.shape == (2, 3 * 384, 12, 12)
    # Group 1, row 2, column 5.
    assert torch.equal(beside[:, 384:768, 2, 5], tokens[:, 1 + 144 + 2 * 12 + 5])
    mean = model.feature_map(tokens, (96, 96))
    torch.testing.assert_close(
        mean, (beside[:, :384] + beside[:, 384:768] + beside[:, 768:]) / 3, rtol=0, atol=1e-6
    )
    torch.testing.assert_close(model.pooled(tokens), tokens[:, 1:].mean(dim=1))
    assert torch.equal(model.pooled(tokens, "cls"), tokens[:, 0])


def test_the_autoencoder_s_file_loads_without_its_decoder() -> None:
    source, target = drawn(), SatMae(REDUCED)
    published = dict(source.state_dict())
    del published["channel_cls_embed"]
    published["mask_token"] = torch.zeros(1, 1, 512)
    published["decoder_blocks.0.norm1.weight"] = torch.zeros(512)
    load_satmae(target, published, "pretrain.pth")
    for name, tensor in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], tensor), name


def test_pixels_are_cut_to_eight_bits_around_the_mean() -> None:
    (modality,) = CARDS["satmae_base"].modalities
    normals = (modality.normal(index) for index in range(10))
    channels = [replace(normal, source=i) for i, normal in enumerate(normals) if normal]
    images = torch.zeros(1, 10, 1, 5)
    # B02: 1184.38 and 650.28; B12: 1247.92 and 1087.60.
    images[0, 0, 0] = torch.tensor([1184.38, 1184.38 + 650.28, 1184.38 - 3 * 650.28, 9999, 0])
    images[0, 9, 0, 0] = 1247.92 - 1087.60
    pixels = Scaling(tuple(channels), (1, 5)).apply(images) * 255
    expected = [127, 191, 0, 255, int((0.5 - 1184.38 / (4 * 650.28)) * 255)]
    assert pixels[0, 0, 0].tolist() == pytest.approx(expected)
    assert pixels[0, 9, 0, 0].item() == pytest.approx(63)


def test_other_numbers_of_bands_are_refused() -> None:
    with pytest.raises(RequestError, match="takes 10 channels and was given 13"):
        SatMae(REDUCED)(torch.zeros(1, 13, 96, 96))

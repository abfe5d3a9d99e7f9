"""Convolution weights generated from wavelengths, so that one encoder reads any bands.

Xiong et al., "Neural Plasticity-Inspired Multimodal Foundation Model for Earth Observation"
(DOFA, 2024); Clay follows it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.transformer.tokens import WHERE, check_channels

CODE_WIDTH = 128
_TOKENS, _HEADS, _INNER = 128, 4, 2048


class WeightGenerator(nn.Module):
    """A transformer over codes of wavelengths that writes the patch embedding's weights.

    Args:
        outputs: Numbers of one band's weights.
        width: Length of the bias.
        name: Under which the checkpoint keeps the transformer.
    """

    def __init__(self, outputs: int, width: int, name: str) -> None:
        super().__init__()
        self.name = name
        layer = nn.TransformerEncoderLayer(
            CODE_WIDTH, _HEADS, _INNER, dropout=0.0, activation="gelu"
        )
        encoder = nn.TransformerEncoder(layer, num_layers=1, enable_nested_tensor=False)
        self.add_module(name, encoder)
        self.weight_tokens = nn.Parameter(torch.empty(_TOKENS, CODE_WIDTH))
        self.bias_token = nn.Parameter(torch.empty(1, CODE_WIDTH))
        self.fc_weight = nn.Linear(CODE_WIDTH, outputs)
        self.fc_bias = nn.Linear(CODE_WIDTH, width)
        nn.init.normal_(self.weight_tokens, std=0.02)
        nn.init.normal_(self.bias_token, std=0.02)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Weights and a bias.

        Args:
            codes: (bands, 128) of the wavelengths.

        Returns:
            (bands, outputs) weights and the (width,) bias, both unscaled.
        """
        sequence = torch.cat([self.weight_tokens, codes, self.bias_token])
        written = self.get_submodule(self.name)(sequence)
        weights = self.fc_weight(written[_TOKENS:-1] + codes)
        return weights, self.fc_bias(written[-1])


def band_wavelengths(wavelengths: Tensor | Sequence[float], images: Tensor) -> Tensor:
    """(bands,) wavelengths in µm in single precision beside the images.

    Raises:
        RequestError: There is not one for each band, or one is no length in µm.
    """
    given = torch.as_tensor(wavelengths, dtype=torch.float32, device=images.device)
    check_channels(images, given.numel(), "the list of wavelengths")
    # Looked at where they are: reading them back would wait for the device at every step.
    told = wavelengths.cpu().tolist() if isinstance(wavelengths, Tensor) else list(wavelengths)
    # Nanometres of visible light are above 100; thermal infrared in µm is below.
    wrong = [length for length in told if not 0 < length <= 100]
    if wrong:
        what = f"wavelengths must be in µm above 0, but got {wrong}."
        hint = "Divide nanometres by 1000; radar bands take the model's stand-ins below 10."
        raise RequestError(Problem(WHERE, what, hint))
    return given

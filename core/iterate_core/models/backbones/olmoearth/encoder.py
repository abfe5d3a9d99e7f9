"""OlmoEarth's encoder, made of the library's parts, with the tokens after each block.

Herzog et al., "OlmoEarth: Stable Latent Image Modeling for Multimodal Earth Observation" (2025).
Its names of weights are those of the published encoder.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from iterate_core.models.backbones.checkpoints import load_strictly, strip, without
from iterate_core.models.backbones.olmoearth.card import (
    LIBRARY,
    PARTS,
    OlmoEarthConfiguration,
    Part,
)
from iterate_core.models.backbones.transformer.tokens import grid_of

_LEFT_OUT = ("decoder.", "target_encoder.", "supervision_head.", "location_token_")
_TRAINING = ("project_and_aggregate.", "composite_encodings.pos_embed")
_OF_SENSORS = (
    "patch_embeddings.per_modality_embeddings.",
    "composite_encodings.per_modality_channel_embeddings.",
)


class OlmoEarth(nn.Module):
    """The encoder, with the sensors that are used.

    Args:
        configuration: Its size; `patch` is the side of a patch in pixels, at most 8.
        modalities: Names in `PARTS`, each of another sensor.
        metres: Ground size of a pixel.
        drop_path: Rate of stochastic depth of every block.
    """

    def __init__(
        self,
        configuration: OlmoEarthConfiguration,
        modalities: Sequence[str],
        metres: float = 10.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.configuration = configuration
        self.parts: list[Part] = [PARTS[configuration.version][name] for name in modalities]
        self.metres = metres
        built = _built(configuration, [part.sensor for part in self.parts], drop_path)
        embeddings = {part.sensor: _embeddings(built, part) for part in self.parts}
        self.patch_embeddings = nn.ModuleDict(
            {"per_modality_embeddings": nn.ModuleDict(embeddings)}
        )
        self.composite_encodings = built.composite_encodings
        self.blocks = built.blocks
        self.norm = built.norm
        self.turns = built.position_encoding.startswith("rope")
        self.per_day = built.rope_temporal_coordinate_scale

    def forward(self, images: Sequence[Tensor], timestamps: Tensor) -> list[Tensor]:
        """The tokens after every block, those of the last normed.

        Args:
            images: Of each modality, (n, bands, dates, height, width), normalised; sides are
                multiples of the patch.
            timestamps: (n, dates, 3) whole numbers: day of the month from 1, month from 0, year.

        Returns:
            (n, tokens, width) each; tokens of a modality follow one another by row, column, date
            and group of bands.
        """
        pairs = list(zip(self.parts, images, strict=True))
        tokens = torch.cat([self._embedded(*pair, timestamps).flatten(1, 4) for pair in pairs], 1)
        places = self._places(images[0], timestamps) if self.turns else None
        outputs: list[Tensor] = []
        for block in self.blocks:
            tokens = block(tokens, rope_positions=places)
            outputs.append(tokens)
        outputs[-1] = self.norm(tokens)
        return outputs

    def feature_map(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """(n, width, rows, columns): the mean of the modalities' means over dates and groups."""
        rows, columns = grid_of(size, self.configuration.patch)
        groups = [len(part.counts) for part in self.parts]
        dates = tokens.shape[1] // (rows * columns * sum(groups))
        counts = [rows * columns * dates * count for count in groups]
        each = torch.split(tokens, counts, dim=1)
        shape = (tokens.shape[0], rows, columns, -1, tokens.shape[-1])
        grids = [part.reshape(shape).mean(dim=3) for part in each]
        return torch.stack(grids).mean(dim=0).movedim(-1, 1)

    def _embedded(self, part: Part, images: Tensor, timestamps: Tensor) -> Tensor:
        """(n, rows, columns, dates, groups, width): tokens that know their place, date and band."""
        embeddings: Any = self.patch_embeddings["per_modality_embeddings"]
        patch = self.configuration.patch
        groups = torch.split(images.permute(0, 3, 4, 2, 1), list(part.counts), dim=-1)
        modules = embeddings[part.sensor].values()
        tokens = torch.stack([m(g, patch) for m, g in zip(modules, groups, strict=True)], dim=-2)
        rows, columns, count = tokens.shape[1], tokens.shape[2], len(part.counts)
        # The library's codes are of square grids and of all groups of a sensor.
        side = max(rows, columns)
        more = (0, 0, 0, part.groups - count, 0, 0, 0, side - columns, 0, side - rows)
        whole = {part.sensor: functional.pad(tokens, more)}
        coded: Tensor = self.composite_encodings(whole, timestamps, patch, self.metres)[part.sensor]
        return coded[:, :rows, :columns, :, :count]

    def _places(self, images: Tensor, timestamps: Tensor) -> Tensor:
        """(n, tokens, 3): when, in months, and in which row and column, in units of 10 m."""
        when = _module("nn.encodings").timestamps_to_days(timestamps).float() * self.per_day
        patch = self.configuration.patch
        grid = grid_of((images.shape[-2], images.shape[-1]), patch)
        rows, columns = (
            torch.arange(side, dtype=torch.float32, device=images.device) * patch * self.metres / 10
            for side in grid
        )
        shape = (images.shape[0], *grid, images.shape[2])
        axes = (when[:, None, None], rows[:, None, None], columns[:, None])
        place = torch.stack([axis.expand(shape) for axis in axes], dim=-1)
        each = [place[..., None, :].expand(*shape, len(p.counts), 3) for p in self.parts]
        return torch.cat([places.flatten(1, 4) for places in each], dim=1)


def _module(name: str) -> Any:
    with torch.device("cpu"):  # its modules make tensors when they are imported
        return importlib.import_module(f"{LIBRARY}.olmoearth_pretrain_v1.{name}")


def _built(configuration: OlmoEarthConfiguration, sensors: Sequence[str], drop_path: float) -> Any:
    """The encoder as the library's `OlmoEarthPretrain_v1` makes it, without what only trains it."""
    sizes, tokenization = _module("olmoearth_pretrain_v1"), _module("nn.tokenization")
    more: dict[str, Any] = {}
    if configuration.version != "v1":
        groups = {
            name: tokenization.ModalityTokenization(band_groups=groups)
            for name, groups in sizes.V1_1_BAND_GROUPS.items()
        }
        more = {
            "tokenization_config": tokenization.TokenizationConfig(overrides=groups),
            "use_linear_patch_embed": True,
            "patch_embed_hidden_sizes": sizes.V1_2_PATCH_EMBED_HIDDEN_SIZES[configuration.scale],
        }
    if configuration.version == "v1.2":
        more |= {
            "position_encoding": sizes.V1_2_POS_ENCODING,
            "rope_mixed_base": sizes.V1_2_ROPE_MIXED_BASE,
            "rope_temporal_coordinate_scale": sizes.V1_2_ROPE_TEMPORAL_COORDINATE_SCALE,
        }
    return (
        _module("nn.flexi_vit")
        .EncoderConfig(
            supported_modality_names=list(sensors),
            embedding_size=configuration.width,
            depth=configuration.depth,
            num_heads=configuration.heads,
            mlp_ratio=4.0,
            drop_path=drop_path,
            **more,
        )
        .build()
    )


def _embeddings(built: Any, part: Part) -> nn.ModuleDict:
    """What makes tokens of the groups that are taken."""
    every = built.patch_embeddings.per_modality_embeddings[part.sensor]
    return nn.ModuleDict(dict(list(every.items())[: len(part.counts)]))


def load_olmoearth(encoder: OlmoEarth, tensors: Mapping[str, Tensor], source: str) -> None:
    """Fill an encoder from the published checkpoint, whose other parts are left out.

    Args:
        encoder: What to fill.
        tensors: As published, or the encoder's alone.
        source: The file they came from, for messages.

    Raises:
        RequestError: A weight is missing, left over or of another shape.
    """
    if any(name.startswith("encoder.") for name in tensors):
        rest = without(tensors, "encoder.", *_LEFT_OUT)
        tensors = {**strip(tensors, "encoder."), **rest}
    wanted = encoder.state_dict()
    tensors = {
        name: tensor
        for name, tensor in without(tensors, *_TRAINING).items()
        if name in wanted or not name.startswith(_OF_SENSORS)
    }
    load_strictly(encoder, tensors, source)

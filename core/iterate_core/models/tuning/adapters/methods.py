"""The kinds of adapters, as peft makes them."""

from __future__ import annotations

from typing import Any

import torch

from iterate_core.models.backbones.base import Backbone
from iterate_core.models.tuning.adapters.base import _NAME, Adapters
from iterate_core.models.tuning.adapters.options import LoraOptions, VeraOptions
from iterate_core.models.tuning.adapters.targets import makes_keys_or_values, purpose


class Lora(Adapters):
    """Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2022."""

    options: LoraOptions
    decomposed = False

    def inject(self, peft: Any, backbone: Backbone, layers: list[str]) -> None:
        """See `Adapters.inject`."""
        config = peft.LoraConfig(
            r=self.options.rank,
            lora_alpha=self.options.alpha,
            lora_dropout=self.options.dropout,
            use_dora=self.decomposed,
            target_modules=layers,
        )
        peft.LoraModel(backbone, config, _NAME)


class Dora(Lora):
    """Liu et al., "DoRA: Weight-Decomposed Low-Rank Adaptation", 2024."""

    decomposed = True


class Ia3(Adapters):
    """(IA)³: Liu et al., "Few-Shot Parameter-Efficient Fine-Tuning is Better", 2022."""

    def inject(self, peft: Any, backbone: Backbone, layers: list[str]) -> None:
        """See `Adapters.inject`."""
        mixing = [name for name in layers if makes_keys_or_values(name)]
        # What enters the last layer of an MLP are its hidden units.
        last = {name.rpartition(".")[0]: name for name in layers if purpose(name) == "mlp"}
        hidden = list(last.values())
        config = peft.IA3Config(target_modules=mixing + hidden, feedforward_modules=hidden)
        peft.IA3Model(backbone, config, _NAME)


class Vera(Adapters):
    """Kopiczko, Blankevoort & Asano, "VeRA: Vector-based Random Matrix Adaptation", 2024."""

    options: VeraOptions

    def inject(self, peft: Any, backbone: Backbone, layers: list[str]) -> None:
        """See `Adapters.inject`; the shared matrices follow from the current random state."""
        config = peft.VeraConfig(
            r=self.options.rank,
            vera_dropout=self.options.dropout,
            projection_prng_key=int(torch.randint(2**31, ())),
            target_modules=layers,
        )
        peft.VeraModel(backbone, config, _NAME)

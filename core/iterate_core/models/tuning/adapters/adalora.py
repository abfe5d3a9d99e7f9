"""Adapters whose ranks are learnt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from iterate_core.models.backbones.base import Backbone
from iterate_core.models.tuning.adapters.base import _NAME, Adapters
from iterate_core.models.tuning.adapters.options import AdaLoraOptions

_LEARNT = ("lora_A", "lora_B", "lora_E")  # right and left singular vectors, singular values


class AdaLora(Adapters):
    """Zhang et al., "Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning", 2023.

    What is added to a weight is a product of singular vectors and values. After each step peft
    takes note of how much the loss depends on each, and sets the values to zero that it depends
    on least, of all layers together, ever more of them. What is zeroed keeps its place, so that
    shapes are the same from the first step to the last.
    """

    options: AdaLoraOptions

    def __init__(self, options: AdaLoraOptions) -> None:
        super().__init__(options)
        self._tuner: Any = None

    def inject(self, peft: Any, backbone: Backbone, layers: list[str]) -> None:
        """See `Adapters.inject`; how many steps there are, `step_ended` is told."""
        config = peft.AdaLoraConfig(
            init_r=self.options.init_rank,
            target_r=self.options.target_rank,
            lora_alpha=self.options.alpha,
            lora_dropout=self.options.dropout,
            beta1=self.options.beta1,
            beta2=self.options.beta2,
            target_modules=layers,
            total_step=1,
        )
        self._tuner = peft.AdaLoraModel(backbone, config, _NAME)

    def trains(self, backbone: Backbone) -> set[str]:
        """See `Tuning.trains`: a layer's number of ranks is a parameter, and no learnt one."""
        return {name for name in super().trains(backbone) if ".ranknum." not in name}

    def penalty(self, backbone: Backbone) -> Tensor | None:
        """See `Tuning.penalty`: how far singular vectors are from orthonormal.

        The mean over all their matrices P, of orthonormal rows, of ‖P Pᵀ − 1‖ (Frobenius), times
        `orth_reg_weight`. So peft has it, which adds it to losses that a network gives itself.
        """
        if self.options.orth_reg_weight == 0:
            return None
        gaps = []
        with torch.autocast(next(backbone.parameters()).device.type, enabled=False):
            for layer in self.added(backbone).values():
                right, left, _ = _learnt(layer)
                for rows in (right, left.T):
                    gram = rows @ rows.T
                    unit = torch.eye(len(rows), dtype=gram.dtype, device=gram.device)
                    gaps.append(torch.linalg.matrix_norm(gram - unit))
        return self.options.orth_reg_weight * torch.stack(gaps).mean()

    def step_ended(self, backbone: Backbone, step: int, steps: int) -> None:
        """See `Tuning.step_ended`: judge the singular values, and zero the least important."""
        self._plan(steps)
        self._carry(next(backbone.parameters()).device)
        for layer in self.added(backbone).values():
            for value in _learnt(layer):
                value.grad = _known(value)
        if steps > 1:  # the final ranks are chosen by the steps before
            self._tuner.update_and_allocate(step)

    def _plan(self, steps: int) -> None:
        """Tell peft when ranks fall, in steps of a training of so many."""
        config, options = self._tuner.peft_config[_NAME], self.options
        config.total_step = steps
        config.tinit = int(options.init_share * steps)
        # The final ranks are chosen at a step between the two, and never at the first of all.
        config.tfinal = min(int(options.final_share * steps), steps - max(1, config.tinit) - 1)
        config.deltaT = max(1, round(options.interval * steps))

    def _carry(self, device: torch.device) -> None:
        """Bring what peft took note of to where it takes note of more."""
        allocator = self._tuner.rankallocator
        for kept in (allocator.exp_avg_ipt, allocator.exp_avg_unc):
            for name, value in kept.items():
                kept[name] = value.to(device)

    def averaged(self, backbone: Backbone, averages: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See `Tuning.averaged`: what is zeroed now is in no average, whatever it was before."""
        own = dict(backbone.named_parameters())
        return {
            name: torch.where(own[name] == 0, 0.0, value) if ".lora_E." in name else value
            for name, value in averages.items()
        }

    def progress(self) -> dict[str, Any]:
        """See `Tuning.progress`: importances of all that is learnt, and which values are left."""
        allocator = self._tuner.rankallocator
        return {
            "importance": dict(allocator.exp_avg_ipt),
            "uncertainty": dict(allocator.exp_avg_unc),
            "left": self._tuner.peft_config[_NAME].rank_pattern,
        }

    def restore(self, progress: Mapping[str, Any]) -> None:
        """See `Tuning.restore`."""
        allocator = self._tuner.rankallocator
        allocator.exp_avg_ipt = dict(progress["importance"])
        allocator.exp_avg_unc = dict(progress["uncertainty"])
        # Of each step anew; but peft forgets the averages of what is not here.
        allocator.ipt = dict(progress["importance"])
        self._tuner.peft_config[_NAME].rank_pattern = progress["left"]


def _learnt(layer: Any) -> Iterator[nn.Parameter]:
    """The singular vectors, (ranks, inputs) and (outputs, ranks), and values of a layer."""
    return (getattr(layer, kind)[_NAME] for kind in _LEARNT)


def _known(value: nn.Parameter) -> Tensor:
    """A gradient that peft can take note of.

    There is none where a layer has no part in the loss, and one without bounds where float16
    overflowed, along which no step was taken.
    """
    if value.grad is None:
        return torch.zeros_like(value)
    return value.grad.nan_to_num_(0.0, 0.0, 0.0)

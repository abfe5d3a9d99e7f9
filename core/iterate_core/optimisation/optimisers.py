"""Optimisers, over groups of parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from iterate_core.optimisation.options import AdamWOptions, OptimiserOptions, SgdOptions

Groups = list[dict[str, Any]]


def parameter_groups(model: nn.Module, options: OptimiserOptions) -> Groups:
    """Trainable parameters by learning rate and weight decay; the decoder's come first.

    Parameters of fewer than two dimensions (biases, the scales and shifts of normalisation) are
    not decayed. Each group carries ``top``, its learning rate at the top of the schedule.
    """
    groups: Groups = []
    named = [pair for pair in model.named_parameters() if pair[1].requires_grad]
    for part, scale in (("decoder", 1.0), ("backbone", options.backbone_lr_scale)):
        own = [
            value for name, value in named if name.startswith("backbone.") == (part != "decoder")
        ]
        top = options.lr * scale
        for decayed in (True, False):
            chosen = [value for value in own if (value.ndim > 1) == decayed]
            decay = options.weight_decay if decayed else 0.0
            if chosen:
                groups.append({"params": chosen, "lr": top, "top": top, "weight_decay": decay})
    return groups


def build_adamw(options: AdamWOptions, groups: Groups, fused: bool) -> Optimizer:
    """AdamW over parameter groups."""
    betas = (options.beta1, options.beta2)
    return AdamW(groups, lr=options.lr, betas=betas, fused=fused)


def build_sgd(options: SgdOptions, groups: Groups, fused: bool) -> Optimizer:
    """SGD over parameter groups."""
    nesterov = options.nesterov and options.momentum > 0
    return SGD(groups, lr=options.lr, momentum=options.momentum, nesterov=nesterov, fused=fused)


def set_learning_rate(groups: Iterable[dict[str, Any]], factor: float) -> None:
    """Give each group its top learning rate times `factor`."""
    for group in groups:
        rate = group["top"] * factor
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate

"""Optimisers, over groups of parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import SGD, Adam, AdamW, Optimizer

from iterate_core.models.assembly import Model
from iterate_core.optimisation.options import (
    AdamOptions,
    AdamWOptions,
    OptimiserOptions,
    SgdOptions,
)

Groups = list[dict[str, Any]]


def parameter_groups(model: Model, options: OptimiserOptions) -> Groups:
    """Trainable parameters by learning rate and weight decay; the decoder's come first.

    Parameters of fewer than two dimensions (biases, the scales and shifts of normalisation) are
    not decayed. Each group carries ``top``, its learning rate at the top of the schedule.
    """
    groups: Groups = []
    head = [value for module in model.head.values() for value in module.parameters()]
    shares = [(1.0, [value for value in head if value.requires_grad])]
    if model.backbone is not None:
        scale = options.backbone_lr_scale
        shares += [(scale * share, own) for share, own in model.tuning.groups(model.backbone)]
    for share, own in shares:
        top = options.lr * share
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


def build_adam(options: AdamOptions, groups: Groups, fused: bool) -> Optimizer:
    """Adam over parameter groups."""
    betas = (options.beta1, options.beta2)
    return Adam(groups, lr=options.lr, betas=betas, fused=fused)


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

"""Optimisers of timm's, over groups of parameters. None has a fused step."""

from __future__ import annotations

from timm.optim import create_optimizer_v2  # type: ignore[attr-defined]
from torch.optim import Optimizer

from iterate_core.optimisation.optimisers import Groups
from iterate_core.optimisation.options import LambOptions, LionOptions, MuonOptions


def build_lion(options: LionOptions, groups: Groups, fused: bool) -> Optimizer:
    """Lion over parameter groups."""
    del fused
    betas = (options.beta1, options.beta2)
    return create_optimizer_v2(groups, "lion", lr=options.lr, betas=betas)


def build_lamb(options: LambOptions, groups: Groups, fused: bool) -> Optimizer:
    """LAMB over parameter groups, without timm's own clipping of gradients."""
    del fused
    betas = (options.beta1, options.beta2)
    return create_optimizer_v2(groups, "lamb", lr=options.lr, betas=betas, max_grad_norm=None)


def build_muon(options: MuonOptions, groups: Groups, fused: bool) -> Optimizer:
    """Muon over parameter groups, AdamW where timm finds that a parameter is no proper matrix."""
    del fused
    return create_optimizer_v2(
        groups,
        "nmuon" if options.nesterov else "muon",
        lr=options.lr,
        momentum=options.momentum,
        betas=(options.beta1, options.beta2),
        adjust_lr_fn="match_rms_adamw",
    )

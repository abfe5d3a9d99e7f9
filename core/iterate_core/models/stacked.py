"""Decoders of vectors that are alike but for their numbers, computed as one.

What `stacked` makes of m modules takes (m, n, …) and gives what each of them makes of its own
(n, …). It holds their parameters and buffers, each (m, …), and theirs become views of these: what
is written to one is read in the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from iterate_core.models.scratch import Scratch


class Unlike(Exception):  # noqa: N818 - an answer, which whoever asks turns into another way
    """Modules that cannot be computed as one; says why."""


def stacked(members: Sequence[nn.Module]) -> nn.Module:
    """One module in the place of several, which then share its memory.

    Known are ``Sequential``, ``Linear``, ``BatchNorm1d``, ``LayerNorm``, ``Dropout`` and layers
    without numbers of their own, such as ``GELU``.

    Raises:
        Unlike: They differ in more than their numbers, or in a layer that is not known.
    """
    first = members[0]
    if any(type(member) is not type(first) for member in members):
        raise Unlike("they are of several types")
    if isinstance(first, _PLAIN):
        if len({repr(member) for member in members}) > 1:
            raise Unlike(f"their {type(first).__name__} differ")
        return first
    for kind, make in _KNOWN.items():
        if type(first) is kind:
            return make(members)
    raise Unlike(f"{type(first).__name__} is not known")


class StackedSequential(nn.Sequential):
    """Several `Sequential`.

    Raises:
        Unlike: See `stacked`.
    """

    def __init__(self, members: Sequence[Any]) -> None:
        if len({len(member) for member in members}) > 1:
            raise Unlike("they have not the same number of layers")
        super().__init__(*(stacked(layers) for layers in zip(*members, strict=True)))


class StackedLinear(nn.Module):
    """Several `Linear`.

    Raises:
        Unlike: They have not the same width.
    """

    def __init__(self, members: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = _parameter(members, "weight")
        self.bias = _parameter(members, "bias")

    def forward(self, inputs: Tensor) -> Tensor:
        """(m, n, in) → (m, n, out)."""
        # As matrices, few outputs are faster as rows.
        if self.weight.shape[1] < _FEW:
            outputs = torch.bmm(self.weight, inputs.transpose(1, 2)).transpose(1, 2)
        else:
            outputs = torch.bmm(inputs, self.weight.transpose(1, 2))
        return outputs if self.bias is None else outputs + self.bias.unsqueeze(1)


class StackedBatchNorm(nn.Module):
    """Several `BatchNorm1d` of vectors.

    Raises:
        Unlike: They have not the same width or settings, or do not track statistics.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, members: Sequence[nn.BatchNorm1d]) -> None:
        super().__init__()
        settings = {(member.eps, member.momentum, member.affine) for member in members}
        first = members[0]
        if len(settings) > 1 or first.momentum is None or not first.track_running_stats:
            raise Unlike("their BatchNorm1d differ, or track no moving statistics")
        self.eps, self.momentum = first.eps, first.momentum
        self.weight, self.bias = _parameter(members, "weight"), _parameter(members, "bias")
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, _buffer(members, name))
        self._scratch = Scratch()

    @property
    def learns(self) -> bool:
        """Whether it has a scale or a shift that trains."""
        return self.weight is not None or self.bias is not None

    @torch.no_grad()
    def standardise(self, source: Tensor, rows: Tensor, out: Tensor) -> None:
        """A batch of training of some rows each, which learns nothing, on a CPU.

        One member after another, whose rows are then still in the core's own cache. The numbers are
        those of `torch.nn.functional.batch_norm` to the last digit: a class that a batch is without
        has a gradient of rounding errors alone at first, of which Adam makes steps of full length.

        Args:
            source: (samples, width).
            rows: (m, n) of them.
            out: (m, n, width), for what comes of them.
        """
        self.num_batches_tracked += 1
        gathered = self._scratch.like(out.shape[1:], source)
        spared = torch.empty_like(self.running_mean[0]), torch.empty_like(self.running_mean[0])
        moving = zip(self.running_mean.unbind(), self.running_var.unbind(), strict=True)
        settings = (True, self.momentum, self.eps)
        for mine, own, (mean, variance) in zip(rows.unbind(), out.unbind(), moving, strict=True):
            torch.index_select(source, 0, mine, out=gathered)
            torch.native_batch_norm(
                gathered, None, None, mean, variance, *settings, out=(own, *spared)
            )

    def forward(self, inputs: Tensor) -> Tensor:
        """(m, n, width) → (m, n, width); trains fastest on what lies in memory as (n, m, width)."""
        if not (self.training or self.learns or inputs.requires_grad):
            into = self._scratch.like(inputs.shape, inputs)
            scales = (self.running_var + self.eps).rsqrt_()
            shifts = (self.running_mean * scales).neg_()
            return torch.addcmul(shifts.unsqueeze(1), inputs, scales.unsqueeze(1), out=into)
        if self.training:
            self.num_batches_tracked += 1
        flat = functional.batch_norm(  # channels are independent of each other
            inputs.transpose(0, 1).flatten(1),
            self.running_mean.view(-1),
            self.running_var.view(-1),
            None if self.weight is None else self.weight.flatten(),
            None if self.bias is None else self.bias.flatten(),
            self.training,
            self.momentum,
            self.eps,
        )
        heads, width = self.running_mean.shape
        return flat.view(-1, heads, width).transpose(0, 1)


class StackedLayerNorm(nn.Module):
    """Several `LayerNorm` of vectors.

    Raises:
        Unlike: They have not the same width or settings, or are of more than vectors.
    """

    def __init__(self, members: Sequence[nn.LayerNorm]) -> None:
        super().__init__()
        first = members[0]
        if len({repr(member) for member in members}) > 1 or len(first.normalized_shape) > 1:
            raise Unlike("their LayerNorm differ, or are of more than vectors")
        self.shape, self.eps = first.normalized_shape, first.eps
        self.weight, self.bias = _parameter(members, "weight"), _parameter(members, "bias")

    def forward(self, inputs: Tensor) -> Tensor:
        """(m, n, width) → (m, n, width)."""
        normal = functional.layer_norm(inputs, self.shape, eps=self.eps)
        if self.weight is not None:
            normal = normal * self.weight.unsqueeze(1)
        return normal if self.bias is None else normal + self.bias.unsqueeze(1)


class StackedDropout(nn.Module):
    """Several `Dropout`, each of which drops what it would drop alone, on a CPU.

    Attributes:
        rates: Of each.
        generators: What each draws from in training; whoever trains gives them.
    """

    def __init__(self, members: Sequence[nn.Dropout]) -> None:
        super().__init__()
        self.rates = [member.p for member in members]
        self.generators: Sequence[Generator] = ()

    def forward(self, inputs: Tensor) -> Tensor:
        """(m, n, …) → (m, n, …)."""
        if not self.training or not any(self.rates):
            return inputs
        # As PyTorch draws: nothing where nothing is dropped.
        kept = torch.ones(inputs.shape, dtype=inputs.dtype)  # laid out as each one's is
        for mine, rate, generator in zip(kept, self.rates, self.generators, strict=True):
            if rate:
                mine.bernoulli_(1 - rate, generator=generator).div_(1 - rate)
        return inputs * kept


def dropouts(module: nn.Module) -> list[StackedDropout]:
    """Those of a stacked module that drop anything."""
    found = [part for part in module.modules() if isinstance(part, StackedDropout)]
    return [part for part in found if any(part.rates)]


_KNOWN: dict[type[nn.Module], Callable[[Sequence[Any]], nn.Module]] = {
    nn.Sequential: StackedSequential,
    nn.Linear: StackedLinear,
    nn.BatchNorm1d: StackedBatchNorm,
    nn.LayerNorm: StackedLayerNorm,
    nn.Dropout: StackedDropout,
}
_FEW = 64
_PLAIN = (nn.Identity, nn.GELU, nn.ReLU, nn.LeakyReLU, nn.SiLU, nn.ELU, nn.Tanh, nn.Sigmoid)


def _parameter(members: Sequence[nn.Module], name: str) -> Any:
    """A parameter of all, of which theirs become views; None where they have none."""
    held = _buffer(members, name)
    if held is None:
        return None
    trains = {getattr(member, name).requires_grad for member in members}
    if len(trains) > 1:
        raise Unlike(f"{name} trains in some alone")
    return nn.Parameter(held, requires_grad=trains.pop())


def _buffer(members: Sequence[nn.Module], name: str) -> Any:
    """A tensor of all, of which theirs become views; None where they have none."""
    each = [getattr(member, name) for member in members]
    if all(one is None for one in each):
        return None
    if len({None if one is None else one.shape for one in each}) > 1:
        raise Unlike(f"{name} has several shapes")
    held = torch.stack([one.detach() for one in each])
    for one, mine in zip(each, held, strict=True):
        one.data = mine
    return held

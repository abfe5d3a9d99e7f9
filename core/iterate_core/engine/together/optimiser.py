"""One optimiser for the parameters of several heads, each at a rate and a decay of its own."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from iterate_core.optimisation.options import OptimiserOptions
from iterate_core.registry import registries

FACT = "elementwise"
"""The fact of an optimiser's entry without which heads do not share it: the step of each number
follows from that number's own gradients, and is as long as the learning rate. It says where weight
decay belongs: ``apart``, or in the ``gradient``."""


class StackedOptimiser:
    """Takes the steps of several heads at once, each as it would be alone.

    The optimiser runs on zeros, without decay and at rate 1, which leaves each number's step there;
    that is then taken at the rate of its head.

    Args:
        options: Of each head's optimiser; they differ in rate and decay alone.
        parameters: Each (heads, …).
        fused: Whether the optimiser takes its fused step.
    """

    def __init__(
        self, options: Sequence[OptimiserOptions], parameters: Sequence[Tensor], fused: bool
    ) -> None:
        entry = registries.optimisers.get(options[0].name)
        self._within = entry.facts[FACT] == "gradient"
        self._parameters = list(parameters)
        self._steps = [torch.zeros_like(value) for value in self._parameters]
        self._decays = self._steps[0].new_tensor([one.weight_decay for one in options])
        self._tops = [one.lr for one in options]
        plain = options[0].model_copy(update={"lr": 1.0, "weight_decay": 0.0})
        group = {"params": self._steps, "lr": 1.0, "top": 1.0, "weight_decay": 0.0}
        self._optimiser: Optimizer = entry.load()(plain, [group], fused)

    def rates(self, factors: Sequence[Sequence[float]]) -> Tensor:
        """(steps, heads) learning rates, from each head's shares of its top, step by step."""
        pairs = zip(self._tops, factors, strict=True)
        rates = [[top * share for share in shares] for top, shares in pairs]
        return self._decays.new_tensor(rates).T.contiguous()

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], rates: Tensor) -> None:
        """Change the parameters.

        Args:
            gradients: Of each parameter.
            rates: (heads,) learning rates.
        """
        for value, gradient, step in zip(self._parameters, gradients, self._steps, strict=True):
            step.zero_()
            step.grad = gradient.contiguous()  # fused steps rely on the layout
            if value.ndim < 3:  # a head's own has fewer than two dimensions, and is not decayed
                continue
            if self._within:
                step.grad = gradient.addcmul(value, _tall(self._decays, value))
            else:
                value.mul_(_tall(1 - rates * self._decays, value))
        self._optimiser.step()
        for value, step in zip(self._parameters, self._steps, strict=True):
            value.addcmul_(step, _tall(rates, value))

    def load(self, heads: Sequence[tuple[Optimizer, Sequence[Tensor]]]) -> None:
        """Take up where the heads' own optimisers are, each given with its head's parameters.

        All have taken equally many steps.
        """
        for number, step in enumerate(self._steps):
            states = [optimiser.state.get(own[number], {}) for optimiser, own in heads]
            self._optimiser.state[step] = {
                name: torch.stack([state[name] for state in states])
                if _of_each_number(value, step[0])
                else deepcopy(value)
                for name, value in states[0].items()
            }

    def store(self, place: int, optimiser: Optimizer, own: Sequence[Tensor]) -> None:
        """Leave a head's own optimiser as if it had taken that head's steps."""
        for value, step in zip(own, self._steps, strict=True):
            optimiser.state[value] = {
                name: held[place].clone() if _of_each_number(held, step) else deepcopy(held)
                for name, held in self._optimiser.state[step].items()
            }


def _of_each_number(value: Any, parameter: Tensor) -> bool:
    """Whether an optimiser keeps this for each number of a parameter."""
    return isinstance(value, Tensor) and value.ndim > 0 and value.shape == parameter.shape


def _tall(each: Tensor, value: Tensor) -> Tensor:
    """(heads,) as it is multiplied with (heads, …)."""
    return each.reshape(-1, *[1] * (value.ndim - 1))

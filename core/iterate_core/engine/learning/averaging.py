"""Running averages of what training changes, which are scored and kept in its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import (
    AveragedModel,
    get_ema_multi_avg_fn,
    get_swa_multi_avg_fn,
    update_bn,
)

from iterate_core.data.loading.batch import Batch
from iterate_core.engine.setup import Setup
from iterate_core.recipe import TrainerSection


class Averaging(Protocol):
    """An average of what training changes."""

    def step_ended(self) -> None:
        """Take a step in, if steps are averaged."""

    def epoch_ended(self, epoch: int, batches: Iterator[Batch]) -> None:
        """Take an epoch in, if epochs are averaged.

        Args:
            epoch: The first is 1.
            batches: What it was trained on, anew.
        """

    def tensors(self) -> dict[str, Tensor]:
        """What is scored and kept in the place of what training changes, by name."""

    def state(self) -> dict[str, Any]:
        """Everything that decides what it becomes."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""


def averaging_of(setup: Setup) -> Averaging | None:
    """The average that the recipe asks for, if it does."""
    trainer = setup.recipe.trainer
    if trainer.ema is not None:
        return MovingAverage(setup, trainer.ema)
    return None if trainer.swa is None else EqualAverage(setup)


def averaged_from(trainer: TrainerSection) -> int | None:
    """The first epoch whose weights count in `trainer.swa`; None without it."""
    if trainer.swa is None:
        return None
    return trainer.epochs - max(1, round(trainer.swa * trainer.epochs)) + 1


class MovingAverage:
    """The exponential moving average of what training changes.

    After each step it is ``decay`` times itself and 1 − ``decay`` times the tensors; the first
    step's tensors begin it. Running statistics of normalisation are averaged as parameters are;
    what is no real number (a count of batches) is not.

    Args:
        setup: The recipe on its device.
        decay: Above 0, below 1.
    """

    def __init__(self, setup: Setup, decay: float) -> None:
        self._average = _Average(setup, get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]

    def step_ended(self) -> None:
        """See `Averaging.step_ended`."""
        self._average.update()

    def epoch_ended(self, epoch: int, batches: Iterator[Batch]) -> None:
        """See `Averaging.epoch_ended`."""

    def tensors(self) -> dict[str, Tensor]:
        """See `Averaging.tensors`."""
        return self._average.tensors()

    def state(self) -> dict[str, Any]:
        """See `Averaging.state`."""
        return self._average.state()

    def restore(self, state: dict[str, Any]) -> None:
        """See `Averaging.restore`."""
        self._average.restore(state)


class EqualAverage:
    """The mean of what the last epochs came to: stochastic weight averaging (Izmailov et al. 2018).

    Batch normalisation's statistics do not average: those of the averaged weights are measured on
    the epoch's batches.

    Args:
        setup: The recipe on its device, with `trainer.swa`.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._first = averaged_from(setup.recipe.trainer) or 1
        self._average = _Average(setup, get_swa_multi_avg_fn())  # type: ignore[no-untyped-call]
        self._measured: dict[str, Tensor] = {}
        self._begun = False

    def step_ended(self) -> None:
        """See `Averaging.step_ended`."""

    def epoch_ended(self, epoch: int, batches: Iterator[Batch]) -> None:
        """See `Averaging.epoch_ended`."""
        if epoch < self._first:
            return
        self._begun = True
        self._average.update()
        norms = _Normalised(self._setup)
        if norms.empty:
            return
        with self._setup.holding(self._setup.trained() | self._average.tensors()):
            update_bn(batches, norms)
            held = self._setup.trained()
            self._measured = {name: held[name].clone() for name in norms.statistics(held)}

    def tensors(self) -> dict[str, Tensor]:
        """See `Averaging.tensors`; nothing before the first epoch that counts."""
        return self._average.tensors() | self._measured if self._begun else {}

    def state(self) -> dict[str, Any]:
        """See `Averaging.state`."""
        average = self._average.state() if self._begun else {}
        return {"begun": self._begun, "average": average, "measured": self._measured}

    def restore(self, state: dict[str, Any]) -> None:
        """See `Averaging.restore`."""
        self._begun, self._measured = state["begun"], state["measured"]
        if self._begun:
            self._average.restore(state["average"])


class _Average:
    """An average of what training changes in place, by PyTorch's `AveragedModel`.

    Args:
        setup: The recipe on its device. What is no real number is passed by.
        function: Of ``torch.optim.swa_utils``: how one more is taken in.
    """

    def __init__(self, setup: Setup, function: Any) -> None:
        tensors = setup.trained()
        self._model = setup.module.model
        self._names = [name for name, value in tensors.items() if value.is_floating_point()]
        self._current = _Tensors(tensors[name] for name in self._names)
        self._average = AveragedModel(self._current, multi_avg_fn=function, use_buffers=True)

    def update(self) -> None:
        """Take the tensors in."""
        self._average.update_parameters(self._current)

    def tensors(self) -> dict[str, Tensor]:
        """The averages, by name."""
        averages = dict(zip(self._names, self._average.module.buffers(), strict=True))
        return self._model.averaged(averages)

    def state(self) -> dict[str, Any]:
        """The averages, and how many tensors made them."""
        return self._average.state_dict()

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self._average.load_state_dict(state)


class _Tensors(nn.Module):
    """Tensors of another module, as PyTorch's averages take them."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        super().__init__()
        for number, value in enumerate(tensors):
            self.register_buffer(str(number), value.detach())


class _Normalised(nn.Module):
    """A task of which PyTorch's `update_bn` sees only the batch normalisation that trains."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self._step = setup.step
        self._forward = setup.module.forward
        named = setup.module.model.named_modules()
        norms = {name: one for name, one in named if isinstance(one, _BatchNorm) and one.training}
        self._names = list(norms)
        self.norms = nn.ModuleList(norms.values())

    @property
    def empty(self) -> bool:
        """Whether there is none."""
        return not self._names

    def statistics(self, trained: Mapping[str, Tensor]) -> list[str]:
        """Which of what training changes are statistics of it."""
        parts = [f"{name}.{part}" for name in self._names for part in _STATISTICS]
        return [name for name in trained if name in set(parts)]

    def forward(self, batch: Batch) -> Any:
        """Whatever the task does with a batch, in the recipe's arithmetic."""
        return self._step(lambda batch, _: self._forward(batch), batch, 0)


_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")

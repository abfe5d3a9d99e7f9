"""A running average of what training changes, which is scored and kept in its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class MovingAverage:
    """The exponential moving average of tensors that training changes in place.

    After each step it is ``decay`` times itself and 1 − ``decay`` times the tensors; the first
    step's tensors begin it. Running statistics of normalisation are averaged as parameters are;
    what is no real number (a count of batches) is not.

    Args:
        tensors: By name, as they are on their device.
        decay: Above 0, below 1.
    """

    def __init__(self, tensors: Mapping[str, Tensor], decay: float) -> None:
        self._names = [name for name, value in tensors.items() if value.is_floating_point()]
        self._current = _Tensors(tensors[name] for name in self._names)
        averaged = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        self._average = AveragedModel(self._current, multi_avg_fn=averaged, use_buffers=True)

    def update(self) -> None:
        """Take a step's tensors in."""
        self._average.update_parameters(self._current)

    def tensors(self) -> dict[str, Tensor]:
        """The averages, by name."""
        return dict(zip(self._names, self._average.module.buffers(), strict=True))

    def state(self) -> dict[str, Any]:
        """Everything that decides what it becomes."""
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

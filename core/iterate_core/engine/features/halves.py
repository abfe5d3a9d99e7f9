"""Features in half the bytes: float16, each sample's scaled by a power of two of its own.

Scaled so, the largest number of a sample is just below float16's largest. None overflows, and what
is 2^-29 of it or more keeps 11 significant bits: bfloat16's 8 too, so that features of mixed
precision stay as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor

_TOP = 15  # 2^15 is in float16's range, whatever is rounded up to it
_LEAST = -100  # of a sample that is all but zero: 2^100 is in float32's range


def halved(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Single precision → float16, and (rows,) int16: by which power of two each row was divided."""
    finite = torch.where(rows.isfinite(), rows, 0).abs().flatten(1).amax(1)
    powers = (torch.frexp(finite).exponent - _TOP).clamp(min=_LEAST)
    return _scaled(rows, -powers).half(), powers.short()


def doubled(rows: Tensor, powers: Tensor) -> Tensor:
    """Single precision again, from what `halved` gave."""
    return _scaled(rows.float(), powers.int())


def _scaled(rows: Tensor, powers: Tensor) -> Tensor:
    return torch.ldexp(rows, powers.view(-1, *[1] * (rows.ndim - 1)))

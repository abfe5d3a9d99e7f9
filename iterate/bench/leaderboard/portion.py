"""What of the training data models were trained on: a share of them, or some of each class."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*(%|x(?:[ _]train)?)")
_SHOTS = re.compile(r"([1-9]\d*)[ -]shots?")
DIGITS = 9
"""Of a share: 33.3% is 0.333x."""


@dataclass(frozen=True)
class Portion:
    """A portion of the training samples; validation and test samples are all there.

    Attributes:
        share: Above 0 to 1.
        shots: Samples of each class; None where the share says it.
    """

    share: float = 1.0
    shots: int | None = None

    @property
    def name(self) -> str:
        """As results files call it: ``100%``, ``5-shot``."""
        return f"{100 * self.share:g}%" if self.shots is None else f"{self.shots}-shot"

    @property
    def told(self) -> str:
        """For people, in a sentence."""
        if self.shots is None:
            return f"{self.share:.2f}x of the training data"
        return f"{self.shots} training samples of each class"


WHOLE = Portion()
"""All of the training data."""


def read_portion(text: str) -> Portion | None:
    """``100%``, ``1.00x train`` and ``default`` alike; ``5-shot``; None for what is none."""
    stripped = text.strip()
    if stripped == "default":
        return WHOLE
    if (shots := _SHOTS.fullmatch(stripped)) is not None:
        return Portion(shots=int(shots[1]))
    share = _SHARE.fullmatch(stripped)
    return None if share is None else portion_of(float(share[1]) / (100 if share[2] == "%" else 1))


def portion_of(share: float) -> Portion | None:
    """A share of the training data; None for what is none."""
    rounded = round(share, DIGITS)
    return Portion(rounded) if 0 < rounded <= 1 else None

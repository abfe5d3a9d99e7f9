"""What of a dataset models were trained and tested on: how many labels, in which splits."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*(%|x(?:[ _]train)?)")
_SHOTS = re.compile(r"([1-9]\d*)[ -]shots?")
_BLOCKS = re.compile(r"(.*) by blocks of (\S+) m(?:, (\S+) m apart)?")
DIGITS = 9
"""Of a share: 33.3% is 0.333x."""


@dataclass(frozen=True)
class Blocks:
    """Splits drawn by blocks of ground, in place of the published ones.

    Attributes:
        side: Of a block, in metres.
        apart: Least distance between splits, in metres; 0: they do not overlap.
    """

    side: float
    apart: float = 0.0

    @property
    def name(self) -> str:
        """As results files call them: ``blocks of 10000 m, 500 m apart``."""
        apart = f", {_number(self.apart)} m apart" if self.apart else ""
        return f"blocks of {_number(self.side)} m{apart}"

    @property
    def told(self) -> str:
        """For people, in a sentence."""
        return f"splits drawn by {self.name}"


@dataclass(frozen=True)
class Portion:
    """A portion of the training samples; validation and test samples are all there.

    Attributes:
        share: Above 0 to 1.
        shots: Samples of each class; None where the share says it.
        blocks: How all three splits were drawn; None: they are the published ones.
    """

    share: float = 1.0
    shots: int | None = None
    blocks: Blocks | None = None

    @property
    def name(self) -> str:
        """As results files call it: ``100%``, ``5-shot``, ``100% by blocks of 10000 m``."""
        labels = f"{100 * self.share:g}%" if self.shots is None else f"{self.shots}-shot"
        return labels if self.blocks is None else f"{labels} by {self.blocks.name}"

    @property
    def told(self) -> str:
        """For people, in a sentence."""
        if self.shots is None:
            labels = f"{self.share:.2f}x of the training data"
        else:
            labels = f"{self.shots} training samples of each class"
        return labels if self.blocks is None else f"{labels} in {self.blocks.told}"


WHOLE = Portion()
"""All of the training data, in the published splits."""


def read_portion(text: str) -> Portion | None:
    """``100%``, ``1.00x train`` and ``default`` alike; ``5-shot``; None for what is none.

    Each may be followed by what tells drawn splits: ``100% by blocks of 10000 m, 500 m apart``.
    """
    stripped = text.strip()
    drawn = _BLOCKS.fullmatch(stripped)
    if drawn is None:
        return _labels(stripped)
    labels, side, apart = _labels(drawn[1]), _metres(drawn[2]), _metres(drawn[3] or "0")
    if labels is None or not side or apart is None:
        return None
    return Portion(labels.share, labels.shots, Blocks(side, apart))


def portion_of(share: float) -> Portion | None:
    """A share of the training data; None for what is none."""
    rounded = round(share, DIGITS)
    return Portion(rounded) if 0 < rounded <= 1 else None


def _labels(text: str) -> Portion | None:
    if text == "default":
        return WHOLE
    if (shots := _SHOTS.fullmatch(text)) is not None:
        return Portion(shots=int(shots[1]))
    share = _SHARE.fullmatch(text)
    return None if share is None else portion_of(float(share[1]) / (100 if share[2] == "%" else 1))


def _metres(text: str) -> float | None:
    try:
        metres = float(text)
    except ValueError:
        return None
    return metres if 0 <= metres < math.inf else None


def _number(metres: float) -> str:
    """Without an exponent, and without a fraction where there is none."""
    return str(int(metres)) if metres == int(metres) else repr(metres)

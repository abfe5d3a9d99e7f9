"""One dimension of a search space: a choice, a float range or an integer range.

Wrong dimensions are refused at construction, so nobody downstream checks again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

Value: TypeAlias = "bool | int | float | str | tuple[Value, ...] | None"
"""What a recipe's field may be set to; a list of YAML is a tuple here."""

# Doubles count integers exactly up to here; Hydra's `interval` ends and Optuna's logarithms are
# doubles.
_EXACT = 2**53

_SOMEWHERE = 0.381966  # a share of an interval that leads to no round number


def freeze(value: object) -> Value:
    """A value as YAML, JSON or Hydra gives it, with lists as tuples.

    Raises:
        ValueError: It is a mapping, a number that is not finite, or another type.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"a value must be finite, but got {value}")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return tuple(freeze(item) for item in value)
    raise ValueError(
        "a value must be null, true, false, a number, a string or a list, "
        f"but got {type(value).__name__} {value!r}"
    )


def same(one: Value, other: Value) -> bool:
    """Equality that tells 1, 1.0 and true apart, in lists too."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@dataclass(frozen=True)
class Categorical:
    """One of a few values, without order. A value that stands twice counts once."""

    choices: tuple[Value, ...]

    def __post_init__(self) -> None:
        """Freeze the choices.

        Raises:
            ValueError: There is no choice, or one of them is no `Value`.
        """
        unique: list[Value] = []
        for choice in map(freeze, self.choices):
            if not any(same(choice, seen) for seen in unique):
                unique.append(choice)
        if not unique:
            raise ValueError("a choice must have at least one value, but got none")
        object.__setattr__(self, "choices", tuple(unique))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Categorical) and same(self.choices, other.choices)

    def __hash__(self) -> int:
        return hash(self.choices)

    def index(self, value: Value) -> int:
        """Where a value stands among the choices.

        Raises:
            ValueError: It is none of them.
        """
        for index, choice in enumerate(self.choices):
            if same(choice, value):
                return index
        raise ValueError(f"{value!r} is none of {list(self.choices)}")

    def contains(self, value: Value) -> bool:
        """Whether a point may have this value."""
        return any(same(choice, value) for choice in self.choices)

    def count(self) -> int | None:
        """The number of values."""
        return len(self.choices)

    def values(self) -> Iterator[Value]:
        """Every value, in order."""
        return iter(self.choices)

    def probes(self) -> Sequence[Value]:
        """Values that show whether a field takes this dimension; the first is the typical one."""
        return self.choices


@dataclass(frozen=True)
class Float:
    """A number from `low` to `high`, both included.

    Attributes:
        step: Distance of neighbouring values; None for a continuous range.
        log: Drawn evenly in the logarithm.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            ValueError: A rule is broken; the message names it and the values.
        """
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if value is not None:
                if not math.isfinite(value):
                    raise ValueError(f"`{name}` must be finite, but got {value}")
                object.__setattr__(self, name, float(value))
        _check_bounds(self.low, self.high, self.log, None if self.step is None else self.step)
        if self.log and self.low <= 0:
            raise ValueError(f"a log range needs `low > 0`, but got (low={self.low})")
        if self.step is not None and (exact(self.high) - exact(self.low)) % exact(self.step):
            raise ValueError(
                "`high` must be `low` plus a whole number of steps, but got "
                f"(low={self.low}, high={self.high}, step={self.step})"
            )

    def contains(self, value: Value) -> bool:
        """Whether a point may have this value."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        steps = (value - self.low) / self.step
        return abs(steps - round(steps)) < 1e-8

    def count(self) -> int | None:
        """The number of values; None where they cannot be counted."""
        if self.step is None:
            return 1 if self.low == self.high else None
        return int((exact(self.high) - exact(self.low)) / exact(self.step)) + 1

    def values(self) -> Iterator[Value]:
        """Every value, in order.

        Raises:
            ValueError: They cannot be counted.
        """
        count = self.count()
        if count is None:
            raise ValueError(f"endlessly many values from {self.low} to {self.high}")
        return (self._value(index) for index in range(count))

    def _value(self, index: int) -> float:
        return float(exact(self.low) + index * exact(self.step or 0.0))

    def probes(self) -> Sequence[Value]:
        """Values that show whether a field takes this dimension; the first is the typical one."""
        count = self.count()
        if count is not None:
            middle = self._value(count // 2)
        elif self.log:
            # The product could overflow; the sum of logarithms cannot.
            middle = math.exp((math.log(self.low) + math.log(self.high)) / 2)
        else:
            middle = self.low / 2 + self.high / 2
        if self.step is not None or self.low == self.high:
            return (middle, self.low, self.high)
        # Ends and middle may all be whole; what is drawn between them is not.
        return (middle, self.low, self.high, self.low + (self.high - self.low) * _SOMEWHERE)


@dataclass(frozen=True)
class Int:
    """A whole number from `low` to `high`, both included.

    Attributes:
        step: Distance of neighbouring values.
        log: Drawn evenly in the logarithm.
    """

    low: int
    high: int
    log: bool = False
    step: int = 1

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            ValueError: A rule is broken; the message names it and the values.
        """
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"`{name}` must be a whole number, but got {value!r}")
            if abs(value) > _EXACT:
                raise ValueError(f"`{name}` must lie within ±2^53, but got {value}")
        _check_bounds(self.low, self.high, self.log, None if self.step == 1 else self.step)
        if self.log and self.low < 1:
            raise ValueError(f"a log range of whole numbers needs `low >= 1`, but got {self.low}")
        if (self.high - self.low) % self.step:
            raise ValueError(
                "`high` must be `low` plus a whole number of steps, but got "
                f"(low={self.low}, high={self.high}, step={self.step})"
            )

    def contains(self, value: Value) -> bool:
        """Whether a point may have this value."""
        if isinstance(value, bool) or not isinstance(value, int):
            return False
        return self.low <= value <= self.high and (value - self.low) % self.step == 0

    def count(self) -> int | None:
        """The number of values."""
        return (self.high - self.low) // self.step + 1

    def values(self) -> Iterator[Value]:
        """Every value, in order."""
        return iter(range(self.low, self.high + 1, self.step))

    def probes(self) -> Sequence[Value]:
        """Values that show whether a field takes this dimension; the first is the typical one."""
        if self.log:
            middle = round(math.sqrt(self.low * self.high))
        else:
            middle = self.low + (self.high - self.low) // self.step // 2 * self.step
        return (middle, self.low, self.high)


Dimension: TypeAlias = Categorical | Float | Int


def exact(value: float) -> Fraction:
    """The number as people write it: 0.1 is one tenth."""
    return Fraction(repr(value))


def _check_bounds(low: float, high: float, log: bool, step: float | None) -> None:
    if low > high:
        raise ValueError(f"`low <= high` must hold, but got (low={low}, high={high})")
    if step is not None and step <= 0:
        raise ValueError(f"`step > 0` must hold, but got (step={step})")
    if log and step is not None:
        raise ValueError(f"a log range has no step, but got (step={step})")

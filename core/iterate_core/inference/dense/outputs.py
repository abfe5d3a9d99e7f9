"""Which maps a model can give, and how each comes of what is predicted. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.data.target import Target
from iterate_core.errors import Problem, RequestError, near_miss
from iterate_core.inference.dense.colours import palette

Values = npt.NDArray[np.float32]
NOTHING = 255
"""The class of pixels without data, or its like in 16 bits."""


@dataclass(frozen=True)
class Output:
    """One map.

    Attributes:
        name: Of the output; it ends its file's name.
        kind: NumPy's type of its pixels.
        nodata: What stands where the scene has no data.
        bands: What each of its bands is.
        make: (models, channels, h, w) predictions to (bands, h, w).
        unit: Of its values, where it is known.
        categories: Names of its values, of classes.
        colours: Of its values, red, green, blue.
    """

    name: str
    kind: str
    nodata: float
    bands: tuple[str, ...]
    make: Callable[[Values], npt.NDArray[Any]]
    unit: str | None = None
    categories: tuple[str, ...] = ()
    colours: tuple[tuple[int, int, int], ...] = ()

    def pixels(self, predicted: Values, valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.generic]:
        """(bands, h, w) in its type, `nodata` where nothing is valid."""
        made = self.make(predicted).astype(self.kind)
        made[:, ~valid] = self.nodata
        return made


def legal_outputs(target: Target, models: int) -> tuple[str, ...]:
    """Names of the outputs that a target's predictions have, the default first.

    Args:
        target: What is predicted.
        models: How many models predict it.
    """
    spread = ("spread",) if models > 1 else ()
    if target.gives == "probabilities":
        best = ("classes",) if target.exclusive else ()
        return (*best, "probabilities", "entropy", *spread)
    return ("quantity", *spread) if target.gives == "quantities" else ()


def chosen_outputs(asked: Sequence[str] | None, target: Target, models: int) -> tuple[str, ...]:
    """The names of the outputs that are asked for; None asks for the default.

    Raises:
        RequestError: The model does not give one.
    """
    legal = legal_outputs(target, models)
    if asked is not None and not asked:
        raise RequestError(Problem("--outputs", "names none.", f"Legal here: {', '.join(legal)}."))
    names = tuple(dict.fromkeys(asked or legal[:1]))
    for name in names:
        if name not in legal:
            hint = near_miss(name, legal) or f"Legal here: {', '.join(legal)}."
            if name == "spread" and models == 1:
                hint = f"It is over several models: take --ensemble. {hint}"
            what = f"a model of {target.gives} gives no {name!r}."
            raise RequestError(Problem("--outputs", what, hint))
    return names


def outputs_of(names: Sequence[str], target: Target) -> tuple[Output, ...]:
    """The outputs of some names; see `chosen_outputs`."""
    made = {"classes": _classes, "probabilities": _means, "quantity": _means}
    made |= {"entropy": _entropy, "spread": _spread}
    return tuple(made[name](name, target) for name in names)


def _classes(name: str, target: Target) -> Output:
    count = len(target.names)
    kind, nodata = ("uint8", NOTHING) if count <= NOTHING else ("uint16", 2**16 - 1)

    def make(predicted: Values) -> npt.NDArray[Any]:
        best: npt.NDArray[Any] = np.argmax(predicted.mean(axis=0), axis=0, keepdims=True)
        return best

    return Output(
        name, kind, nodata, ("class",), make, categories=target.names, colours=palette(count)
    )


def _means(name: str, target: Target) -> Output:
    unit = target.info.unit if target.gives == "quantities" else None
    return _floats(name, target.names, lambda predicted: predicted.mean(axis=0), unit)


def _entropy(name: str, target: Target) -> Output:
    """In nats, of the mean probabilities; of classes that do not exclude each other, of each."""
    exclusive = target.exclusive

    def make(predicted: Values) -> npt.NDArray[Any]:
        return entropy(predicted.mean(axis=0), exclusive=exclusive)

    return _floats(name, ("entropy",) if exclusive else target.names, make, "nat")


def entropy(probabilities: Values, *, exclusive: bool) -> Values:
    """In nats: over all classes (1, …), or of each class by itself (classes, …).

    Args:
        probabilities: (classes, …).
        exclusive: Whether the classes exclude each other.
    """
    terms = _terms(probabilities)
    if not exclusive:
        return terms + _terms(1 - probabilities)
    total: Values = terms.sum(axis=0, keepdims=True)
    return total


def _terms(probabilities: Values) -> Values:
    inside = np.clip(probabilities, np.finfo(np.float32).tiny, 1)
    return np.asarray(-inside * np.log(inside), dtype=np.float32)


def _spread(name: str, target: Target) -> Output:
    """The standard deviation over models, of each class or quantity (n − 1 in the divisor)."""

    def make(predicted: Values) -> npt.NDArray[Any]:
        spread: Values = np.std(predicted, axis=0, ddof=1)
        return spread

    unit = target.info.unit if target.gives == "quantities" else None
    return _floats(name, target.names, make, unit)


def _floats(
    name: str,
    bands: tuple[str, ...],
    make: Callable[[Values], npt.NDArray[Any]],
    unit: str | None = None,
) -> Output:
    return Output(name, "float32", np.nan, bands, make, unit)

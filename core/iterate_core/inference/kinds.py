"""What a model's predictions are written as, and what can be asked of them. Imports no torch."""

from __future__ import annotations

from typing import Literal

from iterate_core.data.target import Target
from iterate_core.errors import Problem, RequestError
from iterate_core.inference.dense.outputs import chosen_outputs
from iterate_core.inference.images.table import FORMATS as TABLES
from iterate_core.inference.options import PredictOptions
from iterate_core.inference.vectors import DRIVERS

Kind = Literal["maps", "objects", "rows"]


def kind_of(target: Target) -> Kind:
    """What a target's predictions are written as.

    Raises:
        RequestError: It does not say what they are.
    """
    if target.gives == "objects":
        return "objects"
    if target.gives in ("probabilities", "quantities"):
        return "maps" if target.dense else "rows"
    what = f"the target of {target.info.task!r} does not say what predictions of it are."
    hint = f"Set `gives` of its class ({type(target).__name__}), and `predicted`."
    raise RequestError(Problem("", what, hint))


def check_options(options: PredictOptions, target: Target, models: int) -> None:
    """Refuse what does not suit what is predicted, before anything is loaded.

    Raises:
        RequestError: With all that does not.
    """
    kind = kind_of(target)
    for name in ("window", "batch", "jobs"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise RequestError(Problem(f"--{name}", f"is {value}; it must be at least 1."))
    if options.threshold is not None and not 0 <= options.threshold <= 1:
        raise RequestError(Problem("--threshold", f"is {options.threshold:g}, not from 0 to 1."))
    if kind == "maps":
        what = "is for objects and for classes of whole images; this model predicts maps."
        options.refuse(what, threshold=None, by_window=False, format=None)
        chosen_outputs(options.outputs, target, models)
    elif kind == "objects":
        options.refuse("is for numbers; this model finds objects.", outputs=None, by_window=False)
        options.refuse("averages numbers, and objects have none.", flips=False)
        options.chosen_format(tuple(DRIVERS))
        if models > 1:
            what = "averages numbers, and this model finds objects. Leave it out."
            raise RequestError(Problem("--ensemble", what))
    else:
        _check_rows(options, target)


def _check_rows(options: PredictOptions, target: Target) -> None:
    what = "is for maps; this model predicts whole images, a row of a table each."
    options.refuse(what, outputs=None)
    options.chosen_format(TABLES)
    if target.gives != "probabilities" or target.exclusive:
        what = "says which of several classes are there; this model does not predict such."
        options.refuse(what, threshold=None)
    if not options.by_window:
        what = "is for windows; this model predicts whole images unless --by-window is set."
        options.refuse(what, window=None, overlap=None)

"""Weights from a local file, without running anything that is in it."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.options import WHERE

_NESTED = ("state_dict", "model", "model_state")
"""Where published checkpoints keep their tensors."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` file, or of a PyTorch file loaded with `weights_only`.

    A PyTorch file may hold the tensors directly or under a name in `_NESTED`, or those of
    each part of a model under the part's name.

    Raises:
        RequestError: It is absent, truncated, foreign, or holds anything but tensors.
    """
    if not path.is_file():
        raise RequestError(Problem(WHERE, f"there is no file {path}."))
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        _check_archive(path)
        with warnings.catch_warnings(action="ignore"):  # of pickles it then refuses or reads
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        what = f"{path} is truncated or not a safetensors file ({error})."
        raise RequestError(Problem(WHERE, what)) from None
    except pickle.UnpicklingError:
        what = f"{path} holds Python objects that are not tensors, or is no file of weights;"
        hint = "it is not loaded. Save its state_dict() alone, best as .safetensors."
        raise RequestError(Problem(WHERE, what, hint)) from None
    except (RuntimeError, EOFError, OSError, ValueError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RequestError(Problem(WHERE, f"{path} is truncated or foreign ({reason}).")) from None
    return _tensors(loaded, path)


def _check_archive(path: Path) -> None:
    """Compare the members of a PyTorch file with their checksums, which PyTorch does not."""
    if not zipfile.is_zipfile(path):
        return  # the format before PyTorch 1.6, which has none
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        what = f"{path} is damaged: {damaged} in it does not have the checksum it was saved with."
        raise RequestError(Problem(WHERE, what, "Fetch or save it again."))


def _tensors(loaded: Any, path: Path) -> dict[str, Tensor]:
    for name in _NESTED:
        if isinstance(loaded, dict) and isinstance(loaded.get(name), dict):
            loaded = loaded[name]
    if not isinstance(loaded, dict) or not loaded:
        what = f"{path} holds a {type(loaded).__name__}, not named tensors."
        raise RequestError(Problem(WHERE, what))
    loaded = _flat(loaded)
    foreign = [str(name) for name, value in loaded.items() if not isinstance(value, Tensor)]
    if foreign:
        what = f"{path} holds entries that are not tensors: {', '.join(foreign[:5])}."
        raise RequestError(Problem(WHERE, what))
    return {str(name): value for name, value in loaded.items()}


def _flat(loaded: dict[Any, Any]) -> dict[Any, Any]:
    """Tensors that are kept by parts of the model, under their full names."""
    flat: dict[Any, Any] = {}
    for name, value in loaded.items():
        parts = value.items() if isinstance(value, dict) and value else ()
        flat |= {f"{name}.{inner}": tensor for inner, tensor in parts} or {name: value}
    return flat

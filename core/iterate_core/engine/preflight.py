"""What would fail in training is found before it begins."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from iterate_core.data.dataset import SPLITS
from iterate_core.data.loading.batch import Context
from iterate_core.data.loading.contexts import Contexts
from iterate_core.data.selection import epoch_count
from iterate_core.device import fabric_for
from iterate_core.engine.build import build_model, shared_backbone
from iterate_core.engine.evaluator import check_scored
from iterate_core.engine.normalisation import scaling_of
from iterate_core.engine.probing import fits
from iterate_core.engine.resolved import Prepared
from iterate_core.errors import Problem, RequestError
from iterate_core.models.assembly import Model
from iterate_core.provenance import usable_cores
from iterate_core.storage import memory

_NO_VARIANCE = "more than 1 value per channel"  # of `torch.nn.functional.batch_norm`


def preflight(prepared: Prepared) -> None:
    """Try a recipe without training it.

    Every sample is read, once for all recipes that share dataset and bands: it is packed, which
    training would do anyway. The weights are fetched or read, strictly. The model is built on
    PyTorch's meta device, so it takes no memory, and the shape of a batch is sent through it.

    Raises:
        RequestError: Everything that does not fit: splits, device and arithmetic, weights,
            normalisation, shapes.
        DataError: A sample is damaged.
    """
    problems: list[Problem] = []
    with torch.random.fork_rng(devices=[]):
        for attempt in (_read_splits, _reach_device, _load_weights, _normalise, _send_shape):
            problems += _problems_of(attempt, prepared)
    if problems:
        raise RequestError(list(dict.fromkeys(problems)))


def refuse_single(prepared: Prepared) -> None:
    """Try a training batch's shape where it is one sample, which batch normalisation may refuse.

    Raises:
        RequestError: The model does not take it.
    """
    data, stated = prepared.recipe.data, prepared.recipe.trainer.micro_batch
    at_once = stated if isinstance(stated, int) else math.inf
    samples = min(len(prepared.training), data.epoch_samples or math.inf)
    if min(data.batch_size, at_once, samples) == 1:
        with torch.random.fork_rng(devices=[]):
            _send_batch(prepared, 1)


def _problems_of(attempt: Callable[[Prepared], object], prepared: Prepared) -> list[Problem]:
    try:
        attempt(prepared)
    except RequestError as error:
        return list(error.problems)
    return []


def _read_splits(prepared: Prepared) -> None:
    empty = [split for split in SPLITS if not prepared.dataset.reader.names(split)]
    if empty:
        what = f"its {' and '.join(empty)} split is empty."
        raise RequestError(Problem(prepared.info.name, what))
    # Before any trial begins, all cores are this process's.
    prepared.pack.prepare(SPLITS, helpers=usable_cores() - 1)
    check_scored(prepared, *SPLITS)


def _reach_device(prepared: Prepared) -> None:
    trainer = prepared.recipe.trainer
    fabric_for(trainer.accelerator, trainer.precision)


def _load_weights(prepared: Prepared) -> None:
    if prepared.weights not in ("", "none"):
        shared_backbone(prepared)


def _normalise(prepared: Prepared) -> None:
    scaling_of(prepared, shared_backbone(prepared, meta=True))


def _send_shape(prepared: Prepared) -> None:
    """Send a training batch's shape through the model, which batch normalisation may refuse."""
    data = prepared.recipe.data
    _send_batch(prepared, min(data.batch_size, epoch_count(data, prepared.info)))


def _send_batch(prepared: Prepared, count: int) -> None:
    model = build_model(prepared, meta=True)
    _find_trained(prepared, model)
    frames = (prepared.info.frames,) if prepared.info.frames > 1 else ()
    shape = (count, len(prepared.bands), *frames, *prepared.size)
    context = Contexts(prepared.pack, "train", torch.device("meta")).of(np.arange(count))
    try:
        with torch.no_grad(), _all_called(model):
            features = _features(prepared, model, shape, context)
            logits = model.decode(features, prepared.size)
    except (RuntimeError, ValueError) as error:
        raise RequestError(_untaken(prepared, count, str(error).splitlines()[0])) from error
    each = prepared.pack.target.outputs(prepared.size)
    if each is None:
        return
    expected = (count, *each)
    if tuple(logits.shape) != expected:
        what = f"gives {tuple(logits.shape)} where {expected} is needed."
        raise RequestError(Problem("model.decoder.name", what))


def _features(
    prepared: Prepared, model: Model, shape: tuple[int, ...], context: Context | None
) -> Any:
    """The features of a batch on the meta device; a constant backbone's are shared by branches."""

    def encode() -> Any:
        return model.encode(torch.empty(shape, device="meta"), context)

    if not prepared.recipe.tuning.constant:
        return encode()
    known = context is not None
    return memory.arrays.get(("shape", prepared.backbone_key, shape, known), encode, lambda _: 0)


@contextmanager
def _all_called(model: Model) -> Iterator[None]:
    """Refuse a forward pass that leaves out what tuning has added to the backbone.

    Some networks read a layer's weights without calling it: an adapter there would do nothing.
    """
    assert model.backbone is not None  # noqa: S101 - it was built whole
    added, called = model.tuning.added(model.backbone), set[str]()
    hooks = [
        # `add` gives None: a hook's own value would take the place of the module's.
        module.register_forward_hook(lambda *_, name=name: called.add(name))
        for name, module in added.items()
    ]
    yield
    for hook in hooks:
        hook.remove()
    missing = [name for name in added if name not in called]
    if missing:
        what = f"the backbone does not call what it adds to {missing[0]}"
        what += f" and {len(missing) - 1} more." if len(missing) > 1 else "."
        hint = "Choose another tuning.targets (mlp), or another way to fine-tune."
        raise RequestError(Problem("tuning", what, hint))


def _untaken(prepared: Prepared, count: int, reason: str) -> Problem:
    """What is wrong with a batch that a model does not take."""
    hint = "Try another data.image_size or data.batch_size."
    if count == 1 and _NO_VARIANCE in reason:
        reason = "batch normalisation cannot take the variance of one value"
        hint = "Set data.batch_size to 2 or more, or raise data.image_size."
        if prepared.recipe.trainer.micro_batch == 1:
            hint = "Set trainer.micro_batch to 2 or more, or to auto."
        elif prepared.recipe.data.batch_size > 1:
            hint = "Only one sample is trained on: take two or more, by data.share or data.shots."
    return Problem(
        "model", f"the model does not take {count} × {_sizes(prepared)} ({reason}).", hint
    )


def _find_trained(prepared: Prepared, model: Model) -> None:
    """Refuse a model of which nothing is trained, nor fitted."""
    if fits(prepared.recipe) or any(value.requires_grad for value in model.parameters()):
        return
    what = "nothing would train: the backbone is left as it is, and the decoder has no weights."
    raise RequestError(Problem("tuning.name", what, "Choose full, or a decoder that has some."))


def _sizes(prepared: Prepared) -> str:
    height, width = prepared.size
    dates = f"{prepared.info.frames} dates × " if prepared.info.frames > 1 else ""
    return f"{len(prepared.bands)} × {dates}{height} × {width} pixels"
